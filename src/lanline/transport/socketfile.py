"""The file of a Unix socket that is served: bound with its mode from the first moment, stale ones cleared, removed.

It binds and looks, and waits for nothing: between the two looks at a stale file its caller lets time pass, each in its
own way (`await`, or a blocking sleep). No asyncio here. Decisions:

- Mode without a race. The umask is the whole process's, so changing it around bind(2) would change what other
  threads create meanwhile; chmod after bind leaves a moment in which anybody can connect. On Linux the file
  that bind makes takes its mode from the socket's own inode (`unix_bind_bsd` in net/unix/af_unix.c), so
  fchmod before bind sets it with neither flaw. Elsewhere the umask is narrowed for the length of the one
  call, which can only make others' new files more private.
- A stale file (its server was killed) is removed only after nobody answered twice, and only after it was
  moved to a name of our own and asked again: two servers that start together cannot remove each other's
  socket.
- Stopping removes the file only while it is still the one we made.

Sources: unix(7), "Pathname sockets"; rename(2).
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import stat
import sys
from collections.abc import Iterator
from typing import Final

from lanline.address import Address
from lanline.errors import ListenFailed
from lanline.translation import _
from lanline.transport.unixname import socket_name

PRIVATE_MODE: Final = 0o600
"""What a socket file may be used by: this user, and root."""

SECOND_LOOK: Final = 0.02
"""Seconds between two questions to a silent socket: a server between bind and listen needs microseconds."""

_MODE_BY_DESCRIPTOR: bool = sys.platform == "linux"
_BIND_TRIES: Final = 3

Identity = tuple[int, int]
"""Device and inode: what tells our socket file from one put there later."""


def bind_in_steps(address: Address, mode: int = PRIVATE_MODE) -> Iterator[socket.socket | None]:
    """Binds a stream socket to a path or abstract name, clearing a stale file out of the way.

    Args:
        address: scheme unix.
        mode: permission bits of the file.

    Yields:
        None each time that `SECOND_LOOK` seconds shall pass before it goes on; at last the socket, bound and
        non-blocking, which the caller closes.

    Raises:
        OSError: it cannot be bound; EADDRINUSE, somebody listens there.
        ListenFailed: a file that is no socket is in the way.
    """
    for _try in range(_BIND_TRIES):
        try:
            yield _bound(address.path, mode)
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE or address.path.startswith("@"):
                raise
            if not _is_silent(address, error):
                continue
            yield None
            if _answers(address.path):
                raise
            remove_stale(address.path, error)
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def identity(path: str) -> Identity | None:
    """What to give to `remove` later; None for abstract names, which have no file."""
    if path.startswith("@"):
        return None
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def remove(path: str, made: Identity | None) -> None:
    """Removes the file if it is still the one that was made."""
    if made is None:
        return
    try:
        if identity(path) == made:
            os.unlink(path)
    except FileNotFoundError:
        return  # somebody cleaned up before us


def remove_stale(path: str, error: OSError) -> None:
    """Removes a file at which nobody answered. Raises `error` when somebody does by now, and gives the name back."""
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


def _bound(path: str, mode: int) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        with socket_name(path) as name:
            _bind(sock, name, mode)
    except BaseException:
        sock.close()
        raise
    return sock


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


def _is_silent(address: Address, error: OSError) -> bool:
    """The first look at what is in the way. False: it is gone meanwhile. Raises `error` when somebody listens there."""
    try:
        if not stat.S_ISSOCK(os.lstat(address.path).st_mode):
            raise ListenFailed(
                _("{address} cannot be served: a file that is not a socket is in the way").format(address=address),
                advice=_("remove that file if nobody needs it, or choose another path."),
            )
    except FileNotFoundError:
        return False  # removed meanwhile: the next bind will do
    if _answers(address.path):
        raise error
    return True


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
