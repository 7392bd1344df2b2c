"""The records of a zip, as bytes: stored entries, zip64 wherever a number does not fit, UTF-8 names, times in seconds.

Pure: values in, bytes out; no file is read here and nothing is written. What is large is zip64 in that record alone, so
that programs which do not know zip64 read every archive that could do without.

An entry whose checksum is known goes out whole. One that is longer than a block is followed by its checksum (a data
descriptor), with sizes of zero before it, as the specification wants it.

Sources: APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.9 (data descriptor), 4.3.12 (central directory),
4.3.14 to 4.3.16 (its end), 4.4.4 (bits 3 and 11), 4.5.3 (zip64); Info-ZIP's extrafld.txt (0x5455, "UT").
"""

from __future__ import annotations

import stat
import struct
import time
from functools import lru_cache
from typing import Final, NamedTuple

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_DESCRIPTOR: Final = struct.Struct("<4sLLL")
_DESCRIPTOR_64: Final = struct.Struct("<4sLQQ")
_END: Final = struct.Struct("<4s4H2LH")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64: Final = struct.Struct("<4sLQL")
_UNIX_TIME: Final = struct.Struct("<HHBi")
_EXTRA: Final = struct.Struct("<HH")

_FULL_16: Final = 0xFFFF
_FULL_32: Final = 0xFFFFFFFF
"""From here on a number is in the zip64 record, and this in its place."""

_PLAIN, _WITH_FOLDERS, _WITH_64 = 10, 20, 45
"""Version of the specification that a program needs to know, times ten."""

_MADE_BY: Final = 3 << 8 | _WITH_64
"""On Unix: the upper half of the attributes is a mode."""

_CHECKSUM_FOLLOWS: Final = 1 << 3
_IS_UTF8: Final = 1 << 11
_DOS_FOLDER: Final = 0x10

_FIRST_SECOND: Final = 315_619_200
"""2 January 1980, UTC. The dates of a zip begin on the first, in local time."""

_LAST_SECOND: Final = 4_354_732_800
"""30 December 2107, UTC. They end on the 31st."""


class Entry(NamedTuple):
    """One file or folder."""

    name: bytes
    """Its path in UTF-8; that of a folder ends in a slash."""

    flags: int
    needs: int
    dos_time: int
    dos_date: int
    extra: bytes
    attributes: int

    @property
    def is_followed(self) -> bool:
        """Whether a data descriptor follows what the file holds."""
        return bool(self.flags & _CHECKSUM_FOLLOWS)


def entry_of(path: str, mode: int, modified: float, *, is_followed: bool) -> Entry:
    """An entry.

    Args:
        path: with `/` between names, and none at its end.
        mode: as fstat gives it. What makes programs run as somebody else is not carried.
        modified: seconds since 1970. As a date in local time it is brought into the years 1980 to 2107; as a number it
            is left out where it does not fit.
        is_followed: whether its checksum will be known only afterwards.
    """
    is_folder = stat.S_ISDIR(mode)
    name = (path + "/" if is_folder else path).encode()
    seconds = int(modified // 1)
    date, clock = _dos(min(max(seconds, _FIRST_SECOND), _LAST_SECOND))
    return Entry(
        name,
        (0 if path.isascii() else _IS_UTF8) | (_CHECKSUM_FOLLOWS if is_followed else 0),
        _WITH_FOLDERS if is_folder or is_followed else _PLAIN,
        clock,
        date,
        _UNIX_TIME.pack(0x5455, 5, 1, seconds) if -(2**31) <= seconds < 2**31 else b"",
        (mode & ~0o7000 & _FULL_16) << 16 | (_DOS_FOLDER if is_folder else 0),
    )


@lru_cache(maxsize=1024)
def _dos(seconds: int) -> tuple[int, int]:
    """Date and time as MS-DOS has them: local, to two seconds. Files of a folder often share theirs."""
    at = time.localtime(seconds)
    return (at.tm_year - 1980) << 9 | at.tm_mon << 5 | at.tm_mday, at.tm_hour << 11 | at.tm_min << 5 | at.tm_sec // 2


def before(entry: Entry, size: int, checksum: int) -> bytes:
    """The local header, which stands before what the file holds.

    Args:
        entry: whose.
        size: in bytes; not told here where the checksum follows, but for whether it is zip64.
        checksum: CRC-32; 0 where it follows.
    """
    extra, needs, told = entry.extra, entry.needs, size
    if size >= _FULL_32:
        sizes = 0 if entry.is_followed else size
        extra = _EXTRA.pack(1, 16) + struct.pack("<QQ", sizes, sizes) + extra
        needs, told = _WITH_64, _FULL_32
    elif entry.is_followed:
        told = 0
    fixed = _LOCAL.pack(
        b"PK\3\4",
        needs,
        entry.flags,
        0,
        entry.dos_time,
        entry.dos_date,
        checksum,
        told,
        told,
        len(entry.name),
        len(extra),
    )
    return fixed + entry.name + extra


def after(size: int, checksum: int) -> bytes:
    """The data descriptor, which follows a file whose checksum was not known before it."""
    kind = _DESCRIPTOR if size < _FULL_32 else _DESCRIPTOR_64
    return kind.pack(b"PK\7\x08", checksum, size, size)


def listed(entry: Entry, size: int, checksum: int, offset: int) -> bytes:
    """The line of the table of contents.

    Args:
        entry: whose.
        size: in bytes.
        checksum: CRC-32 of what it holds.
        offset: of its local header, from the beginning of the archive.
    """
    extra, needs = entry.extra, entry.needs
    large = [size, size] if size >= _FULL_32 else []
    large += [offset] if offset >= _FULL_32 else []
    if large:
        extra = _EXTRA.pack(1, 8 * len(large)) + struct.pack(f"<{len(large)}Q", *large) + extra
        needs = _WITH_64
    told = min(size, _FULL_32)
    fixed = _CENTRAL.pack(
        b"PK\1\2",
        _MADE_BY,
        needs,
        entry.flags,
        0,
        entry.dos_time,
        entry.dos_date,
        checksum,
        told,
        told,
        len(entry.name),
        len(extra),
        0,  # no comment
        0,  # first disk
        0,  # not known to be text
        entry.attributes,
        min(offset, _FULL_32),
    )
    return fixed + entry.name + extra


def end(count: int, size: int, offset: int) -> bytes:
    """The end of the archive, behind the table of contents.

    Args:
        count: lines of the table.
        size: of the table, in bytes.
        offset: of the table, from the beginning of the archive.
    """
    records = b""
    if count >= _FULL_16 or size >= _FULL_32 or offset >= _FULL_32:
        records = _END_64.pack(
            b"PK\6\6", _END_64.size - 12, _MADE_BY, _WITH_64, 0, 0, count, count, size, offset
        ) + _LOCATOR_64.pack(b"PK\6\7", 0, offset + size, 1)
    few = min(count, _FULL_16)
    return records + _END.pack(b"PK\5\6", 0, 0, few, few, min(size, _FULL_32), min(offset, _FULL_32), 0)
