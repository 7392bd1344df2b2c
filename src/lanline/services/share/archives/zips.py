"""A zip as blocks of bytes, made while files are read.

Files are stored, not compressed: a local network carries more than one core compresses, and most of what is large is
compressed already. All that grows is the table of contents, about 60 bytes and the path for each entry, which has to
wait until the end. Decision 95 says why this is not the library's zipfile.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Generator
from zlib import crc32

from lanline.services.share.archives.contents import Contents
from lanline.services.share.archives.gathered import BLOCK_BYTES, Gathered
from lanline.services.share.archives.members import Member, pieces_of, small_body
from lanline.services.share.archives.zipformat import Entry, after, before, end, entry_of, listed


def zip_blocks(contents: Contents) -> Generator[bytes, None, None]:
    """The archive of these contents, in blocks of about 96 KiB.

    Closing the generator early closes what is open.

    Raises:
        FileChanged: a file became shorter while it was packed. FolderGone: the shared folder was moved or replaced.
        OSError: a file could not be read to its end. After any of them the archive is not whole, and shows it: its
            table of contents is missing.
    """
    sink, table = Gathered(), _Table()
    for member in contents:
        status = member.opened.status
        data = b"" if member.opened.is_folder else small_body(member, contents.notes)
        if data is None:
            yield from _large(sink, table, member, contents)
        else:
            entry = entry_of(member.path, status.st_mode, status.st_mtime, is_followed=False)
            _add(sink, table, entry, data)
        if sink.is_full:
            yield sink.take()
    if contents.notes:
        path, text = contents.note()
        entry = entry_of(path, stat.S_IFREG | 0o644, time.time_ns() / 1e9, is_followed=False)
        _add(sink, table, entry, text)
    offset = sink.total_bytes
    yield sink.take()
    yield from map(bytes, table.blocks)
    yield end(table.count, table.size, offset)


class _Table:
    """The table of contents, in blocks."""

    def __init__(self) -> None:
        self.blocks: list[bytearray] = [bytearray()]
        self.count = 0
        self.size = 0

    def add(self, line: bytes) -> None:
        if len(self.blocks[-1]) >= BLOCK_BYTES:
            self.blocks.append(bytearray())
        self.blocks[-1] += line
        self.count += 1
        self.size += len(line)


def _add(sink: Gathered, table: _Table, entry: Entry, data: bytes) -> None:
    """An entry that is at hand."""
    checksum, size = crc32(data), len(data)
    table.add(listed(entry, size, checksum, sink.total_bytes))
    sink.write(before(entry, size, checksum))
    if data:
        sink.write(data)


def _large(sink: Gathered, table: _Table, member: Member, contents: Contents) -> Generator[bytes, None, None]:
    """A file that is read while it is sent."""
    status = member.opened.status
    size, checksum, offset = status.st_size, 0, sink.total_bytes
    entry = entry_of(member.path, status.st_mode, status.st_mtime, is_followed=True)
    sink.write(before(entry, size, 0))
    yield sink.take()  # alone, so that the pieces need not be copied
    for piece in pieces_of(member, contents.notes):
        checksum = crc32(piece, checksum)
        yield piece
    sink.skip(size)
    sink.write(after(size, checksum))
    table.add(listed(entry, size, checksum, offset))
