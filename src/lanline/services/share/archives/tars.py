"""A tar as blocks of bytes, made while it is read. The library's `TarInfo` writes the headers; this file says what.

The format is POSIX's pax: what ustar cannot hold (names over 256 bytes or beyond ASCII, sizes over 8 GiB) goes into a
header of its own before the entry. Nothing is held but the block at hand. Owners are not told: numbers and names of
users of this machine are nobody's business.

Sources: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header".
"""

from __future__ import annotations

import stat
import time
from collections.abc import Generator
from tarfile import BLOCKSIZE, DIRTYPE, PAX_FORMAT, RECORDSIZE, TarInfo

from lanline.services.share.archives.contents import Contents
from lanline.services.share.archives.gathered import Gathered
from lanline.services.share.archives.members import pieces_of, small_body


def tar_blocks(contents: Contents) -> Generator[bytes, None, None]:
    """The archive of these contents, in blocks of about 96 KiB.

    Closing the generator early closes what is open.

    Raises:
        FileChanged: a file became shorter while it was packed. FolderGone: the shared folder was moved or replaced.
        OSError: a file could not be read to its end. After any of them the archive is not whole: its end is missing.
    """
    sink = Gathered()
    for member in contents:
        status = member.opened.status
        data = b"" if member.opened.is_folder else small_body(member, contents.notes)
        size = status.st_size if data is None else len(data)
        sink.write(_header(member.path, size, status.st_mode, status.st_mtime))
        if data is None:
            yield sink.take()  # alone, so that the pieces need not be copied
            yield from pieces_of(member, contents.notes)
            sink.skip(size)
        elif data:
            sink.write(data)
        sink.write(bytes(-size % BLOCKSIZE))
        if sink.is_full:
            yield sink.take()
    if contents.notes:
        path, text = contents.note()
        sink.write(_header(path, len(text), stat.S_IFREG | 0o644, time.time_ns() / 1e9))
        sink.write(text + bytes(-len(text) % BLOCKSIZE))
    # Two blocks of zeros end it; programs write whole records, and some want to read them.
    sink.write(bytes(2 * BLOCKSIZE))
    sink.write(bytes(-sink.total_bytes % RECORDSIZE))
    yield sink.take()


def _header(path: str, size: int, mode: int, modified: float) -> bytes:
    """The header of one entry, pax records before it where it needs them.

    Args:
        path: as in the archive, without a `/` at its end.
        size: of what follows, in bytes; 0 for a folder.
        mode: as fstat gives it. What makes programs run as somebody else is not carried.
        modified: seconds since 1970; whole ones are told, since a fraction costs 1 KiB more for each entry.
    """
    info = TarInfo(path)
    info.size = size
    info.mode = stat.S_IMODE(mode) & 0o777
    info.mtime = int(modified // 1)
    if stat.S_ISDIR(mode):
        info.type = DIRTYPE
    return info.tobuf(PAX_FORMAT)
