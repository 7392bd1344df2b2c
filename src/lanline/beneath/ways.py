"""What every way of opening beneath a held folder has in common, and which one this system gets.

A way turns names into an open file without ever leaving the folder. It knows no rules about names and no errors but
`OSError`: `EXDEV` says that a link leads outside, `ELOOP` that links lead in a circle or that one stands where none is
followed. `Folder` says what that means.

The ways: `openat2`, where the kernel itself keeps to the folder; `walk`, name by name with `O_NOFOLLOW`, where it does
not; `resolving`, for systems without descriptors of folders. docs/decisions/0088-two-ways-to-stay-beneath.md.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from enum import Enum
from typing import Final, Protocol

from lanline.beneath.names import Names
from lanline.beneath.opened import Opened
from lanline.beneath.place import Place


class Links(Enum):
    """Which symbolic links are followed."""

    NONE = "none"
    INSIDE = "inside"
    """Those that stay beneath the folder all the way."""
    ALL = "all"


READ: Final = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_BINARY", "O_NOINHERIT")
)
"""How everything is opened for reading. O_NONBLOCK: a pipe that nobody writes to would hang the open."""

HOLD: Final = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
"""How a folder is held: O_PATH asks for no right to list it, as reading a file in it needs none."""

LIST: Final = READ | getattr(os, "O_DIRECTORY", 0)
"""How a folder is opened that is to be listed or written into."""


class Way(Protocol):
    """One way of opening beneath a folder that it holds."""

    def open(self, names: Names, links: Links) -> Opened:
        """Opens something for reading, whatever it is. Raises OSError."""

    def place(self, names: Names) -> Place:
        """Opens a folder for changing what is in it, through no link. Raises OSError."""

    def status(self) -> os.stat_result:
        """What the system says about the held folder itself. Raises OSError."""

    def free_bytes(self) -> int:
        """What this user may still write on the disk of the folder, in bytes. Raises OSError."""

    def close(self) -> None:
        """Lets go of the folder."""


class ByDescriptor(ABC):
    """What the two ways share that hold the folder by a descriptor; each brings its own `open_fd`."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, HOLD)

    @property
    def fd(self) -> int:
        """The descriptor of the held folder; -1 once it is closed."""
        return self._fd

    @abstractmethod
    def open_fd(self, names: Names, flags: int, links: Links) -> int:
        """A descriptor of what the names lead to, which the caller closes. Raises OSError."""

    def open(self, names: Names, links: Links) -> Opened:
        """See `Way.open`."""
        fd = self.open_fd(names, READ, links)
        try:
            return Opened(fd, os.fstat(fd))
        except OSError:
            os.close(fd)
            raise

    def place(self, names: Names) -> Place:
        """See `Way.place`."""
        return Place(self.open_fd(names, LIST, Links.NONE))

    def status(self) -> os.stat_result:
        """See `Way.status`."""
        return os.fstat(self._fd)

    def free_bytes(self) -> int:
        """See `Way.free_bytes`."""
        found = os.fstatvfs(self._fd)
        return found.f_bavail * found.f_frsize

    def close(self) -> None:
        """See `Way.close`."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


def hold(path: str) -> Way:
    """Takes hold of a folder in the best way that this system has.

    Raises:
        OSError: it is not there, is no folder, or may not be opened.
    """
    # Each way is imported where it can work, and only there.
    if os.open not in os.supports_dir_fd:
        from lanline.beneath.resolving import Resolving

        return Resolving(path)
    if sys.platform.startswith("linux"):
        from lanline.beneath.openat2 import OpenAt2, is_there

        if is_there():
            return OpenAt2(path)
    from lanline.beneath.walk import Walk

    return Walk(path)
