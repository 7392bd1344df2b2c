"""One unfinished upload on the disk: its part file and its journal, beside the place that the file will have.

Both are drafts of the held folder, so nobody can ask for them by name, and each part file is on the disk of its
folder. They are opened for one request and closed after it: an upload that waits holds no descriptor. What blocks
stands here, called from a thread or as the pace of the disk allows; who may append, and when, is decided elsewhere.

An upload that this process has not made itself is checked against its journal before a byte is added to it or told of:
every byte is read once, at the speed of the disk or of SHA-256, whichever is slower.
"""

from __future__ import annotations

import os
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from lanline.beneath.names import DRAFT_PREFIX
from lanline.errors import FileError, FileMissing, LeadsOutside, NameRefused, NotAFile, ParentMissing
from lanline.services.share.uploads.digests import Hasher
from lanline.services.share.uploads.journal import FIRST_BYTES, Journal, Mark, Plan, line_of, read_journal

if TYPE_CHECKING:
    from lanline.beneath import Draft, Folder, Names

_MAX_JOURNAL_BYTES: Final = 256 << 20
"""No journal is that long: a line of 120 bytes for each 8 MiB."""

_READ_BYTES: Final = 1 << 20


class JournalVoid(ValueError):
    """What there is of an upload cannot be gone on with: its journal is not as it was written. Never leaves the
    folder of the share."""


class Unfinished:
    """One upload that is not finished.

    Args:
        folder: the held folder.
        place: the folder beneath it in which the file will be.
        token: what the upload is called in its address: the random part of the journal's name.
        journal: as it is on the disk.
        touched: when it was last written to, in seconds since 1970.
        is_checked: whether the part file is known to hold what the journal says.
    """

    def __init__(
        self, folder: Folder, place: Names, token: str, journal: Journal, touched: float, *, is_checked: bool
    ) -> None:
        self._folder = folder
        self._journal = journal
        self.place = place
        self.token = token
        self.is_checked = is_checked
        self.touched = touched
        """When something last came, in seconds since 1970, by the clock of the disk."""
        self.visitor = ""
        """The address of who began it, without a port; empty while this process does not know."""
        self.whole: Hasher | None = Hasher(self.plan.algorithm) if self.plan.algorithm is not None else None
        """Has taken all bytes up to the offset, where a digest of the whole is wanted; after a restart once checked."""

    @property
    def plan(self) -> Plan:
        """What shall become of it."""
        return self._journal.plan

    @property
    def offset(self) -> int:
        """How many bytes of it are here and vouched for."""
        return self._journal.offset

    @property
    def length(self) -> int | None:
        """How long it will be; None while nobody has said."""
        return self._journal.length

    def open(self) -> Opening:
        """Opens both files. Raises FileError; FileMissing where one is gone."""
        return Opening(self, self._folder)

    def extended(self, what: Mark | int, line: bytes, check: str, touched: float) -> None:
        """Takes over what a line that was just written to the journal says."""
        journal = replace(self._journal, size=self._journal.size + len(line), check=check)
        self.touched = touched
        if isinstance(what, Mark):
            self._journal = replace(journal, marks=[what])  # those before it have been checked, or made here
        else:
            self._journal = replace(journal, length=what)

    def line_for(self, what: Mark | int) -> tuple[bytes, int, str]:
        """The next line of the journal, where it goes, and its check."""
        line, check = line_of(what, self._journal.check)
        return line, self._journal.size, check

    def check(self) -> bool:
        """Reads all of the part file once and compares it with the journal. Returns whether it holds what it should.

        Raises:
            FileError: it cannot be read.
        """
        with self.open() as opening:
            if opening.part.size_bytes < self.offset:
                return False
            whole = Hasher(self.plan.algorithm) if self.plan.algorithm is not None else None
            if not _holds(opening.part.fd, self._journal.marks, whole):
                return False
        self.whole = whole
        self.is_checked = True
        return True

    def remove(self) -> None:
        """Removes both files. Does nothing where they are gone. Raises FileError."""
        for name in (self.plan.part, DRAFT_PREFIX + self.token):
            remove_draft(self._folder, self.place, name)

    def __repr__(self) -> str:
        return f"<Unfinished {self.plan.name!r} {self.offset} of {self.length} bytes>"


class Opening:
    """An upload whose files are open; a context manager that closes them.

    Attributes:
        part: the part file.
    """

    def __init__(self, upload: Unfinished, folder: Folder) -> None:
        self._upload = upload
        self._journal = folder.reopen_draft(upload.place, DRAFT_PREFIX + upload.token)
        try:
            self.part = folder.reopen_draft(upload.place, upload.plan.part)
        except BaseException:
            self._journal.close()
            raise

    def note(self, what: Mark | int) -> None:
        """Writes a mark or the length into the journal; a mark says that its bytes are in the part file.

        Raises:
            DiskFull, FileError: it could not be written; then it does not count.
        """
        line, position, check = self._upload.line_for(what)
        self._journal.write(line, position)
        self._upload.extended(what, line, check, os.fstat(self._journal.fd).st_mtime)

    def cut(self) -> None:
        """Cuts off what is in the files beyond what the journal vouches for. Raises FileError."""
        if self.part.size_bytes != self._upload.offset:
            self.part.cut(self._upload.offset)
        _line, position, _check = self._upload.line_for(0)
        if self._journal.size_bytes != position:
            self._journal.cut(position)

    def drop_journal(self) -> None:
        """Removes the journal: the part file has its name. Raises FileError."""
        self._journal.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.part.close()
        self._journal.close()


def make_upload(folder: Folder, place: Names, plan: Plan, length: int | None) -> Unfinished:
    """A new upload.

    Args:
        folder: the held folder.
        place: the folder beneath it in which the file will be.
        plan: what shall become of it; its `part` is filled in here.
        length: how long it will be, in bytes; None where nobody has said.

    Raises:
        ParentMissing, LeadsOutside, NoAccess, DiskFull, FileError: as `Folder.draft`.
    """
    part = folder.draft(place)
    try:
        with folder.draft(place) as journal:
            plan = replace(plan, part=part.name)
            data, check = line_of(plan, "")
            if length is not None:
                line, check = line_of(length, check)
                data += line
            journal.write(data, 0)
            token = journal.name.removeprefix(DRAFT_PREFIX)
            touched = os.fstat(journal.fd).st_mtime
            journal.close()
    except BaseException:
        part.discard()
        raise
    part.close()
    return Unfinished(folder, place, token, Journal(plan, [], length, len(data), check), touched, is_checked=True)


def load_upload(folder: Folder, place: Names, token: str) -> Unfinished | None:
    """The upload of this token, as it is on the disk; None where there is none.

    Raises:
        JournalVoid: its journal is damaged, or no journal.
        FileError: it is there and cannot be read.
    """
    try:
        journal_file = folder.reopen_draft(place, DRAFT_PREFIX + token)
    except (FileMissing, LeadsOutside, NameRefused, NotAFile, ParentMissing):
        return None
    try:
        status = os.fstat(journal_file.fd)
        is_one = os.pread(journal_file.fd, len(FIRST_BYTES), 0) == FIRST_BYTES and status.st_size <= _MAX_JOURNAL_BYTES
        journal = read_journal(_all_of(journal_file)) if is_one else None
    finally:
        journal_file.close()
    if journal is None:
        raise JournalVoid
    return Unfinished(folder, place, token, journal, status.st_mtime, is_checked=False)


def remove_draft(folder: Folder, place: Names, name: str) -> None:
    """Removes a draft that was closed. Does nothing where it is gone. Raises FileError."""
    try:
        folder.reopen_draft(place, name).discard()
    except FileMissing:
        pass


def _all_of(draft: Draft) -> bytes:
    data = bytearray()
    while more := os.pread(draft.fd, _READ_BYTES, len(data)):
        data += more
    return bytes(data)


def _holds(fd: int, marks: list[Mark], whole: Hasher | None) -> bool:
    """Whether a file holds what the marks say. Tells `whole` of every byte."""
    start, hasher, position = 0, Hasher(), 0
    for mark in marks:
        if mark.start != start:
            start, hasher = mark.start, Hasher()
        while position < mark.end:
            try:
                data = os.pread(fd, min(_READ_BYTES, mark.end - position), position)
            except OSError as error:
                raise FileError(f"an unfinished upload cannot be read: {error.strerror}") from error
            if not data:
                return False
            position += len(data)
            hasher.update(data)
            if whole is not None:
                whole.update(data)
        if hasher.value().hex() != mark.sha256:
            return False
    return True
