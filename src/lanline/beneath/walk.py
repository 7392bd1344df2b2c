"""Opening beneath a folder name by name, none of them followed: for systems whose kernel does not keep to a folder.

Each step opens one name in the folder that the step before opened, with O_NOFOLLOW. Where that is a link, its text is
read and its names are walked in its place, so that a link is followed only by our own hands. `..` in a link is never
opened: the names that led here are walked again but for the last, so that a folder which is moved meanwhile takes
nobody along. An absolute link, or one that climbs above the held folder, leads outside, even where it would come back.

Sources: path_resolution(7), openat(2), readlinkat(2).
"""

from __future__ import annotations

import errno
import os
from typing import Final

from lanline.beneath.names import Names
from lanline.beneath.ways import ByDescriptor, Links

MAX_LINKS: Final = 40
"""As many links as Linux follows in one path (MAXSYMLINKS)."""

_STEP: Final = os.O_RDONLY | getattr(os, "O_PATH", 0) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_MAYBE_LINK: Final = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)
"""What a link answers to O_NOFOLLOW: ELOOP, with O_DIRECTORY ENOTDIR; EMLINK on FreeBSD."""


class Walk(ByDescriptor):
    """A held folder beneath which we walk ourselves."""

    def open_fd(self, names: Names, flags: int, links: Links) -> int:
        """See `ByDescriptor.open_fd`."""
        return open_by_walk(self._fd, names, flags, links)


def open_by_walk(folder: int, names: Names, flags: int, links: Links) -> int:
    """A descriptor of what the names lead to beneath a folder.

    Raises:
        OSError: EXDEV where a link leads outside, ELOOP for more than 40 links or one that is not to be followed;
            otherwise what openat(2) says.
    """
    if links is Links.ALL:
        return os.open("/".join(names) or ".", flags, dir_fd=folder)
    walk = _Steps(folder, names, links)
    try:
        return walk.to_the_end(flags)
    finally:
        walk.close()


class _Steps:
    """Where the walk stands: the names entered so far and the folder they led to, the names still to go."""

    def __init__(self, folder: int, names: Names, links: Links) -> None:
        self._root = folder
        self._here = folder
        self._entered: list[str] = []
        self._ahead = [*reversed(names)]
        self._links = links
        self._followed = 0

    def to_the_end(self, flags: int) -> int:
        while self._ahead:
            name = self._ahead.pop()
            if name == "..":
                self._go_back()
            elif self._ahead:
                self._enter(name)
            elif (fd := self._open(name, flags)) is not None:
                return fd
        # The names ended in `..` of a link, or there were none: the end is the folder we are in.
        return os.open(".", flags, dir_fd=self._here)

    def _enter(self, name: str) -> None:
        fd = self._open(name, _STEP)
        if fd is not None:
            self._move_to(fd)
            self._entered.append(name)

    def _go_back(self) -> None:
        """One folder up: entered again from the held one, so that the depth of a path costs no descriptors."""
        if not self._entered:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        self._entered.pop()
        self._move_to(self._root)
        for name in self._entered:
            self._move_to(os.open(name, _STEP | _NOFOLLOW, dir_fd=self._here))

    def _move_to(self, fd: int) -> None:
        self.close()
        self._here = fd

    def _open(self, name: str, flags: int) -> int | None:
        """Opens one name; where it is a link, puts what it says in its place and gives nothing."""
        try:
            return os.open(name, flags | _NOFOLLOW, dir_fd=self._here)
        except OSError as error:
            if error.errno not in _MAYBE_LINK:
                raise
            target = self._read_link(name, error)
        if self._links is Links.NONE or self._followed >= MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if target.startswith("/"):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        self._followed += 1
        parts = [part for part in target.split("/") if part not in ("", ".")]
        if not self._ahead and target.endswith(("/", "/.")):
            parts.append(".")  # what a link names with a slash has to be a folder
        self._ahead += reversed(parts)
        return None

    def _read_link(self, name: str, error: OSError) -> str:
        try:
            return os.readlink(name, dir_fd=self._here)
        except OSError:
            raise error from None  # no link: what the open said is the answer

    def close(self) -> None:
        if self._here != self._root:
            os.close(self._here)
        self._here = self._root
