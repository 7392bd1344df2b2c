"""One open file or folder beneath a held folder.

It is what was opened, whatever happens to its name afterwards: its size and times come from the descriptor, not from
the path. Whoever got it closes it.

Sources: openat(2), fstat(2).
"""

from __future__ import annotations

import os
import stat
from types import TracebackType
from typing import Self


class Opened:
    """An open file or folder; a context manager that closes it.

    Attributes:
        fd: its descriptor, for reading; -1 for a folder where the system has no descriptors of folders (Windows), and
            once it is closed.
        status: what the system says about it, as of when it was opened.
    """

    __slots__ = ("_path", "fd", "status")

    def __init__(self, fd: int, status: os.stat_result, path: str = "") -> None:
        self.fd = fd
        self.status = status
        self._path = path

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, which can be listed, and not a file."""
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def listed(self) -> int | str:
        """What `os.scandir` takes for a folder: the descriptor, or the path where there is none."""
        return self._path or self.fd

    def close(self) -> None:
        """Gives the descriptor back. Does nothing the second time."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Opened(fd={self.fd}, {'folder' if self.is_folder else 'file'})"
