"""From an address's scheme to the module that serves it: the two functions the layer above calls.

A scheme's module is loaded when its scheme is first used, so that a program that speaks only Unix sockets
never loads ssl.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from lanline.address import Address
from lanline.errors import AddressError
from lanline.limits import LAN, Limits
from lanline.translation import _
from lanline.transport.base import Listener, ProtocolFactory

if TYPE_CHECKING:
    import ssl


async def listen(
    address: Address | socket.socket,
    factory: ProtocolFactory,
    *,
    limits: Limits = LAN,
    tls: ssl.SSLContext | None = None,
    welcome_at_once: bool = True,
) -> Listener:
    """Serves one kind of protocol at an address of any stream scheme.

    Args:
        address: tcp, tls, unix or mem; or a socket that listens already, which the listener owns from now on.
        factory: makes the protocol for each connection, given its `Arrival`.
        limits: connections, strangers, backlog, handshake time. Not on mem, which counts only.
        tls: makes every connection TLS; required for tls, refused for mem.
        welcome_at_once: False when the protocol calls `Arrival.welcomed` itself; see `tcp.listen`.

    Returns:
        the listener. The caller closes it.

    Raises:
        ListenFailed: the address cannot be served.
        UsageError: the scheme carries datagrams (AddressError), or TLS is missing or senseless for it.
    """
    if isinstance(address, socket.socket):
        from lanline.transport import given

        return given.listen_on(address, factory, limits=limits, tls=tls, welcome_at_once=welcome_at_once)
    scheme = _scheme(address)
    return await scheme.listen(address, factory, limits=limits, tls=tls, welcome_at_once=welcome_at_once)


async def connect(
    address: Address,
    protocol_factory: Callable[[], asyncio.BaseProtocol],
    *,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
    timeout: float,
    local_host: str | None = None,
) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
    """Connects to an address of any stream scheme.

    Args:
        address: tcp, tls, unix or mem.
        protocol_factory: makes the protocol.
        tls: speaks TLS with this context; None for tls believes the authorities of this system.
        server_name: the name the server's certificate must bear; None: the host of the address.
        timeout: seconds for all of it.
        local_host: where to connect from: an IP address of this machine; on mem the name the server sees.

    Returns:
        transport and protocol. The caller closes the transport.

    Raises:
        ConnectFailed: nothing came about.
        UsageError: the scheme carries datagrams (AddressError), or TLS is senseless for it.
    """
    scheme = _scheme(address)
    return await scheme.connect(
        address, protocol_factory, tls=tls, server_name=server_name, timeout=timeout, local_host=local_host
    )


class _Scheme(Protocol):
    """What each scheme's module offers."""

    async def listen(
        self,
        address: Address,
        factory: ProtocolFactory,
        *,
        limits: Limits = LAN,
        tls: ssl.SSLContext | None = None,
        welcome_at_once: bool = True,
    ) -> Listener: ...

    async def connect(
        self,
        address: Address,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        timeout: float,
        local_host: str | None = None,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]: ...


def _scheme(address: Address) -> _Scheme:
    match address.scheme:
        case "tcp":
            from lanline.transport import tcp

            return tcp
        case "tls":
            from lanline.transport import tls

            return tls
        case "unix":
            from lanline.transport import unix

            return unix
        case "mem":
            from lanline.transport import memory

            return memory
    raise AddressError(
        _("{address} carries datagrams, not a stream of bytes").format(address=address),
        advice=_("use tcp:// or tls:// here; datagrams are for serve with a handler, connect and bind."),
    )
