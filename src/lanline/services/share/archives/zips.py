"""A zip as blocks of bytes, made while it is read. The library's `zipfile` writes it; this file says what.

Files are stored, not compressed: a local network carries more than one core compresses, and most of what is large is
compressed already. Sizes beyond 4 GiB, beyond 65,535 entries and beyond 4 GiB in all are zip64, which `zipfile`
chooses from the sizes it is told. Each entry is followed by its checksum (a data descriptor): it is known only when
the file has been read. The table of contents at the end is held until then, 0.4 KiB for each entry, and is all that
grows.

Sources: APPNOTE.TXT 6.3.10 sections 4.3.9 (data descriptor), 4.4.4 (bit 11: UTF-8), 4.5.3 (zip64); Info-ZIP's
extrafld.txt (0x5455, "UT").
"""

from __future__ import annotations

import stat
import struct
import time
from collections.abc import Generator
from typing import IO, Final, cast
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from lanline.services.share.archives.contents import Contents
from lanline.services.share.archives.gathered import Gathered
from lanline.services.share.archives.members import Member, body_of

_UNIX: Final = 3
"""Made by: says that the upper half of the attributes is a Unix mode."""

_IS_FOLDER: Final = 0x10
"""In the lower half: the attribute of MS-DOS."""

_UNIX_TIME: Final = struct.Struct("<HHBi")
"""Tag 0x5455, 5 bytes follow, bit 0 (time of change) and that time: seconds since 1970, signed."""

_FIRST_SECOND: Final = 315_619_200
"""2 January 1980, UTC: a zip's own dates begin on the first, in local time."""

_LAST_SECOND: Final = 4_354_732_800
"""30 December 2107, UTC: they end on the 31st."""


def zip_blocks(contents: Contents) -> Generator[bytes, None, None]:
    """The archive of these contents, in blocks of about 256 KiB.

    Closing the generator early closes what is open.

    Raises:
        FileChanged: a file became shorter while it was packed. FolderGone: the shared folder was moved or replaced.
        OSError: a file could not be read to its end. After any of them the archive is not whole, and shows it: its
            table of contents is missing.
    """
    sink = Gathered()
    with ZipFile(cast("IO[bytes]", sink), "w", ZIP_STORED) as archive:
        try:
            for member in contents:
                if member.opened.is_folder:
                    status = member.opened.status
                    archive.mkdir(_info(member.path + "/", status.st_mode, status.st_mtime))
                else:
                    yield from _file_blocks(archive, sink, member, contents)
                if sink.is_full():
                    yield sink.take()
            if contents.notes:
                path, text = contents.note()
                archive.writestr(_info(path, stat.S_IFREG | 0o644, time.time_ns() / 1e9), text)
        except BaseException:
            archive.filelist.clear()  # nobody takes the table of contents any more: do not spend seconds on a large one
            raise
    yield sink.take()


def _file_blocks(archive: ZipFile, sink: Gathered, member: Member, contents: Contents) -> Generator[bytes, None, None]:
    body = body_of(member, contents.notes)
    status = member.opened.status
    info = _info(member.path, status.st_mode, status.st_mtime)
    info.file_size = body.size  # from which zipfile chooses zip64
    with archive.open(info, "w") as entry:
        for piece in body.pieces:
            entry.write(piece)
            if sink.is_full():
                yield sink.take()


def _info(path: str, mode: int, modified: float) -> ZipInfo:
    """The header of one entry.

    Args:
        path: with a `/` at its end for a folder.
        mode: as fstat gives it. What makes programs run as somebody else is not carried.
        modified: seconds since 1970. Beyond what zip can say (1980 to 2107), the nearest it can.
    """
    shown = min(max(modified, _FIRST_SECOND), _LAST_SECOND)
    date = time.localtime(shown)
    info = ZipInfo(path, (date.tm_year, date.tm_mon, date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec))
    info.create_system = _UNIX
    info.CRC = 0
    info.external_attr = (mode & ~0o7000) << 16 | (_IS_FOLDER if stat.S_ISDIR(mode) else 0)
    if -(2**31) <= modified < 2**31:
        info.extra = _UNIX_TIME.pack(0x5455, 5, 1, int(modified // 1))
    return info
