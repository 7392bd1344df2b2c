"""One file or folder on its way into an archive, and the bytes of it.

Rules: a file counts as long as it was when it was opened: what is appended meanwhile stays out. One that became
shorter cannot be mended, since its size has been told already: reading it raises, and the connection is cut, so that
nobody takes half a file for a whole one. A file that fits into one block is read before its size is told, and cannot
fall short. A file whose size or time of change moved while it was read is written into the notes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from lanline.errors import FileChanged
from lanline.http.files import OpenFile
from lanline.services.share.archives.gathered import BLOCK_BYTES
from lanline.services.share.archives.notes import Notes


class Readable(OpenFile, Protocol):
    """An open file or folder: `lanline.beneath.Opened` is one."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, and not a regular file."""


class Member(NamedTuple):
    """One file or folder. It is open for as long as it is its turn, and closed by whoever opened it."""

    path: str
    """Its path in the archive: names with `/` between them, none of them empty, `.` or `..`."""

    opened: Readable


def small_body(member: Member, notes: Notes) -> bytes | None:
    """What a file holds, where that fits into one block; None where it is larger.

    Args:
        member: a file, no folder.
        notes: told where the file changed while it was read.

    Raises:
        OSError: it cannot be read.
    """
    fd, size = member.opened.fd, member.opened.status.st_size
    if size > BLOCK_BYTES:
        return None
    if size == 0:
        return b""
    data = os.read(fd, size)
    while len(data) < size and (more := os.read(fd, size - len(data))):
        data += more  # network and FUSE file systems may answer in parts
    _compare(member, notes)
    return data


def pieces_of(member: Member, notes: Notes) -> Iterator[bytes]:
    """What a file holds, as much as it held when it was opened, in pieces of at most a block.

    Args:
        member: a file, no folder.
        notes: told where the file changed while it was read.

    Raises:
        FileChanged: it became shorter. OSError: it cannot be read.
    """
    left = size = member.opened.status.st_size
    while left:
        piece = os.read(member.opened.fd, min(left, BLOCK_BYTES))
        if not piece:
            raise FileChanged(
                f"the file {member.path} became shorter while it was packed: {left} of {size} bytes are missing"
            )
        left -= len(piece)
        yield piece
    _compare(member, notes)


def _compare(member: Member, notes: Notes) -> None:
    """Notes a file that is not what it was when it was opened."""
    before, now = member.opened.status, os.fstat(member.opened.fd)
    if (before.st_mtime_ns, before.st_size) != (now.st_mtime_ns, now.st_size):
        notes.add(member.path, "changed while it was packed; what is in here may be partly old and partly new")
