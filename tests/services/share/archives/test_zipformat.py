"""The records of a zip, read back by the library's zipfile; and those too large to be made of real files."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.services.share.archives.zipformat import after, before, end, entry_of, listed

FILE = stat.S_IFREG | 0o640
FOLDER = stat.S_IFDIR | 0o755
FOUR_GIB = 2**32


def archive(*members: tuple[str, int, float, bytes]) -> zipfile.ZipFile:
    """A zip of (path, mode, seconds, data), opened."""
    body, table = b"", b""
    for path, mode, modified, data in members:
        entry = entry_of(path, mode, modified, is_followed=False)
        table += listed(entry, len(data), crc32(data), len(body))
        body += before(entry, len(data), crc32(data)) + data
    return zipfile.ZipFile(io.BytesIO(body + table + end(len(members), len(table), len(body))))


_NAMES = st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(st.lists(st.tuples(_NAMES, st.binary(max_size=50)), unique_by=lambda each: each[0]))
def test_zipfile_reads_what_was_written(files: list[tuple[str, bytes]]) -> None:
    with archive(*((name, FILE, 1.7e9, data) for name, data in files)) as read:
        assert read.testzip() is None
        assert [(info.filename, read.read(info)) for info in read.infolist()] == files


def test_a_folder_ends_in_a_slash_and_says_so_to_both_systems() -> None:
    with archive(("photos", FOLDER, 1.7e9, b"")) as read:
        info = read.infolist()[0]
    assert info.filename == "photos/"
    assert info.is_dir()
    assert info.external_attr >> 16 == FOLDER
    assert info.external_attr & 0x10


def test_the_mode_is_kept_but_for_what_runs_as_somebody_else() -> None:
    with archive(("run", stat.S_IFREG | 0o6755, 1.7e9, b"")) as read:
        assert read.infolist()[0].external_attr >> 16 == stat.S_IFREG | 0o755


@pytest.mark.parametrize(
    ("seconds", "year", "told"),
    [
        (1_700_000_001.9, 2023, 1_700_000_001),
        (0, 1980, 0),
        (-5.5, 1980, -6),
        (2.0**33, 2107, None),
        (2.0**31, 2038, None),
    ],
)
def test_times_are_exact_where_they_fit_and_the_nearest_date_where_they_do_not(
    seconds: float, year: int, told: int | None
) -> None:
    with archive(("f", FILE, seconds, b"")) as read:
        info = read.infolist()[0]
    assert info.date_time[0] == year or (year == 2107 and info.date_time[0] in (2106, 2107))
    assert info.extra == (b"" if told is None else struct.pack("<HHBi", 0x5455, 5, 1, told))


def test_only_names_beyond_ascii_are_marked_as_utf8() -> None:
    with archive(("plain", FILE, 0, b""), ("käse", FILE, 0, b"")) as read:
        assert [bool(info.flag_bits & 0x800) for info in read.infolist()] == [False, True]


@pytest.mark.parametrize("size", [0, FOUR_GIB - 2, FOUR_GIB - 1, FOUR_GIB, 2**40])
@pytest.mark.parametrize("offset", [0, FOUR_GIB - 2, FOUR_GIB - 1, FOUR_GIB, 2**41])
def test_the_table_tells_sizes_and_places_beyond_4_gib(size: int, offset: int) -> None:
    line = listed(entry_of("f", FILE, 1.7e9, is_followed=True), size, 7, offset)
    # The end claims that so many bytes stand before it; zipfile believes the table without looking for them.
    data = _Sparse(offset + size + 100, line + end(1, len(line), offset + size + 100))
    with zipfile.ZipFile(data) as read:
        info = read.infolist()[0]
    assert (info.file_size, info.compress_size, info.header_offset, info.CRC) == (size, size, offset, 7)


@pytest.mark.parametrize("count", [0, 1, 65_534, 65_535, 65_536, 70_000])
def test_any_number_of_entries_is_told(count: int) -> None:
    line = listed(entry_of("f", FILE, 1.7e9, is_followed=False), 0, 0, 0)
    tail = end(count, len(line) * count, 0)
    with zipfile.ZipFile(io.BytesIO(line * count + tail)) as read:
        assert len(read.infolist()) == count
    has_64 = b"PK\6\6" in tail
    assert has_64 == (count >= 65_535)


def test_small_archives_hold_nothing_of_zip64() -> None:
    entry = entry_of("f", FILE, 1.7e9, is_followed=False)
    records = before(entry, 5, 1) + listed(entry, 5, 1, 0) + end(1, 60, 40)
    assert b"PK\6\6" not in records
    assert entry.needs == 10


@pytest.mark.parametrize(("size", "length"), [(5, 16), (FOUR_GIB - 2, 16), (FOUR_GIB - 1, 24), (2**40, 24)])
def test_the_descriptor_is_as_wide_as_its_header_promised(size: int, length: int) -> None:
    entry = entry_of("f", FILE, 1.7e9, is_followed=True)
    assert len(after(size, 1)) == length
    assert (b"\x01\x00\x10\x00" in before(entry, size, 0)) == (length == 24)


class _Sparse(io.RawIOBase):
    """A file of zeros with something at its end."""

    def __init__(self, zeros: int, tail: bytes) -> None:
        self._zeros, self._tail, self._at = zeros, tail, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._zeros + len(self._tail)}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        assert self._at >= self._zeros, "zipfile looks at the table alone"
        start = self._at - self._zeros
        data = self._tail[start:] if size < 0 else self._tail[start : start + size]
        self._at += len(data)
        return data
