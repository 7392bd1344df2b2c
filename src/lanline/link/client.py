"""`connect` and `connect_link`: the connecting side of channels and links."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from lanline.address import Address
from lanline.errors import ConnectFailed, UsageError
from lanline.framing.base import Framing
from lanline.framing.raw import Raw
from lanline.limits import LAN, Limits
from lanline.link.channel import Channel
from lanline.link.datagrams.channel import connect_datagrams
from lanline.link.guard import Anyone, Guard
from lanline.link.link import Link
from lanline.link.service import Endpoint, Service, collect
from lanline.link.streamchannel import StreamChannel
from lanline.session.session import Side
from lanline.translation import _
from lanline.transport import registry

if TYPE_CHECKING:
    import ssl


class _Closing(Protocol):
    """What can be connected, and closed."""

    async def close(self) -> None: ...


_Made = TypeVar("_Made", bound=_Closing)


class Connecting(Generic[_Made]):
    """A connection to be: `await` it to hold it yourself, or enter it with `async with` to have it closed for you."""

    def __init__(self, make: Callable[[], Coroutine[Any, Any, _Made]]) -> None:
        self._make: Callable[[], Coroutine[Any, Any, _Made]] = make
        self._made: _Made

    def __await__(self) -> Generator[Any, None, _Made]:
        """Connects."""
        return self._make().__await__()

    async def __aenter__(self) -> _Made:
        """Connects; leaving the block closes."""
        self._made = await self._make()
        return self._made

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes."""
        await self._made.close()


def connect(
    address: str | Address,
    *,
    framing: Framing | None = None,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
    timeout: float = LAN.connect,
    limits: Limits = LAN,
) -> Connecting[Channel]:
    """A channel to whoever serves this address: `async with connect("tcp://pc7:9000", framing=Lines()) as channel`.

    Args:
        address: tcp, tls, unix, mem or udp. Over udp nothing is sent by connecting: whether anybody is there shows
            when something was sent, and then as an answer, as DatagramRefused, or not at all.
        framing: how messages lie in the stream; Raw by default. Over udp one datagram is one message whatever it is.
        tls: speaks TLS with this context.
        server_name: the name the server's certificate must bear; the host of the address by default.
        timeout: seconds for name lookup, connection and TLS together.
        limits: `unsent_bytes` and `drain` are used; over udp only `drain`.

    Raises:
        AddressError: at once. ConnectFailed: when entered or awaited.
    """
    where = address if isinstance(address, Address) else Address.parse(address)

    async def make() -> Channel:
        if where.scheme == "udp":
            if tls is not None:
                raise UsageError(
                    _("{where} carries datagrams, and TLS needs a stream").format(where=where),
                    advice=_("connect without tls."),
                )
            return await connect_datagrams(where, timeout=timeout, limits=limits)
        channel = StreamChannel(framing or Raw(), limits)
        await registry.connect(where, lambda: channel, tls=tls, server_name=server_name, timeout=timeout)
        return channel

    return Connecting(make)


def connect_link(
    address: str | Address,
    *,
    services: Iterable[Service] = (),
    guard: Guard | None = None,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
    timeout: float = LAN.connect,
    limits: Limits = LAN,
) -> Connecting[Link]:
    """A link to whoever serves services at this address: `async with connect_link("tcp://pc7:9000") as pc7`.

    Args:
        address: tcp, tls, unix or mem.
        services: what the peer may ask this side.
        guard: judges the peer; everybody is a guest by default.
        tls, server_name: as in `connect`.
        timeout: seconds until both sides have let each other in.
        limits: sizes and times of the link.

    Raises:
        AddressError: at once. ConnectFailed: when entered or awaited; the peer's refusal is in it.
    """
    where = address if isinstance(address, Address) else Address.parse(address)
    table = collect(services)

    async def make() -> Link:
        return await open_link(
            where,
            guard or Anyone(),
            table,
            boot=os.urandom(8),
            tls=tls,
            server_name=server_name,
            timeout=timeout,
            limits=limits,
        )

    return Connecting(make)


async def open_link(
    address: Address,
    guard: Guard,
    table: Mapping[str, Endpoint],
    *,
    boot: bytes,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
    local_host: str | None = None,
    timeout: float = LAN.connect,
    limits: Limits = LAN,
    on_lost: Callable[[Link, str], None] | None = None,
) -> Link:
    """As `connect_link`, for whoever keeps many links: one table, one boot id, one guard for all.

    Raises:
        ConnectFailed: no connection, or the peer or our guard refused.
    """
    scheme = "tls" if tls is not None else address.scheme
    link = Link(Side.CONNECTING, guard, table, scheme=scheme, boot=boot, limits=limits, on_lost=on_lost)
    try:
        async with asyncio.timeout(timeout):
            await registry.connect(
                address,
                lambda: link.pump,
                tls=tls,
                server_name=server_name,
                timeout=timeout,
                local_host=local_host,
            )
            await link.wait_welcomed()
    except TimeoutError as error:
        link.abort("no welcome came")
        raise ConnectFailed(
            _("{address} did not answer within {timeout:g} s").format(address=address, timeout=timeout)
        ) from error
    except BaseException:
        link.abort("the first exchange failed")
        raise
    return link
