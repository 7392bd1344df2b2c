"""The bytes of a file on its way into an archive, and what happens when it changes on that way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lanline.beneath import Folder
from lanline.errors import FileChanged
from lanline.services.share.archives.gathered import BLOCK_BYTES
from lanline.services.share.archives.members import Member, pieces_of, small_body
from lanline.services.share.archives.notes import Notes


@contextmanager
def member(path: Path) -> Iterator[Member]:
    """A file, open."""
    with Folder(path.parent) as folder, folder.open((path.name,)) as opened:
        yield Member(path.name, opened)


@pytest.mark.parametrize("size", [0, 1, 4096, BLOCK_BYTES])
def test_a_small_file_is_read_at_once(tmp_path: Path, size: int) -> None:
    file, data, notes = tmp_path / "f", os.urandom(size), Notes()
    file.write_bytes(data)
    with member(file) as one:
        assert small_body(one, notes) == data
    assert not notes


def test_a_large_file_comes_in_pieces_and_is_not_read_before(tmp_path: Path) -> None:
    file, data, notes = tmp_path / "f", os.urandom(3 * BLOCK_BYTES + 5), Notes()
    file.write_bytes(data)
    with member(file) as one:
        assert small_body(one, notes) is None
        pieces = list(pieces_of(one, notes))
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= BLOCK_BYTES
    assert not notes


def test_a_large_file_that_becomes_shorter_raises_and_says_how_much_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(bytes(3 * BLOCK_BYTES))
    with member(file) as one:
        pieces = pieces_of(one, Notes())
        next(pieces)
        os.truncate(file, BLOCK_BYTES)
        with pytest.raises(FileChanged, match=f"{2 * BLOCK_BYTES} of {3 * BLOCK_BYTES} bytes are missing"):
            next(pieces)


def test_a_small_file_that_has_become_shorter_is_packed_as_it_is_now_and_noted(tmp_path: Path) -> None:
    file, notes = tmp_path / "f", Notes()
    file.write_bytes(b"0123456789")
    with member(file) as one:
        file.write_bytes(b"0123")
        assert small_body(one, notes) == b"0123"
    assert b"f: changed while it was packed" in notes.text()


@pytest.mark.parametrize("size", [10, 2 * BLOCK_BYTES])
def test_what_is_appended_meanwhile_stays_out_and_is_noted(tmp_path: Path, size: int) -> None:
    file, notes = tmp_path / "f", Notes()
    file.write_bytes(b"x" * size)
    with member(file) as one:
        with file.open("ab") as more:
            more.write(b"y")
        data = small_body(one, notes)
        assert (b"".join(pieces_of(one, notes)) if data is None else data) == b"x" * size
    assert b"f: changed while it was packed" in notes.text()


def test_a_file_that_vanishes_once_it_is_open_is_packed_whole(tmp_path: Path) -> None:
    file, data = tmp_path / "f", os.urandom(2 * BLOCK_BYTES)
    file.write_bytes(data)
    with member(file) as one:
        file.unlink()
        assert b"".join(pieces_of(one, Notes())) == data
