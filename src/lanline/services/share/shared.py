"""What is shared: a folder, one file of a folder, or standard input; and what visitors may do with it.

It stands between the site and the disk: every name a visitor uses passes here first, and what is hidden is missing for
whoever asks, whether to list, to read or to remove. It knows no HTTP. Rules (decision 92): names that begin with a dot
are hidden unless the owner shows them; those of unfinished uploads always are; `.lanline` in the root is the server's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from lanline.beneath.names import check_name, is_draft
from lanline.errors import FileError, FileMissing, FolderGone, NameRefused

if TYPE_CHECKING:
    from aiohttp import web

    from lanline.beneath.folder import Entry, Folder
    from lanline.beneath.names import Names
    from lanline.beneath.opened import Opened
    from lanline.services.share.target import Target

RESERVED: Final = ".lanline"
"""The first name of every address that belongs to the server itself."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """What visitors may do beside reading."""

    upload: bool = False
    """Add files and folders."""

    overwrite: bool = False
    """Replace files. Counts only where they may be added."""

    delete: bool = False
    """Remove files and empty folders."""

    max_upload_bytes: int | None = None
    """The largest file that is taken; None: no limit but the disk."""

    shows_hidden: bool = False
    """Names that begin with a dot are listed, served and taken like others."""


class Source(Protocol):
    """Something without a size or an end that is known, shared as one file: standard input."""

    name: str
    """What it is called in the listing and in its address."""

    modified_ns: int
    """When it began, in nanoseconds since 1970."""

    async def answer(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """Answers GET and HEAD for it."""


class Item(NamedTuple):
    """One line of a listing."""

    name: str
    is_folder: bool
    size: int | None
    """In bytes; None for folders, and where nobody knows it."""
    modified_ns: int
    """Nanoseconds since 1970."""


class Contents(NamedTuple):
    """What a folder shows of itself."""

    items: list[Item]
    """Folders first, then by name without regard to case."""
    left_out: int
    """How many more there are that cannot be asked for, by their names or by what they are; the hidden not counted."""


class Shared:
    """What one server shares.

    Args:
        folder: the folder that is shared or that holds the one file; None for standard input. Not closed here.
        permissions: what visitors may do; nothing but reading where not a whole folder is shared.
        name: what it is called: the name of the folder, the file or the source.
        only: the one name of the folder that exists for visitors; None: the whole folder.
        source: standard input, in place of a folder.
    """

    def __init__(
        self,
        folder: Folder | None,
        permissions: Permissions,
        *,
        name: str,
        only: str | None = None,
        source: Source | None = None,
    ) -> None:
        assert (folder is None) is not (source is None), "either a folder is shared or a source"
        self._folder = folder
        self.permissions = permissions if folder is not None and only is None else Permissions()
        self.name = name
        self.only = only if source is None else source.name
        self.source = source

    @property
    def folder(self) -> Folder:
        """The folder that is shared, for writing into. Only where `permissions` lets visitors write."""
        assert self._folder is not None
        return self._folder

    @property
    def has_archives(self) -> bool:
        """Whether an archive of it is worth offering: of a single file it is not."""
        return self.only is None

    def is_shown(self, names: Names) -> bool:
        """Whether these names may exist for visitors, whatever is on the disk."""
        if self.only is not None:
            return names in ((), (self.only,))
        shows_hidden = self.permissions.shows_hidden
        for name in names:
            if name[:1] == "." and (not shows_hidden or is_draft(name)):
                return False
        return not names or names[0] != RESERVED

    def is_source(self, names: Names) -> bool:
        """Whether these names are those of the source."""
        return self.source is not None and names == (self.only,)

    def open(self, names: Names) -> Opened:
        """Opens a file or folder for reading. The caller closes it.

        Raises:
            FileMissing: nothing is there for visitors.
            FileError: see `lanline.beneath.Folder.open`.
        """
        if self._folder is None or not self.is_shown(names):
            raise FileMissing("there is nothing by this name")
        return self._folder.open(names)

    def check_new(self, names: Names) -> None:
        """Passes if visitors may create something by these names. Whether they may create at all is not judged.

        Raises:
            NameRefused: one of them is hidden or reserved, or the last is none that every system could hold.
        """
        for name in names[:-1]:
            check_name(name)  # it may be there, with a name that nothing new gets
        if names:
            check_name(names[-1])  # `..` is refused for what it is, not for its dot
        if not names or not self.is_shown(names):
            raise NameRefused("names that begin with a dot are not taken here")
        check_name(names[-1], is_new=True)

    def contents(self, names: Names) -> Contents:
        """What a folder shows. Takes as long as the disk does: call it from a thread.

        Raises:
            FileError: see `lanline.beneath.Folder.entries`; FileMissing also for what is hidden.
        """
        if self.source is not None and not names:
            return Contents([Item(self.source.name, False, None, self.source.modified_ns)], 0)
        if self._folder is None or not self.is_shown(names):
            raise FileMissing("there is nothing by this name")
        if self.only is not None and not names:
            return Contents(self._only_item(), 0)
        found = self._folder.entries(names)
        items = [_item(entry) for entry in found if self.is_shown((*names, entry.name))]
        # By name they are already, and sorting is stable. Keys that are tuples would hold up the loop far longer.
        items.sort(key=lambda item: item.name.casefold())
        items = [item for item in items if item.is_folder] + [item for item in items if not item.is_folder]
        return Contents(items, found.left_out)

    def _only_item(self) -> list[Item]:
        """The one file: its folder, which may hold a million others, is not listed for it."""
        assert self.only is not None and self._folder is not None
        try:
            with self._folder.open((self.only,)) as opened:
                status = opened.status
                return [] if opened.is_folder else [Item(self.only, False, status.st_size, status.st_mtime_ns)]
        except FolderGone:
            raise
        except FileError:
            return []  # gone meanwhile, or not to be read any more


def _item(entry: Entry) -> Item:
    return Item(entry.name, entry.is_folder, None if entry.is_folder else entry.size, entry.modified_ns)
