"""Unix sockets: served with a mode from the first moment on, connected to by path or abstract name.

The file, its mode and stale ones are `socketfile.py`; the accept loop and asyncio do the rest. Decisions:

- One protocol for each socket: whoever can open a file can open another one for another purpose, so nothing
  is peeked here. (SO_RCVLOWAT, which peeking needs, is not heeded by poll on Unix sockets either.)
- Abstract names have no mode: any local user can connect. Judge `Arrival.uid` there.

Sources: unix(7); connect(2) for EAGAIN (the listen queue is full).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from lanline.address import Address
from lanline.limits import LAN, Limits
from lanline.transport import socketfile, tcp
from lanline.transport.accept import AcceptLoop
from lanline.transport.base import Listener, ProtocolFactory, translate_connect, translate_listen
from lanline.transport.entrance import Entrance
from lanline.transport.unixname import socket_name

if TYPE_CHECKING:
    import ssl

_RETRY_PAUSE: Final = 0.01


async def listen(
    address: Address,
    factory: ProtocolFactory,
    *,
    limits: Limits = LAN,
    tls: ssl.SSLContext | None = None,
    welcome_at_once: bool = True,
    mode: int = socketfile.PRIVATE_MODE,
) -> Listener:
    """Serves one kind of protocol at a path or abstract name.

    Args:
        address: scheme unix.
        factory: makes a protocol for each connection.
        limits: those per address do not apply; the others do.
        tls: makes every connection TLS.
        welcome_at_once: see `tcp.listen`.
        mode: permission bits of the socket file; 0600 lets in this user and root.

    Raises:
        ListenFailed: the address cannot be served.
    """
    try:
        sock = await _bound(address, mode)
    except OSError as error:
        raise translate_listen(address, error) from error
    try:
        sock.listen(limits.backlog)
        made = socketfile.identity(address.path)
    except OSError as error:
        sock.close()
        raise translate_listen(address, error) from error
    entrance = Entrance("only", b"", factory, tls=tls, welcome_at_once=welcome_at_once)
    return AcceptLoop(
        [sock], [address], [entrance], sign=b"", limits=limits, on_stop=lambda: socketfile.remove(address.path, made)
    )


async def connect(
    address: Address,
    protocol_factory: Callable[[], asyncio.BaseProtocol],
    *,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
    timeout: float,
    local_host: str | None = None,
) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
    """Connects. Arguments and errors as for `tcp.connect`; `local_host` has no meaning here."""
    during, deadline = "connect", asyncio.get_running_loop().time() + timeout
    try:
        # Outside of the timeout: "too busy" says more than "no answer", also where both become true in one moment.
        sock = await _connected_socket(address, deadline)
        async with asyncio.timeout_at(deadline):
            during = "handshake" if tls is not None else during
            name = (server_name or "localhost") if tls is not None else None
            return await tcp.attach(sock, protocol_factory, tls=tls, server_name=name, timeout=timeout)
    except OSError as error:
        raise translate_connect(address, error, timeout=timeout, during=during) from error


async def _connected_socket(address: Address, deadline: float) -> socket.socket:
    """A Unix connect is done at once or refused; only with a full listen queue there is something to wait
    for.

    Not `loop.sock_connect`: it takes EAGAIN for "under way", which it never is here, and reports success.
    """
    loop = asyncio.get_running_loop()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        with socket_name(address.path) as name:
            while True:
                try:
                    sock.connect(name)
                    return sock
                except BlockingIOError:
                    if loop.time() + _RETRY_PAUSE >= deadline:
                        raise
                await asyncio.sleep(_RETRY_PAUSE)
    except BaseException:
        sock.close()
        raise


async def _bound(address: Address, mode: int) -> socket.socket:
    for sock in socketfile.bind_in_steps(address, mode):
        if sock is not None:
            return sock
        await asyncio.sleep(socketfile.SECOND_LOOK)
    raise AssertionError("the last step gives a socket or raises")
