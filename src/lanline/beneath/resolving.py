"""Opening beneath a folder by its path: for systems without descriptors of folders, that is Windows.

The path is resolved, links and junctions included, and compared with that of the folder; what was opened is compared
with what was resolved. Whoever may change the folder on this machine itself can win a race against that; somebody on
the network cannot. Tried on Linux only, by the conformance suite of all ways: nobody has run it on Windows yet.

Sources: os.path.realpath, "Reparse Points" (Microsoft Learn).
"""

from __future__ import annotations

import errno
import os
import shutil

from lanline.beneath.names import Names
from lanline.beneath.opened import Opened
from lanline.beneath.place import Place
from lanline.beneath.ways import READ, Links


class Resolving:
    """A folder held by its resolved path and the identity it had."""

    def __init__(self, path: str) -> None:
        self._path = os.path.realpath(path, strict=True)
        self._status = os.stat(self._path)
        if not os.path.isdir(self._path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))

    def open(self, names: Names, links: Links) -> Opened:
        """See `Way.open`."""
        path = self._resolved(names, links)
        before = os.stat(path, follow_symlinks=False)
        if os.path.isdir(path):
            return Opened(-1, before, path)
        fd = os.open(path, READ | getattr(os, "O_NOFOLLOW", 0))
        opened = Opened(fd, os.fstat(fd))
        if not os.path.samestat(before, opened.status) or self._resolved(names, links) != path:
            opened.close()
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return opened

    def _resolved(self, names: Names, links: Links) -> str:
        """Where the names lead, links resolved. Raises OSError, EXDEV where that is outside."""
        plain = os.path.join(self._path, *names)
        # Not strict: whether there is a file outside is nobody's business, so that is judged before it is asked.
        found = os.path.realpath(plain)
        if links is Links.NONE and os.path.normcase(found) != os.path.normcase(plain):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if links is Links.INSIDE and not self._is_inside(found):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        os.stat(plain)  # says what is missing, no folder, or a circle
        return found

    def _is_inside(self, path: str) -> bool:
        own, other = os.path.normcase(self._path), os.path.normcase(path)
        return other == own or other.startswith(os.path.join(own, ""))

    def place(self, names: Names) -> Place:
        """See `Way.place`."""
        path = self._resolved(names, Links.NONE)
        if not os.path.isdir(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return Place(path=path)

    def status(self) -> os.stat_result:
        """See `Way.status`: as it was when the folder was taken hold of, for there is no descriptor to ask."""
        return self._status

    def free_bytes(self) -> int:
        """See `Way.free_bytes`."""
        return shutil.disk_usage(self._path).free

    def close(self) -> None:
        """See `Way.close`."""
