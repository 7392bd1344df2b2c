"""TCP: listening on one interface or all, and connecting, with or without TLS on top.

It makes sockets and hands them to the accept loop or to asyncio; it reads and writes nothing. Decisions:

- A name is connected to address by address, each with its share of the time left. No happy eyeballs: in a LAN
  the first address answers or refuses within a millisecond.
- The timeout covers name lookup, TCP and TLS together, because a person waits for all of it.

Sources: tcp(7), RFC 6724 for the order of addresses. How a socket comes to listen is `listening.py`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lanline.address import Address
from lanline.errors import AddressError
from lanline.limits import LAN, Limits
from lanline.translation import _
from lanline.transport.accept import AcceptLoop
from lanline.transport.base import Listener, ProtocolFactory, translate_connect, translate_listen
from lanline.transport.entrance import Entrance
from lanline.transport.listening import listen_at, listen_everywhere, real_address
from lanline.transport.sockets import Found, lookup
from lanline.transport.tuning import tune

if TYPE_CHECKING:
    import ssl


async def listen(
    address: Address,
    factory: ProtocolFactory,
    *,
    limits: Limits = LAN,
    tls: ssl.SSLContext | None = None,
    welcome_at_once: bool = True,
) -> Listener:
    """Serves one kind of protocol at an address.

    Args:
        address: host `*` is every interface; port 0 any free one.
        factory: makes a protocol for each connection.
        limits: connections, strangers, backlog, handshake time.
        tls: makes every connection TLS.
        welcome_at_once: a connection is no stranger once it is accepted and its TLS handshake is done. False:
            the protocol must call `Arrival.welcomed` within `limits.handshake` seconds.

    Raises:
        ListenFailed: the address cannot be served.
    """
    entrance = Entrance("only", b"", factory, tls=tls, welcome_at_once=welcome_at_once)
    return await listen_entrances(address, [entrance], limits=limits)


async def listen_entrances(
    address: Address, entrances: Sequence[Entrance], *, sign: bytes = b"", limits: Limits = LAN
) -> Listener:
    """Serves several protocols at one port; the first bytes of a peer choose. See `entrance.py`.

    Args:
        address: as for `listen`.
        entrances: what the port offers.
        sign: one line, line end included, for whoever begins with anything else.
        limits: shared by all entrances.

    Raises:
        ListenFailed: the address cannot be served.
    """
    try:
        sockets = await _listening_sockets(address, limits.backlog)
    except OSError as error:
        raise translate_listen(address, error) from error
    addresses = [real_address(address, sock) for sock in sockets]
    return AcceptLoop(sockets, addresses, entrances, sign=sign, limits=limits)


async def connect(
    address: Address,
    protocol_factory: Callable[[], asyncio.BaseProtocol],
    *,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
    timeout: float,
    local_host: str | None = None,
) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
    """Connects.

    Args:
        address: where to; not `*`.
        protocol_factory: makes the protocol, once TCP is there.
        tls: speaks TLS with this context.
        server_name: the name the server's certificate must bear; None: the host of the address.
        timeout: seconds for name lookup, TCP and TLS together.
        local_host: IP address of this machine to connect from; None leaves it to the system.

    Returns:
        transport and protocol. The caller closes the transport.

    Raises:
        ConnectFailed: nothing came about.
        AddressError: the address is not one to connect to.
    """
    if address.is_every_interface:
        raise AddressError(
            _("{address} stands for every interface: name one to connect to, such as 127.0.0.1").format(address=address)
        )
    during = "connect"
    try:
        async with asyncio.timeout(timeout):
            sock = await _connected_socket(address, local_host, timeout)
            during = "handshake" if tls is not None else during
            name = (server_name or address.host) if tls is not None else None
            return await attach(sock, protocol_factory, tls=tls, server_name=name, timeout=timeout)
    except OSError as error:
        raise translate_connect(address, error, timeout=timeout, during=during) from error


async def attach(
    sock: socket.socket,
    protocol_factory: Callable[[], asyncio.BaseProtocol],
    *,
    tls: ssl.SSLContext | None,
    server_name: str | None,
    timeout: float,
) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
    """Gives a connected socket to the event loop. Closes it when that fails.

    Raises:
        OSError: the connection ended meanwhile, or (`ssl.SSLError`) TLS failed.
    """
    loop = asyncio.get_running_loop()
    connect_over = loop.create_unix_connection if sock.family == socket.AF_UNIX else loop.create_connection
    is_ours = True

    def make() -> asyncio.BaseProtocol:
        # The loop makes its transport next, which owns the socket from then on and closes it whatever happens. Closing
        # it here as well would give its descriptor to the next connection while the transport still reads from it.
        nonlocal is_ours
        protocol = protocol_factory()
        is_ours = False
        return protocol

    try:
        # A little over our own timeout, so that it is ours that ends the wait and says so.
        handshake = timeout + 1.0 if tls is not None else None
        return await connect_over(
            make, sock=sock, ssl=tls, server_hostname=server_name, ssl_handshake_timeout=handshake
        )
    except BaseException:
        if is_ours:
            sock.close()
        elif not isinstance(loop, asyncio.BaseEventLoop):
            # uvloop closes the descriptor itself, and where the connection ends in the very turn it was made, it tells
            # the socket object nothing of it (create_connection attaches the object one turn later).
            sock.detach()
        raise


async def _connected_socket(address: Address, local_host: str | None, timeout: float) -> socket.socket:
    loop = asyncio.get_running_loop()
    found = await _resolve(address.host, address.port)
    deadline = loop.time() + timeout
    last: OSError = TimeoutError()
    for index, (family, kind, protocol, _name, place) in enumerate(found):
        share = (deadline - loop.time()) / (len(found) - index)
        try:
            async with asyncio.timeout(share):
                return await _connected(socket.socket(family, kind, protocol), place, local_host)
        except OSError as error:
            last = error
    raise last


async def _connected(sock: socket.socket, place: tuple[Any, ...], local_host: str | None) -> socket.socket:
    try:
        sock.setblocking(False)
        if local_host is not None:
            sock.bind((local_host, 0))
        await asyncio.get_running_loop().sock_connect(sock, place)
        tune(sock)
    except BaseException:
        sock.close()
        raise
    return sock


async def _resolve(host: str, port: int) -> list[Found]:
    """The addresses of a host. A numeric one is not sent through the resolver's thread."""
    try:
        return lookup(host, port, is_numeric=True)
    except socket.gaierror:
        return await asyncio.get_running_loop().run_in_executor(None, lookup, host, port)


async def _listening_sockets(address: Address, backlog: int) -> list[socket.socket]:
    if address.is_every_interface:
        return [listen_everywhere(address.port, backlog)]
    return listen_at(await _resolve(address.host, address.port), address.port, backlog)
