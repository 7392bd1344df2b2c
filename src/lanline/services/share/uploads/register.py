"""The unfinished uploads of one share: found by their address, bounded in number, and removed when nobody comes back.

What is not known here is looked for on the disk, where another process may have left it. When the server starts all of
the share is walked once, in a thread, for unfinished files; those to which nothing was written for a day are removed,
also those of PUTs and forms, which a killed server leaves behind. After that only folders in which something was found
or begun are looked at, every hour.

So that nobody keeps others out by beginning and not sending: each address may begin only so many, where there are too
many of all the oldest of which nothing has come makes way, and what an upload announces reserves no room on the disk.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NoReturn

from lanline.beneath.names import DRAFT_PREFIX, check_name, is_draft
from lanline.errors import FileError, NameRefused
from lanline.http.refusal import Refusal
from lanline.services.share.uploads.appending import MAX_AGE
from lanline.services.share.uploads.pace import whole
from lanline.services.share.uploads.unfinished import JournalVoid, Unfinished, load_upload, remove_draft

if TYPE_CHECKING:
    from lanline.beneath import Folder, Names

MAX_UPLOADS: Final = 1_000
"""Unfinished at once."""

MAX_PER_VISITOR: Final = 100
"""Unfinished at once of those that one address has begun. Behind one NAT that is still enough for a household."""

_SWEEP_EVERY: Final = 3600.0
_RETRY_AFTER: Final = 600

Key = tuple["Names", str]
"""Where an upload is: the folder of its file, and its token."""


def _now() -> float:
    return datetime.now(UTC).timestamp()


class Register:
    """The unfinished uploads of one share.

    Args:
        folder: the held folder.
        now: tells the time, in seconds since 1970.
    """

    def __init__(self, folder: Folder, *, now: Callable[[], float] = _now) -> None:
        self._folder = folder
        self._now = now
        self._uploads: dict[Key, Unfinished] = {}
        self._places: set[Names] = set()
        self._busy: set[Key] = set()
        self._is_stopped = False

    @property
    def count(self) -> int:
        """How many unfinished uploads are known."""
        return len(self._uploads)

    def in_the_way(self, visitor: str) -> Unfinished | None:
        """The upload that is to be removed before a visitor may begin another; None where he may begin it now.

        Args:
            visitor: the address of the peer, without its port.

        Raises:
            Refusal: 429, too many are unfinished of his own; or of all, and something has come of every one.
        """
        uploads = list(self._uploads.values())
        if sum(upload.visitor == visitor for upload in uploads) >= MAX_PER_VISITOR:
            raise _too_many(f"{MAX_PER_VISITOR} uploads from your address are unfinished here")
        if len(uploads) < MAX_UPLOADS:
            return None
        empty = [each for each in uploads if not each.offset and (each.place, each.token) not in self._busy]
        if not empty:
            raise _too_many(f"{MAX_UPLOADS} uploads are unfinished here")
        return min(empty, key=lambda upload: upload.touched)

    def add(self, upload: Unfinished, visitor: str) -> None:
        """Takes in a new one that this visitor begins."""
        upload.visitor = visitor
        self._uploads[upload.place, upload.token] = upload
        self._places.add(upload.place)

    def find(self, place: Names, token: str) -> Unfinished | None:
        """The upload of this address, known or on the disk. May block for a disk. Raises FileError, JournalVoid."""
        upload = self._uploads.get((place, token))
        if upload is None:
            upload = load_upload(self._folder, place, token)
            if upload is not None and self._is_over(upload.touched):
                upload.remove()
                return None
            if upload is not None:
                upload = self._uploads.setdefault((place, token), upload)
                self._places.add(place)
        return upload

    def age_left(self, upload: Unfinished) -> int:
        """Seconds until an upload is removed if nothing comes."""
        return max(int(upload.touched + MAX_AGE - self._now()), 0)

    @contextmanager
    def held(self, upload: Unfinished, visitor: str) -> Iterator[None]:
        """For the length of a request about it: it neither gets too old now nor makes way for another.

        Args:
            upload: of which no other request is under way.
            visitor: who asks. An upload of an earlier process counts as his from now on.
        """
        key = upload.place, upload.token
        upload.visitor = upload.visitor or visitor
        self._busy.add(key)
        try:
            yield
        finally:
            self._busy.discard(key)

    def forget(self, upload: Unfinished) -> None:
        """It is finished, or gone."""
        self._uploads.pop((upload.place, upload.token), None)

    async def keep_clean(self) -> NoReturn:
        """Looks for what is left from earlier, then removes what got too old, every hour, until cancelled."""
        self._is_stopped = False
        await self._done(self.recover)
        while True:
            await asyncio.sleep(_SWEEP_EVERY)
            await self._done(self.sweep)

    async def _done(self, work: Callable[[], None]) -> None:
        """Does this in a thread. Cancelled, it waits for the folder at hand, not for the whole of a large share."""
        working = asyncio.get_running_loop().run_in_executor(None, work)
        try:
            await asyncio.shield(working)
        except asyncio.CancelledError:
            self._is_stopped = True
            await whole(working)
            raise

    def recover(self) -> None:
        """Walks through all of the share; removes what is too old, and takes in uploads that can go on. Blocks."""
        waiting: list[Names] = [()]
        while waiting and not self._is_stopped:
            place = waiting.pop()
            waiting += [(*place, name) for name in self._look(place)]

    def sweep(self) -> None:
        """Removes what got too old where something was found or begun. Blocks."""
        for place in list(self._places):
            if self._is_stopped:
                return
            self._places.discard(place)
            for _name in self._look(place):
                pass

    def _look(self, place: Names) -> Iterator[str]:
        """Looks after the unfinished files of one folder. Yields the names of the folders in it."""
        try:
            found, folders = _unfinished_in(self._folder, place)
        except FileError:
            return  # gone, or not ours to read: what is in it stays
        yield from folders
        for name, modified in found:
            with suppress(FileError, JournalVoid):  # the next look tries again, until it is too old
                self._look_at(place, name, modified)

    def _look_at(self, place: Names, name: str, modified: float) -> None:
        token = name.removeprefix(DRAFT_PREFIX)
        self._places.add(place)
        busy = {part for key in list(self._busy) if (upload := self._uploads.get(key)) for part in _files_of(upload)}
        if (place, name) in busy:
            return
        if not self._is_over(modified):
            self.find(place, token)
            return
        upload = self._uploads.pop((place, token), None)
        if upload is not None:
            upload.remove()
        remove_draft(self._folder, place, name)

    def _is_over(self, touched: float) -> bool:
        return self._now() - touched > MAX_AGE


def _too_many(what: str) -> Refusal:
    return Refusal(
        429, f"{what}, and no more are begun: finish or cancel some.", headers={"Retry-After": str(_RETRY_AFTER)}
    )


def _files_of(upload: Unfinished) -> tuple[tuple[Names, str], ...]:
    return (upload.place, DRAFT_PREFIX + upload.token), (upload.place, upload.plan.part)


def _unfinished_in(folder: Folder, place: Names) -> tuple[list[tuple[str, float]], list[str]]:
    """The unfinished files of a folder, each with when it was last written to; and the folders in it, links left out.

    Raises:
        FileError: it cannot be listed.
    """
    found, folders = [], []
    with folder.open(place) as opened:
        try:
            with os.scandir(opened.listed) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                    elif is_draft(entry.name):
                        status = entry.stat(follow_symlinks=False)
                        if stat.S_ISREG(status.st_mode):
                            found.append((entry.name, status.st_mtime))
        except OSError as error:
            raise FileError(f"a folder cannot be listed: {error.strerror}") from error
    return found, [name for name in folders if _is_named(name)]


def _is_named(name: str) -> bool:
    try:
        check_name(name)
    except NameRefused:
        return False
    return True
