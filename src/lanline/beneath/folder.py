"""A folder that is held: everything beneath it can be reached, and nothing else, whatever its names and links say.

A name that leads outside, by `..`, by a link, by a race between the two, is refused; a folder that was moved or
replaced is gone, not another folder. Links that stay inside are followed for reading; to write and to remove, none is.
Nothing here knows who may do what: that is for whoever holds the folder.

All methods block for as long as the disk does, never longer: pipes, sockets and devices are not waited for. They may be
called from several threads. No other errors leave this package than those of `FileError`.

Sources: openat2(2), openat(2), path_resolution(7); docs/decisions/0088-two-ways-to-stay-beneath.md.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from types import TracebackType
from typing import NamedTuple, Self

from lanline.beneath.draft import UNNAMED, Draft, make_draft, reopen_draft
from lanline.beneath.names import Names, as_text, check_name, is_draft
from lanline.beneath.opened import Opened
from lanline.beneath.oserrors import file_error
from lanline.beneath.place import Place
from lanline.beneath.tree import tree
from lanline.beneath.ways import Links, Way, hold
from lanline.errors import (
    FileError,
    FileMissing,
    FolderGone,
    LeadsOutside,
    NameRefused,
    NoAccess,
    NotAFile,
    ParentMissing,
    TakenAlready,
)
from lanline.translation import _


class Entry(NamedTuple):
    """One file or folder in a folder, links followed."""

    name: str
    is_folder: bool
    size: int
    """In bytes; 0 for a folder."""
    modified_ns: int
    """Nanoseconds since 1970, UTC."""
    is_link: bool


class Entries(list[Entry]):
    """The entries of one folder, sorted by name, and how many were left out: what nobody could ask for by name (names
    that are refused, links that lead outside or nowhere, pipes, sockets, devices). Unfinished files do not count."""

    left_out: int = 0


class Folder:
    """A held folder; a context manager that lets go of it.

    Args:
        path: where it is; a link to it is followed now, and has to lead to the same folder ever after.
        follows_links: True where links out of the folder are followed as well, for reading.
        without: paths of files and folders that are never opened for reading, nor what is in them, whichever links
            lead there. They need not be there yet; one that the folder itself lies in does not count.
        way: how to take hold of it; the best one of this system where it is not given.

    Raises:
        FileMissing, NoAccess: it is not there, or may not be opened.
        NotAFile: it is no folder.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        follows_links: bool = False,
        without: Iterable[str] = (),
        way: Callable[[str], Way] = hold,
    ):
        self._path = os.path.abspath(path)
        here = os.path.join(os.path.realpath(path), "")
        kept = (os.path.realpath(each) for each in without)
        self._without = tuple(
            each
            for each in kept
            if not here.startswith(os.path.join(each, ""))
            # What lies outside needs no look at each file where links stay inside anyway.
            and (follows_links or each.startswith(here))
        )
        self._links = Links.ALL if follows_links else Links.INSIDE
        try:
            self._way = way(self._path)
        except NotADirectoryError as error:
            raise NotAFile(_("{path} is not a folder").format(path=self._path)) from error
        except OSError as error:
            text = _("the folder {path} cannot be opened: {reason}")
            kind = type(file_error(error, ()))
            raise kind(text.format(path=self._path, reason=error.strerror or error)) from error
        status = self._way.status()
        self._inode, self._device = status.st_ino, status.st_dev

    @property
    def path(self) -> str:
        """Where it was taken hold of, absolute; for people, not for opening."""
        return self._path

    def check_held(self) -> None:
        """Passes while the path still names the held folder. Every other method begins with this.

        Raises:
            FolderGone: it was moved, replaced or removed.
        """
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise self._gone() from error
        if found.st_ino != self._inode or found.st_dev != self._device:
            raise self._gone()

    def _gone(self) -> FolderGone:
        return FolderGone(f"what is at {self._path} is no longer the folder it was")

    def open(self, names: Names) -> Opened:
        """Opens a file or a folder for reading. The caller closes it.

        Raises:
            NameRefused, FileMissing, FolderGone, NoAccess: as their names say.
            LeadsOutside: so does it, or it leads to what the folder is without.
            NotAFile: it is a pipe, a socket or a device.
        """
        for name in names:
            check_name(name)
        self.check_held()
        try:
            opened = self._opened(names)
        except OSError as error:
            raise file_error(error, names) from error
        if not stat.S_ISREG(mode := opened.status.st_mode) and not stat.S_ISDIR(mode):
            opened.close()
            raise NotAFile(f"what is called {as_text(names)} is neither a file nor a folder")
        return opened

    def _opened(self, names: Names) -> Opened:
        """Opens whatever it is; closed again where the folder is without it. Raises OSError."""
        opened = self._way.open(names, self._links)
        if self._without and self._is_without(opened, names):
            opened.close()
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return opened

    def _is_without(self, opened: Opened, names: Names) -> bool:
        try:
            real = os.readlink(f"/proc/self/fd/{opened.fd}")
        except OSError:  # not Linux, or nothing at /proc
            real = os.path.realpath(os.path.join(self._path, *names))
        return any(real == each or real.startswith(os.path.join(each, "")) for each in self._without)

    def entries(self, names: Names = ()) -> Entries:
        """What a folder holds.

        Raises:
            NotAFile: it is a file; otherwise as `open`.
        """
        found = Entries()
        with self._opened_folder(names) as opened:
            try:
                with os.scandir(opened.listed) as listing:
                    for each in listing:
                        if is_draft(each.name):
                            continue
                        entry = self._entry(names, each)
                        if entry is None:
                            found.left_out += 1
                        else:
                            found.append(entry)
            except OSError as error:
                raise file_error(error, names) from error
        found.sort()
        return found

    def _opened_folder(self, names: Names) -> Opened:
        opened = self.open(names)
        if not opened.is_folder:
            opened.close()
            raise NotAFile(f"what is called {as_text(names)} is not a folder")
        return opened

    def _entry(self, names: Names, each: os.DirEntry[str]) -> Entry | None:
        """What one entry is, links followed; nothing where nobody could ask for it."""
        try:
            check_name(each.name)
            if is_link := each.is_symlink():
                with self._opened((*names, each.name)) as opened:
                    status = opened.status
            else:
                status = each.stat(follow_symlinks=False)
        except (OSError, NameRefused):
            return None
        is_folder = stat.S_ISDIR(status.st_mode)
        if not is_folder and not stat.S_ISREG(status.st_mode):
            return None
        return Entry(each.name, is_folder, 0 if is_folder else status.st_size, status.st_mtime_ns, is_link)

    def walk(
        self,
        names: Names = (),
        *,
        wants: Callable[[Names], bool] | None = None,
        left_out: Callable[[Names, FileError], None] | None = None,
    ) -> Generator[tuple[Names, Opened], None, None]:
        """Everything beneath a folder, itself not included: depth first, a folder before what is in it, sorted by name.

        Files that are links are read through them. A folder that is a link is not entered: what it leads to comes in
        its own place. With `follows_links` it is entered, unless this walk has been in that folder before.

        Args:
            names: where to begin.
            wants: asked for each with its names below the beginning; what it does not want is passed over unopened.
            left_out: told of what could not be opened, of folders not entered by a link, and why. Unfinished files
                are passed over without a word.

        Yields:
            The names below the beginning, and the open file or folder, which is closed when the next is asked for.

        Raises:
            NotAFile: the beginning is a file; otherwise as `open`. FolderGone may be raised later, too.
        """
        return tree(self.open, names, enters_links=self._links is Links.ALL, wants=wants, left_out=left_out)

    def draft(self, folder: Names = ()) -> Draft:
        """A new unfinished file in a folder. The caller commits, discards or closes it.

        Raises:
            ParentMissing: the folder is not there.
            NameRefused, FolderGone, LeadsOutside, NoAccess, DiskFull: as their names say.
        """
        place = self._place(folder)
        with _closed_on_error(place, folder):
            return make_draft(place, folder, lambda: self._check_place(place, folder))

    def reopen_draft(self, folder: Names, name: str) -> Draft:
        """An unfinished file that was closed earlier, by its `name`, with permissions as a new one could have.

        Raises:
            FileMissing: it is not there; NotAFile: something else is; otherwise as `draft`.
        """
        place = self._place(folder)
        with _closed_on_error(place, (*folder, UNNAMED)):
            return reopen_draft(place, folder, name, lambda: self._check_place(place, folder))

    def _place(self, names: Names) -> Place:
        """Opens a folder to write into. Raises as `draft`."""
        for name in names:
            check_name(name)
        self.check_held()
        try:
            return self._way.place(names)
        except OSError as error:
            if error.errno == errno.ELOOP:
                text = "the path {name} goes by a link, and nothing is written through links"
                raise LeadsOutside(text.format(name=as_text(names))) from error
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                raise ParentMissing(f"there is no folder {as_text(names)}") from error
            raise file_error(error, names) from error

    def _check_place(self, place: Place, names: Names) -> None:
        """Passes while an open place is still what the names lead to: what is moved out of the folder gets no file."""
        now = self._place(names)
        try:
            if not os.path.samestat(now.status(), place.status()):
                raise ParentMissing(f"what is at {as_text(names)} is no longer the folder it was")
        finally:
            now.close()

    def make_folder(self, names: Names, *, makes_parents: bool = False) -> None:
        """Makes a folder.

        Args:
            names: the last is that of the new folder.
            makes_parents: True where missing folders above it are made too; those that are there stay as they are.

        Raises:
            TakenAlready: something of that name is there.
            ParentMissing: a folder above it is missing, or is a file.
            NameRefused, FolderGone, LeadsOutside, NoAccess, DiskFull: as their names say.
        """
        if not names:
            raise TakenAlready(f"there is {as_text(names)} already")
        for depth in range(1 if makes_parents else len(names), len(names) + 1):
            try:
                self._make_one(names[:depth])
            except TakenAlready:
                if depth == len(names):
                    raise

    def _make_one(self, names: Names) -> None:
        check_name(names[-1])
        place = self._place(names[:-1])
        with closing(place), _meant(names):
            if not place.has(names[-1]):  # what is there already may have a name that nothing new gets
                check_name(names[-1], is_new=True)
            place.make_folder(names[-1])
            place.sync()

    def remove(self, names: Names) -> None:
        """Removes a file, an empty folder, or a link, and never what a link leads to.

        Raises:
            NotEmpty: it is a folder that holds something.
            FileMissing: nothing is there.
            NoAccess: the system does not allow it, or it is the held folder itself.
            NameRefused, FolderGone, LeadsOutside: as their names say.
        """
        if not names:
            raise NoAccess("the folder itself is not removed")
        check_name(names[-1])
        try:
            place = self._place(names[:-1])
        except ParentMissing as error:
            raise FileMissing(str(error)) from error
        with closing(place), _meant(names):
            if stat.S_ISDIR(place.status_of(names[-1]).st_mode):
                place.remove_folder(names[-1])
            else:
                place.remove_file(names[-1])

    def sync(self) -> None:
        """Waits until all that was written on the disk of the folder is there: once, after many commits that did not.

        What other programs wrote on that disk is waited for too. Raises FolderGone.
        """
        with closing(self._place(())) as place, _meant(()):
            place.sync_disk()

    def free_bytes(self) -> int:
        """How much this user may still write on the disk of the folder, in bytes. Raises FolderGone."""
        self.check_held()
        with _meant(()):
            return self._way.free_bytes()

    def close(self) -> None:
        """Lets go of the folder. What was opened beneath it stays open. Does nothing the second time."""
        self._way.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Folder({self._path!r}, {type(self._way).__name__})"


@contextmanager
def _meant(names: Names) -> Iterator[None]:
    """What the system refuses in here was meant for this file."""
    try:
        yield
    except OSError as error:
        raise file_error(error, names) from error


@contextmanager
def _closed_on_error(place: Place, names: Names) -> Iterator[None]:
    try:
        with _meant(names):
            yield
    except BaseException:
        place.close()
        raise
