"""Unix sockets: served with a mode from the first moment on, connected to by path or abstract name.

It makes sockets; the accept loop and asyncio do the rest. Decisions:

- Mode without a race. The umask is the whole process's, so changing it around bind(2) would change what other
  threads create meanwhile; chmod after bind leaves a moment in which anybody can connect. On Linux the file
  that bind makes takes its mode from the socket's own inode (`unix_bind_bsd` in net/unix/af_unix.c), so
  fchmod before bind sets it with neither flaw. Elsewhere the umask is narrowed for the length of the one
  call, which can only make others' new files more private.
- A stale file (its server was killed) is removed only after nobody answered twice, and only after it was
  moved to a name of our own and asked again: two servers that start together cannot remove each other's
  socket.
- Stopping removes the file only while it is still the one we made.
- One protocol for each socket: whoever can open a file can open another one for another purpose, so nothing
  is peeked here. (SO_RCVLOWAT, which peeking needs, is not heeded by poll on Unix sockets either.)
- Abstract names have no mode: any local user can connect. Judge `Arrival.uid` there.

Sources: unix(7); connect(2) for EAGAIN (the listen queue is full).
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import socket
import stat
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from lanline.address import Address
from lanline.errors import ListenFailed
from lanline.limits import LAN, Limits
from lanline.transport import tcp
from lanline.transport.accept import AcceptLoop
from lanline.transport.base import Listener, ProtocolFactory, translate_connect, translate_listen
from lanline.transport.entrance import Entrance
from lanline.transport.unixname import socket_name

if TYPE_CHECKING:
    import ssl

PRIVATE_MODE: Final = 0o600
_MODE_BY_DESCRIPTOR: bool = sys.platform == "linux"
_BIND_TRIES: Final = 3
_RETRY_PAUSE: Final = 0.01
_SECOND_LOOK: Final = 0.02
"""Seconds between two questions to a silent socket: a server between bind and listen needs microseconds."""


async def listen(
    address: Address,
    factory: ProtocolFactory,
    *,
    limits: Limits = LAN,
    tls: ssl.SSLContext | None = None,
    welcome_at_once: bool = True,
    mode: int = PRIVATE_MODE,
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
        made = _identity(address.path)
    except OSError as error:
        sock.close()
        raise translate_listen(address, error) from error
    entrance = Entrance("only", b"", factory, tls=tls, welcome_at_once=welcome_at_once)
    return AcceptLoop(
        [sock], [address], [entrance], sign=b"", limits=limits, on_stop=lambda: _remove(address.path, made)
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
    during = "connect"
    try:
        async with asyncio.timeout(timeout):
            sock = await _connected_socket(address, timeout)
            during = "handshake" if tls is not None else during
            name = (server_name or "localhost") if tls is not None else None
            return await tcp.attach(sock, protocol_factory, tls=tls, server_name=name, timeout=timeout)
    except OSError as error:
        raise translate_connect(address, error, timeout=timeout, during=during) from error


async def _connected_socket(address: Address, timeout: float) -> socket.socket:
    """A Unix connect is done at once or refused; only with a full listen queue there is something to wait
    for.

    Not `loop.sock_connect`: it takes EAGAIN for "under way", which it never is here, and reports success.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
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
    for _ in range(_BIND_TRIES):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            with socket_name(address.path) as name:
                _bind(sock, name, mode)
            return sock
        except OSError as error:
            sock.close()
            if error.errno != errno.EADDRINUSE or address.path.startswith("@"):
                raise
            await _clear_stale(address, error)
        except BaseException:
            sock.close()
            raise
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _bind(sock: socket.socket, name: bytes, mode: int) -> None:
    if _MODE_BY_DESCRIPTOR:
        # The umask still takes bits away, as it should; what it must never do is leave more than `mode`.
        os.fchmod(sock.fileno(), mode)
        sock.bind(name)
        return
    before = os.umask(0o777 & ~mode)
    try:
        sock.bind(name)
    finally:
        os.umask(before)


async def _clear_stale(address: Address, error: OSError) -> None:
    """Removes the socket file of a server that is no more. Raises `error` when somebody listens there."""
    path = address.path
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise ListenFailed(
                f"{address} cannot be served: a file that is not a socket is in the way",
                advice="remove that file if nobody needs it, or choose another path.",
            )
    except FileNotFoundError:
        return  # removed meanwhile: the next bind will do
    if _answers(path):
        raise error
    await asyncio.sleep(_SECOND_LOOK)
    if _answers(path):
        raise error
    _remove_stale(path, error)


def _remove_stale(path: str, error: OSError) -> None:
    folder, name = os.path.split(path)
    aside = os.path.join(folder, f".{name[:64]}.{secrets.token_hex(8)}")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return  # another server that starts now was faster: the next bind tells
    if _answers(aside):
        # Between our look and our move somebody else cleared it and listens: give it back its name.
        os.link(aside, path, follow_symlinks=False)
        os.unlink(aside)
        raise error
    os.unlink(aside)


def _answers(path: str) -> bool:
    """Whether somebody listens at this path. A socket we may not connect to counts as answered."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            with socket_name(path) as name:
                probe.connect(name)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True  # full, or forbidden: somebody's in either case
        return True


def _identity(path: str) -> tuple[int, int] | None:
    """What tells our socket file from one put there later; None for abstract names."""
    if path.startswith("@"):
        return None
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def _remove(path: str, made: tuple[int, int] | None) -> None:
    if made is None:
        return
    try:
        if _identity(path) == made:
            os.unlink(path)
    except FileNotFoundError:
        return  # somebody cleaned up before us
