"""A file that is being written: beside its place, under a name that nobody asks for, until it is whole.

Nothing half-written ever has the name it was meant for. A draft is made new, never opened through a link, and gets its
name in one step that takes it from nobody (`claim`), or, where that was allowed, replaces a file. Before a draft gets
its name its bytes are on the disk, and afterwards the name is too: what was confirmed survives a power cut
(docs/decisions/0089-drafts-and-what-is-on-the-disk.md).

A draft may be closed unfinished and opened again by its name later, also by another process.

Sources: open(2), fsync(2), "Atomic replace" in ext4(5).
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from lanline.beneath.claim import claim
from lanline.beneath.names import DRAFT_PREFIX, Names, as_text, check_name
from lanline.beneath.oserrors import file_error
from lanline.beneath.place import Place, sync
from lanline.errors import FileMissing, NameRefused, NotAFile, TakenAlready

_RANDOM_BYTES: Final = 16
"""128 bits: two drafts never meet, and nobody guesses one; the address of an unfinished upload is made of them."""

UNNAMED: Final = "(unfinished)"
"""What a draft is called in sentences. Its name is a secret: who writes a file and knows its name could have it opened
as something that it is not."""


class Draft:
    """An unfinished file; a context manager that discards it unless it was committed or closed.

    Attributes:
        fd: its descriptor, for reading and writing; -1 once it is committed, discarded or closed.
        name: what it is called for now, in the folder it was made in.
    """

    __slots__ = ("_check", "_folder", "_place", "fd", "name")

    def __init__(self, place: Place, folder: Names, name: str, fd: int, check: Callable[[], None]) -> None:
        self._place = place
        self._folder = folder
        self._check = check
        self.name = name
        self.fd = fd

    @property
    def size_bytes(self) -> int:
        """How long it is now."""
        return os.fstat(self.fd).st_size

    def write(self, data: bytes | bytearray | memoryview, offset: int) -> None:
        """Writes all of the data from this offset on, in bytes from the beginning.

        Raises:
            DiskFull: no room is left; a part may have been written.
            FileError: the system failed in another way.
        """
        view = memoryview(data).cast("B")
        try:
            while view:
                count = _pwrite(self.fd, view, offset)
                view = view[count:]
                offset += count
        except OSError as error:
            raise file_error(error, (*self._folder, UNNAMED)) from error

    def cut(self, size_bytes: int) -> None:
        """Makes it this long: what is beyond is gone, what is missing reads as zeroes. Raises as `write`."""
        try:
            os.ftruncate(self.fd, size_bytes)
        except OSError as error:
            raise file_error(error, (*self._folder, UNNAMED)) from error

    def sync(self) -> None:
        """Waits until what was written is on the disk. Raises as `write`."""
        try:
            sync(self.fd)
        except OSError as error:
            raise file_error(error, (*self._folder, UNNAMED)) from error

    def commit(self, name: str, *, replaces: bool = False, syncs: bool = True) -> bool:
        """Gives the file its name, in the folder it was made in, and closes it. Blocks until it is on the disk.

        Args:
            name: the name it is to have, checked as a new one; one that exists is replaced by its own name.
            replaces: True where a file of that name may be replaced; it keeps that file's permissions then. A folder, a
                pipe or a device never is; of a link, the link is replaced, never what it leads to.
            syncs: False for a caller that syncs many at once afterwards, with `Folder.sync`.

        Returns:
            Whether a file was replaced.

        Raises:
            TakenAlready: the name is in use; the draft is still there, and may be committed under another.
            FileMissing: somebody took the draft away.
            NameRefused, FolderGone, ParentMissing, NotAFile, DiskFull, NoAccess: as their names say; the draft is still
                there.
        """
        self._check()
        target = (*self._folder, name)
        try:
            self._check_own()
            replaced = self._replaced_by(name) if replaces else None
            if replaced is None:
                check_name(name, is_new=True)
            if syncs:
                sync(self.fd)
            self._take_name(name, replaced)
            if syncs:
                self._place.sync()
        except OSError as error:
            raise file_error(error, target) from error
        self.close()
        return replaced is not None

    def _take_name(self, name: str, replaced: os.stat_result | None) -> None:
        if replaced is not None and stat.S_ISREG(replaced.st_mode) and hasattr(os, "fchmod"):
            os.fchmod(self.fd, replaced.st_mode & 0o777)
        if os.name == "nt":  # Windows renames no open file
            os.close(self.fd)
            self.fd = -1
        try:
            if replaced is None:
                claim(self._place, self.name, name)
            else:
                self._place.replace(self.name, name)
        except OSError:
            if self.fd < 0:
                self.fd = self._place.reopen(self.name)
            raise

    def _check_own(self) -> None:
        """Passes while the draft's name is still the draft."""
        try:
            found = self._place.status_of(self.name)
        except FileNotFoundError:
            found = None
        if found is None or not os.path.samestat(found, os.fstat(self.fd)):
            raise FileMissing("the unfinished file was taken away")

    def _replaced_by(self, name: str) -> os.stat_result | None:
        """What a commit under this name would replace; nothing where the name is free."""
        check_name(name)
        try:
            found = self._place.status_of(name)
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(found.st_mode):
            raise TakenAlready(f"there is a folder {as_text((name,))}, and no folder is replaced")
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
            raise NotAFile(f"what is called {as_text((name,))} is neither a file nor a folder")
        return found

    def discard(self) -> None:
        """Removes and closes it. Does nothing once it is committed, discarded or closed."""
        if self.fd < 0:
            return
        try:
            self._check_own()
            self._place.remove_file(self.name)
        except FileMissing:
            pass  # somebody was faster
        except OSError as error:
            raise file_error(error, (*self._folder, UNNAMED)) from error
        finally:
            self.close()

    def close(self) -> None:
        """Closes it and leaves it where it is, to be opened again by its name. Does nothing the second time."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)
        self._place.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def __repr__(self) -> str:
        return f"Draft({self.name!r}, fd={self.fd})"


def make_draft(place: Place, folder: Names, check: Callable[[], None]) -> Draft:
    """A new empty draft in an open place, which it closes. Raises OSError."""
    name = DRAFT_PREFIX + secrets.token_hex(_RANDOM_BYTES)
    return Draft(place, folder, name, place.create(name), check)


def reopen_draft(place: Place, folder: Names, name: str, check: Callable[[], None]) -> Draft:
    """A draft that was closed unfinished. Raises OSError, NameRefused for a name of another form, NotAFile."""
    if not name.startswith(DRAFT_PREFIX) or not name.removeprefix(DRAFT_PREFIX).isalnum():
        raise NameRefused("this is not the name of an unfinished file")
    fd = place.reopen(name)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise NotAFile("what has this name is not an unfinished file")
        if hasattr(os, "fchmod") and status.st_mode & 0o7111:
            os.fchmod(fd, status.st_mode & 0o666)
    except BaseException:
        os.close(fd)
        raise
    return Draft(place, folder, name, fd, check)


def _pwrite(fd: int, data: memoryview, offset: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(fd, data, offset)
    os.lseek(fd, offset, os.SEEK_SET)
    return os.write(fd, data)
