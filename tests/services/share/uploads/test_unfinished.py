"""One unfinished upload on the disk: what survives, and what does not pass for whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanline.beneath import DRAFT_PREFIX, Folder
from lanline.errors import FileMissing
from lanline.services.share.uploads.digests import Hasher
from lanline.services.share.uploads.journal import Mark, Plan
from lanline.services.share.uploads.unfinished import JournalVoid, Unfinished, load_upload, make_upload

_PLAN = Plan("", "file.bin", algorithm="sha-256")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    (tmp_path / "into").mkdir()
    with Folder(tmp_path) as folder:
        yield folder


def _append(upload: Unfinished, data: bytes) -> None:
    with upload.open() as opening:
        opening.cut()
        opening.part.write(data, upload.offset)
        opening.note(Mark(upload.offset, upload.offset + len(data), hashlib.sha256(data).hexdigest()))


def _again(folder: Folder, upload: Unfinished) -> Unfinished:
    """The same upload as another process finds it."""
    found = load_upload(folder, upload.place, upload.token)
    assert found is not None
    assert not found.is_checked
    return found


def test_an_upload_is_found_again_as_it_was(folder: Folder, tmp_path: Path) -> None:
    upload = make_upload(folder, ("into",), _PLAN, 11)
    _append(upload, b"hello ")
    _append(upload, b"world")
    found = _again(folder, upload)
    assert (found.offset, found.length, found.plan) == (11, 11, upload.plan)
    assert found.check()
    assert found.is_checked
    assert found.whole is not None
    assert found.whole.value() == hashlib.sha256(b"hello world").digest()
    assert (tmp_path / "into" / upload.plan.part).read_bytes() == b"hello world"


def test_what_was_written_and_not_noted_is_cut_off(folder: Folder) -> None:
    upload = make_upload(folder, (), _PLAN, None)
    _append(upload, b"noted")
    with upload.open() as opening:
        opening.part.write(b"not noted", 5)
    found = _again(folder, upload)
    assert (found.offset, found.check()) == (5, True)
    _append(found, b", on")
    assert _again(folder, upload).offset == 9
    assert _again(folder, upload).check()


@pytest.mark.parametrize("position", [0, 4, 9])
def test_a_changed_byte_is_found(folder: Folder, tmp_path: Path, position: int) -> None:
    upload = make_upload(folder, (), _PLAN, None)
    _append(upload, b"01234")
    _append(upload, b"56789")
    part = tmp_path / upload.plan.part
    data = bytearray(part.read_bytes())
    data[position] ^= 1
    part.write_bytes(data)
    assert not _again(folder, upload).check()


def test_a_part_that_lost_its_end_is_found(folder: Folder, tmp_path: Path) -> None:
    upload = make_upload(folder, (), _PLAN, None)
    _append(upload, b"0123456789")
    with open(tmp_path / upload.plan.part, "r+b") as part:
        part.truncate(9)
    assert not _again(folder, upload).check()


def test_a_line_that_was_being_written_is_left_out_and_cut_off(folder: Folder, tmp_path: Path) -> None:
    upload = make_upload(folder, (), _PLAN, None)
    _append(upload, b"hello")
    journal = tmp_path / (DRAFT_PREFIX + upload.token)
    journal.write_bytes(journal.read_bytes() + b'{"start":5,"end"')
    found = _again(folder, upload)
    assert found.check()
    _append(found, b"!")
    assert _again(folder, upload).offset == 6


def test_where_nothing_is_there_is_no_upload_and_what_is_no_journal_is_void(folder: Folder, tmp_path: Path) -> None:
    upload = make_upload(folder, (), _PLAN, None)
    with pytest.raises(JournalVoid):
        load_upload(folder, (), upload.plan.part.removeprefix(DRAFT_PREFIX))
    assert load_upload(folder, ("into",), upload.token) is None
    assert load_upload(folder, (), "") is None
    assert load_upload(folder, (), "../x") is None
    journal = tmp_path / (DRAFT_PREFIX + upload.token)
    journal.write_bytes(journal.read_bytes().replace(b"file.bin", b"evil.bin"))
    with pytest.raises(JournalVoid):
        load_upload(folder, (), upload.token)


def test_a_part_file_is_not_read_to_see_that_it_is_no_journal(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    with folder.draft(()) as part:
        part.cut(64 << 20)
        read: list[int] = []
        pread = os.pread

        def watched(fd: int, size: int, offset: int) -> bytes:
            data = pread(fd, size, offset)
            read.append(len(data))
            return data

        monkeypatch.setattr(os, "pread", watched)
        with pytest.raises(JournalVoid):
            load_upload(folder, (), part.name.removeprefix(DRAFT_PREFIX))
        assert sum(read) < 100


def test_removing_leaves_nothing_and_may_be_done_twice(folder: Folder, tmp_path: Path) -> None:
    upload = make_upload(folder, ("into",), _PLAN, None)
    upload.remove()
    upload.remove()
    assert list((tmp_path / "into").iterdir()) == []
    with pytest.raises(FileMissing):
        upload.open()


def test_the_whole_is_hashed_only_where_somebody_wants_it(folder: Folder) -> None:
    assert isinstance(make_upload(folder, (), _PLAN, None).whole, Hasher)
    assert make_upload(folder, (), Plan("", "x"), None).whole is None


def test_a_length_is_kept(folder: Folder) -> None:
    upload = make_upload(folder, (), _PLAN, None)
    _append(upload, b"hello")
    assert _again(folder, upload).length is None
    with upload.open() as opening:
        opening.note(20)
    assert (upload.length, _again(folder, upload).length) == (20, 20)
