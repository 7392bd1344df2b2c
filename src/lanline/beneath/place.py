"""A folder that is open for changing what is in it: every change names one entry of it, and follows no link.

It knows no rules about names and no errors but `OSError`. Where the system has descriptors of folders the entry is
named relative to one; elsewhere (Windows) by the path of the folder, which was compared when the place was opened.

Sources: linkat(2), renameat2(2), unlinkat(2), mkdirat(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Final

_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL
_SAFE: Final = sum(
    getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_BINARY", "O_NOINHERIT")
)


@cache
def _syncfs() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)


def sync(fd: int) -> None:
    """Waits until what was written is on the disk, the size included. A file system that cannot is left alone."""
    try:
        (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise


class Place:
    """An open folder. Give either its descriptor, which is closed with it, or its path."""

    __slots__ = ("fd", "path")

    def __init__(self, fd: int = -1, path: str = "") -> None:
        self.fd = fd
        self.path = path

    @property
    def at(self) -> int | None:
        """What the `dir_fd` of a function of `os` is to be."""
        return None if self.path else self.fd

    def named(self, name: str) -> str:
        """What an entry is called to the functions of `os`, together with `at`."""
        return os.path.join(self.path, name) if self.path else name

    def status(self) -> os.stat_result:
        """What the system says about the folder itself."""
        return os.stat(self.path) if self.path else os.fstat(self.fd)

    def status_of(self, name: str) -> os.stat_result:
        """What the system says about an entry; about a link itself."""
        return os.stat(self.named(name), dir_fd=self.at, follow_symlinks=False)

    def has(self, name: str) -> bool:
        """Whether there is an entry of that name, a link that leads nowhere included."""
        try:
            self.status_of(name)
        except FileNotFoundError:
            return False
        return True

    def create(self, name: str) -> int:
        """Makes a new empty file, readable and writable as the umask allows, and opens it."""
        return os.open(self.named(name), _NEW | _SAFE, 0o666, dir_fd=self.at)

    def reopen(self, name: str) -> int:
        """Opens an existing file for reading and writing."""
        return os.open(self.named(name), os.O_RDWR | _SAFE, dir_fd=self.at)

    def make_folder(self, name: str) -> None:
        """Makes a new folder."""
        os.mkdir(self.named(name), dir_fd=self.at)

    def remove_file(self, name: str) -> None:
        """Removes an entry that is no folder; of a link, the link."""
        os.unlink(self.named(name), dir_fd=self.at)

    def remove_folder(self, name: str) -> None:
        """Removes an empty folder."""
        os.rmdir(self.named(name), dir_fd=self.at)

    def replace(self, old: str, new: str) -> None:
        """Renames an entry; what had the new name is gone, and both happen at once."""
        os.replace(self.named(old), self.named(new), src_dir_fd=self.at, dst_dir_fd=self.at)

    def sync(self) -> None:
        """Waits until the names in the folder are on the disk, where the system can be asked for that."""
        if self.fd >= 0:
            sync(self.fd)

    def sync_disk(self) -> None:
        """Waits until all that was written on this disk is there; on all disks, where one cannot be asked for."""
        call = _syncfs()
        if call is None or self.fd < 0:
            if hasattr(os, "sync"):
                os.sync()
        elif call(self.fd) != 0:
            found = ctypes.get_errno()
            raise OSError(found, os.strerror(found))

    def close(self) -> None:
        """Gives the descriptor back. Does nothing the second time."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)
