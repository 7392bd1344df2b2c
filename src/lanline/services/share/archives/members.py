"""One file or folder on its way into an archive, and the bytes of it.

Rules: a file counts as long as it was when it was opened: what is appended meanwhile stays out. One that became
shorter cannot be mended, since its size has been told already: reading it raises, and the connection is cut, so that
nobody takes half a file for a whole one. A file that fits into one block is read before its size is told, and cannot
fall short. A file whose size or time of change moved while it was read is written into the notes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from lanline.errors import FileChanged
from lanline.services.share.archives.gathered import BLOCK_BYTES
from lanline.services.share.archives.notes import Notes
from lanline.translation import _


class Readable(Protocol):
    """An open file or folder: `lanline.beneath.Opened` is one."""

    @property
    def fd(self) -> int:
        """Its descriptor, open for reading."""

    @property
    def status(self) -> os.stat_result:
        """What fstat said when it was opened."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, and not a regular file."""


class Member(NamedTuple):
    """One file or folder. It is open for as long as it is its turn, and closed by whoever opened it."""

    path: str
    """Its path in the archive: names with `/` between them, none of them empty, `.` or `..`."""

    opened: Readable


class Body(NamedTuple):
    """What a file holds."""

    size: int
    """Its bytes, all of them together."""

    pieces: Iterable[bytes]
    """Each at most one block."""


def body_of(member: Member, notes: Notes) -> Body:
    """The bytes of a file, read from its beginning. Large files are read while the pieces are taken.

    Args:
        member: a file, no folder.
        notes: told where the file changed while it was read.

    Raises:
        FileChanged: while pieces are taken: it became shorter.
        OSError: it cannot be read.
    """
    size = member.opened.status.st_size
    if size > BLOCK_BYTES:
        return Body(size, _pieces(member, size, notes))
    data = os.read(member.opened.fd, size) if size else b""
    if len(data) < size:
        data += _rest(member.opened.fd, size - len(data))
    _compare(member, notes)
    return Body(len(data), (data,))


def _rest(fd: int, size: int) -> bytes:
    """What follows a short read: network and FUSE file systems may answer in parts. Less at the end of the file."""
    parts: list[bytes] = []
    while size and (part := os.read(fd, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _pieces(member: Member, size: int, notes: Notes) -> Iterator[bytes]:
    left = size
    while left:
        piece = os.read(member.opened.fd, min(left, BLOCK_BYTES))
        if not piece:
            text = _("{path} became shorter while it was packed: {left} of {size} bytes are missing")
            raise FileChanged(text.format(path=member.path, left=left, size=size))
        left -= len(piece)
        yield piece
    _compare(member, notes)


def _compare(member: Member, notes: Notes) -> None:
    """Notes a file that is not what it was when it was opened."""
    before, now = member.opened.status, os.fstat(member.opened.fd)
    if (before.st_mtime_ns, before.st_size) != (now.st_mtime_ns, now.st_size):
        notes.add(member.path, "changed while it was packed; what is in here may be partly old and partly new")
