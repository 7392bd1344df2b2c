"""Opening beneath a folder where the kernel itself keeps to it: openat2 of Linux 5.6 and later.

One call resolves the whole path, and the kernel watches every step, links and races included. The C library has no
function for it in Python's reach, so it is called by its number. Where it is not there (an old kernel, or a sandbox
that forbids it with EPERM) `is_there` says so, and nobody asks again.

Sources: openat2(2), struct open_how in linux/openat2.h; the number 437 is the same on every architecture but alpha.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from functools import cache
from typing import Final

from lanline.beneath.names import Names
from lanline.beneath.walk import open_by_walk
from lanline.beneath.ways import HOLD, ByDescriptor, Links

_OPENAT2: Final = ctypes.c_long(437)
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_NO_SYMLINKS: Final = 0x04
_RESOLVE_BENEATH: Final = 0x08
_RESOLVE: Final = {
    Links.NONE: _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS | _RESOLVE_NO_SYMLINKS,
    Links.INSIDE: _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS,
    Links.ALL: _RESOLVE_NO_MAGICLINKS,
}
_HOW: Final = struct.Struct("=QQQ")  # flags, mode, resolve
_HOW_BYTES: Final = ctypes.c_size_t(_HOW.size)
_MAX_PATH_BYTES: Final = 4095
"""PATH_MAX without its NUL: longer paths are walked."""

_AT_FDCWD: Final = -100

_TRIES: Final = 16
"""EAGAIN means that something was renamed while `..` of a link was resolved. A busy disk may do that again and again;
the walk needs no luck, and is what comes after."""

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long


@cache
def _how(flags: int, links: Links) -> bytes:
    """struct open_how for these flags. The kernel only reads it, so that all threads can share it."""
    return _HOW.pack(flags, 0, _RESOLVE[links])


def _openat2(folder: int, path: bytes, how: bytes) -> int:
    """The system call: a descriptor, or the error's number, negative."""
    found: int = _syscall(_OPENAT2, folder, path, how, _HOW_BYTES)
    return found if found >= 0 else -ctypes.get_errno()


@cache
def is_there() -> bool:
    """Whether this kernel has the call and lets this process use it. Asked once: whatever the reason, it stays so."""
    if platform.machine() == "alpha":
        return False
    fd = _openat2(_AT_FDCWD, b"/", _how(HOLD, Links.ALL))
    if fd >= 0:
        os.close(fd)
    return fd >= 0


class OpenAt2(ByDescriptor):
    """A held folder beneath which the kernel opens."""

    def open_fd(self, names: Names, flags: int, links: Links) -> int:
        """See `ByDescriptor.open_fd`."""
        path = os.fsencode("/".join(names)) or b"."
        if len(path) > _MAX_PATH_BYTES:
            return open_by_walk(self.fd, names, flags, links)
        how = _how(flags, links)
        fd = _openat2(self._fd, path, how)
        if fd >= 0:
            return fd
        for _try in range(_TRIES):
            if fd not in (-errno.EAGAIN, -errno.EINTR):
                break
            fd = _openat2(self._fd, path, how)
        if fd == -errno.EAGAIN:
            return open_by_walk(self.fd, names, flags, links)
        if fd < 0:
            raise OSError(-fd, os.strerror(-fd))
        return fd
