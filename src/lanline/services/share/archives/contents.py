"""What goes into an archive: the files and folders below one folder, or some of them, each opened when it is its turn.

Rules: nothing is opened but beneath the shared folder, by names that pass its checks, so that every path in an
archive is made of names without separators, `.` and `..`; the first of them is the title of the archive, so that
nothing spills where it is unpacked. What the listing does not show is not packed either. What cannot be packed goes
into the notes; only a shared folder that is gone ends it.

Order: depth first, a folder before what is in it, names by code point. One member is open at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_from_bytes

from lanline.errors import FileError, FolderGone
from lanline.services.share.archives.members import Member
from lanline.services.share.archives.notes import NOTE_NAME, Notes

if TYPE_CHECKING:
    from lanline.beneath import Names
    from lanline.services.share.shared import Shared


_NOTE_STEM: Final = NOTE_NAME.removesuffix(".txt")


class Contents:
    """The members of one archive, in order; to be gone through once, and then asked for its note.

    Args:
        shared: what is shared.
        names: of the folder to pack, from the shared one down; visitors may see it.
        chosen: names in that folder to pack; None for all. A link to a folder is followed where it is chosen, and
            nowhere else.
    """

    def __init__(self, shared: Shared, names: Names, chosen: Sequence[str] | None = None) -> None:
        self._shared = shared
        self._names = names
        self._chosen = None if chosen is None else sorted(set(chosen))
        self._title = shown_name(names[-1] if names else shared.name)
        self._taken: set[str] = set()
        self.notes = Notes()
        """What was left out or changed, so far."""

    def __iter__(self) -> Iterator[Member]:
        """Gives each member open, and closes it when the next is asked for.

        Raises:
            FolderGone: the shared folder was moved or replaced.
            FileError: the folder to pack cannot be listed; nothing was given before.
        """
        if self._chosen is None:
            with self._shared.open(self._names) as top:
                yield Member(self._title, top)
            yield from self._below(())
            return
        for name in self._chosen:
            yield from self._one((name,))

    def _one(self, inner: Names) -> Iterator[Member]:
        """A chosen file, or a chosen folder and what is in it."""
        self._wants(inner)
        try:
            opened = self._shared.open((*self._names, *inner))
        except FileError as error:
            self._leave_out(inner, error)
            return
        with opened:
            is_folder = opened.is_folder
            yield Member(self._path(inner), opened)
        if is_folder:
            yield from self._below(inner)

    def _below(self, inner: Names) -> Iterator[Member]:
        def wants(names: Names) -> bool:
            return self._wants((*inner, *names))

        def leave_out(names: Names, error: FileError) -> None:
            self._leave_out((*inner, *names), error)

        for names, opened in self._shared.folder.walk((*self._names, *inner), wants=wants, left_out=leave_out):
            yield Member(self._path((*inner, *names)), opened)

    def _wants(self, inner: Names) -> bool:
        if len(inner) == 1 and inner[0].startswith(_NOTE_STEM):
            self._taken.add(inner[0])
        return self._shared.is_shown((*self._names, *inner))

    def _leave_out(self, inner: Names, error: FileError) -> None:
        if isinstance(error, FolderGone):
            raise error
        self.notes.add(self._path(inner), str(error))

    def _path(self, inner: Names) -> str:
        path = "/".join((self._title, *inner))
        return path if path.isascii() else "/".join((self._title, *map(shown_name, inner)))

    def note(self) -> tuple[str, bytes]:
        """The path and the text of the last entry, which tells what the notes hold."""
        name, number = NOTE_NAME, 2
        while name in self._taken:
            name, number = f"{_NOTE_STEM} ({number}).txt", number + 1
        return f"{self._title}/{name}", self.notes.text()


def shown_name(name: str) -> str:
    """A name as archives can hold it: text. Of a name that is no UTF-8 the bytes beyond ASCII are shown as `%E9`."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return quote_from_bytes(name.encode("utf-8", "surrogateescape"), safe=" !#$&'()+,;=@[]^`{}~")
    return name
