"""`mem://name`: listening and connecting inside one process, for tests and simulated rooms.

Names belong to one event loop. Nothing is encrypted, nobody is a stranger for too long, and of the limits
only the one per member counts: the peer is this process. What TLS would prove elsewhere can be given: the
certificate each side shows (see `listen` and `connect`), so that a room in memory has members.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import sys
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from lanline.address import Address
from lanline.clean import clean
from lanline.errors import ConnectFailed, ListenFailed, UsageError
from lanline.limits import LAN, Limits
from lanline.transport.base import Arrival, Listener, ListenerStatistics, ProtocolFactory, translate_connect
from lanline.transport.ledger import Entry, Ledger
from lanline.transport.memorypair import MemoryTransport

if TYPE_CHECKING:
    import ssl

_LOG: Final = logging.getLogger("lanline.transport")

_NAMES: Final[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, MemoryListener]]] = (
    weakref.WeakKeyDictionary()
)
"""Who serves which name. Global as the kernel's table of ports is; a loop's part goes with the loop."""


async def listen(
    address: Address,
    factory: ProtocolFactory,
    *,
    limits: Limits = LAN,
    tls: ssl.SSLContext | None = None,
    welcome_at_once: bool = True,
    latency: float = 0.0,
    certificate: bytes | None = None,
) -> Listener:
    """Serves a name in this event loop.

    Args:
        address: scheme mem.
        factory: makes a protocol for each connection.
        limits: only `max_connections_per_member` applies.
        tls: must be None.
        welcome_at_once: see `tcp.listen`.
        latency: seconds from one end to the other, for every connection to this name.
        certificate: what `connection_facts` shows the connecting side.

    Raises:
        ListenFailed: the name is taken.
        UsageError: TLS was asked for.
    """
    _refuse_tls(address, tls)
    names = _names()
    if address.path in names:
        raise ListenFailed(f"{address} is in use in this process", advice="choose another name.")
    listener = MemoryListener(address, factory, limits, latency, certificate, names, welcome_at_once=welcome_at_once)
    names[address.path] = listener
    return listener


async def connect(
    address: Address,
    protocol_factory: Callable[[], asyncio.BaseProtocol],
    *,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
    timeout: float,
    local_host: str | None = None,
    certificate: bytes | None = None,
) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
    """Connects to a name served in this event loop.

    Args:
        address: scheme mem.
        protocol_factory: makes the protocol.
        tls: must be None.
        server_name: has no meaning here and is ignored.
        timeout: seconds; a connection takes one round trip of the listener's latency.
        local_host: what the server sees as `Arrival.host`.
        certificate: what `connection_facts` shows the server.

    Raises:
        ConnectFailed: nothing is served there.
        UsageError: TLS was asked for.
    """
    _refuse_tls(address, tls)
    listener = _names().get(address.path)
    if listener is None:
        raise _nobody(address)
    try:
        async with asyncio.timeout(timeout):
            await asyncio.sleep(2 * listener.latency)
            return await listener.accept(protocol_factory, local_host or "", certificate)
    except OSError as error:
        raise translate_connect(address, error, timeout=timeout) from error


class _Guest(Entry):
    """One accepted connection, as the keeper of its arrival."""

    __slots__ = ("_ledger",)

    def __init__(self, ledger: Ledger[_Guest], since: float) -> None:
        super().__init__(None, since)
        self._ledger = ledger

    def welcome(self, member: str | None) -> bool:
        """See `Arrival.welcomed`."""
        return self._ledger.welcome(self, member)

    def forget(self) -> None:
        """See `Arrival.gone`."""
        self._ledger.forget(self)


class MemoryListener:
    """A name being served in this process. Made by `listen`."""

    def __init__(
        self,
        address: Address,
        factory: ProtocolFactory,
        limits: Limits,
        latency: float,
        certificate: bytes | None,
        names: dict[str, MemoryListener],
        *,
        welcome_at_once: bool,
    ) -> None:
        self.latency = latency
        self._factory = factory
        self._certificate = certificate
        self._address = address
        self._welcome_at_once = welcome_at_once
        # Counted, not limited: a room of a thousand nodes may start in one turn of the loop.
        boundless = limits._replace(max_connections=sys.maxsize, max_strangers=sys.maxsize)
        self._ledger: Ledger[_Guest] = Ledger(boundless, expires=False)
        self._names = names
        self._accepted = 0

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The one name."""
        return (self._address,)

    def stop_accepting(self) -> None:
        """Gives the name up."""
        if self._names.get(self._address.path) is self:
            del self._names[self._address.path]

    async def close(self) -> None:
        """Gives the name up; connections belong to their protocols."""
        self.stop_accepting()

    def statistics(self) -> ListenerStatistics:
        """The counters, as they are now."""
        return ListenerStatistics(
            accepted=self._accepted,
            refused=0,
            dropped_strangers=0,
            strangers=self._ledger.strangers,
            connections=self._ledger.connections,
            accept_errors=0,
        )

    async def accept(
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: str, certificate: bytes | None
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Makes both ends of a connection and returns the connecting one. For `connect`.

        Raises:
            ConnectionError: the name was given up meanwhile, or the factory failed.
        """
        if self._names.get(self._address.path) is not self:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        loop = asyncio.get_running_loop()
        self._accepted += 1
        guest = _Guest(self._ledger, loop.time())
        self._ledger.admit(guest)
        caller = f"mem://{host}" if host else f"{self._address} (connection {self._accepted})"
        arrival = Arrival(scheme="mem", peer_address=caller, host=host, uid=_uid(), keeper=guest)
        try:
            server_protocol = self._factory(arrival)
        except Exception as error:
            _LOG.warning("no protocol for %s: %s: %s", caller, type(error).__name__, clean(str(error)))
            guest.forget()
            raise ConnectionResetError("Connection reset by peer") from error
        server = MemoryTransport(loop, self.latency, _facts(caller, str(self._address), certificate))
        client = MemoryTransport(loop, self.latency, _facts(str(self._address), caller, self._certificate))
        protocol = protocol_factory()
        server.join(client, server_protocol)
        client.join(server, protocol)
        if self._welcome_at_once:
            arrival.welcomed(None)
        started: asyncio.Future[None] = loop.create_future()
        loop.call_soon(server.start)
        loop.call_soon(client.start)
        loop.call_soon(_finish, started)
        try:
            await started
        except BaseException:
            client.abort()
            raise
        return client, protocol

    def __repr__(self) -> str:
        return f"<MemoryListener {self._address}: {self._ledger.connections} connections>"


def _names() -> dict[str, MemoryListener]:
    return _NAMES.setdefault(asyncio.get_running_loop(), {})


def _facts(peer: str, own: str, certificate: bytes | None) -> dict[str, object]:
    return {
        "peername": peer,
        "sockname": own,
        "lanline.scheme": "mem",
        "lanline.uid": _uid(),
        "lanline.certificate": certificate,
    }


def _uid() -> int | None:
    return os.getuid() if hasattr(os, "getuid") else None


def _finish(started: asyncio.Future[None]) -> None:
    if not started.done():
        started.set_result(None)


def _nobody(address: Address) -> ConnectFailed:
    return ConnectFailed(
        f"nothing listens at {address}", advice="start the server first, in this process and event loop."
    )


def _refuse_tls(address: Address, tls: ssl.SSLContext | None) -> None:
    if tls is not None:
        raise UsageError(f"{address} never leaves this process: TLS has no meaning there")
