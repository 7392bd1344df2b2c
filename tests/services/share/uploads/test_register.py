"""The unfinished uploads of a share: found after a restart, removed when too old, bounded in number."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lanline.beneath import DRAFT_PREFIX, Folder
from lanline.http.refusal import Refusal
from lanline.services.share.uploads import register
from lanline.services.share.uploads.appending import MAX_AGE
from lanline.services.share.uploads.journal import Mark, Plan
from lanline.services.share.uploads.register import Register
from lanline.services.share.uploads.unfinished import Unfinished, make_upload

_PLAN = Plan("", "file.bin")
_NOW = datetime.now(UTC).timestamp()
_LATER = _NOW + 2 * MAX_AGE


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with Folder(tmp_path) as folder:
        yield folder


def _make(folder: Folder, uploads: Register, *place: str) -> Unfinished:
    upload = make_upload(folder, place, _PLAN, None)
    uploads.add(upload, "192.0.2.1")
    return upload


def test_uploads_of_an_earlier_process_are_found_with_and_without_looking(folder: Folder) -> None:
    upload = _make(folder, Register(folder), "a", "b")
    asked, looked = Register(folder), Register(folder)
    found = asked.find(("a", "b"), upload.token)
    assert found is not None
    assert asked.find(("a", "b"), upload.token) is found
    assert asked.find(("a",), upload.token) is None
    looked.recover()
    assert (asked.count, looked.count) == (1, 1)


def test_what_is_too_old_is_removed_wherever_it_is(folder: Folder, tmp_path: Path) -> None:
    _make(folder, Register(folder), "a", "b")
    folder.draft(("a",)).close()  # of a PUT whose server was killed
    folder.draft(()).close()
    young = Register(folder)
    young.recover()
    assert len(list(tmp_path.rglob(f"{DRAFT_PREFIX}*"))) == 4
    later = Register(folder, now=lambda: _LATER)
    later.recover()
    assert list(tmp_path.rglob(f"{DRAFT_PREFIX}*")) == []
    assert later.count == 0


def test_a_sweep_looks_where_something_was_begun(folder: Folder, tmp_path: Path) -> None:
    now = [_NOW]
    uploads = Register(folder, now=lambda: now[0])
    upload = _make(folder, uploads, "a")
    assert abs(uploads.age_left(upload) - MAX_AGE) < MAX_AGE / 2
    now[0] = _LATER
    assert uploads.age_left(upload) == 0
    with uploads.held(upload, "192.0.2.1"):
        uploads.sweep()
        assert uploads.count == 1
        assert len(list(tmp_path.rglob(f"{DRAFT_PREFIX}*"))) == 2
    uploads.sweep()
    assert uploads.count == 0
    assert list(tmp_path.rglob(f"{DRAFT_PREFIX}*")) == []


def test_one_that_is_asked_for_too_late_is_gone(folder: Folder, tmp_path: Path) -> None:
    upload = _make(folder, Register(folder))
    assert Register(folder, now=lambda: _LATER).find((), upload.token) is None
    assert list(tmp_path.rglob(f"{DRAFT_PREFIX}*")) == []


def test_links_and_what_others_made_stay(folder: Folder, tmp_path: Path) -> None:
    outside = tmp_path / "a" / f"{DRAFT_PREFIX}folder"
    outside.mkdir()
    (tmp_path / "link").symlink_to("/")
    (tmp_path / f"{DRAFT_PREFIX}link").symlink_to(tmp_path / "kept")
    (tmp_path / "kept").write_bytes(b"")
    os.utime(tmp_path / "kept", (0, 0))
    Register(folder, now=lambda: _LATER).recover()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{DRAFT_PREFIX}link", "a", "kept", "link"]
    assert outside.is_dir()


def _bring_a_byte(upload: Unfinished) -> None:
    with upload.open() as opening:
        opening.part.write(b"x", 0)
        opening.note(Mark(0, 1, hashlib.sha256(b"x").hexdigest()))


def test_of_too_many_the_oldest_of_which_nothing_has_come_is_in_the_way(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register, "MAX_UPLOADS", 3)
    uploads = Register(folder)
    full, young, old = (_make(folder, uploads) for _ in range(3))
    _bring_a_byte(full)
    full.touched, young.touched, old.touched = _NOW - 3, _NOW - 1, _NOW - 2
    assert uploads.in_the_way("192.0.2.2") is old
    with uploads.held(old, "192.0.2.2"):
        assert uploads.in_the_way("192.0.2.2") is young
        with uploads.held(young, "192.0.2.2"), pytest.raises(Refusal, match="429"):
            uploads.in_the_way("192.0.2.2")
    uploads.forget(full)
    assert uploads.in_the_way("192.0.2.2") is None


def test_one_visitor_begins_only_so_many(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "MAX_PER_VISITOR", 2)
    uploads = Register(folder)
    first, _second = (_make(folder, uploads) for _ in range(2))
    with pytest.raises(Refusal, match="429"):
        uploads.in_the_way("192.0.2.1")
    assert uploads.in_the_way("192.0.2.2") is None
    uploads.forget(first)
    assert uploads.in_the_way("192.0.2.1") is None


def test_an_upload_of_an_earlier_process_is_of_who_goes_on_with_it(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register, "MAX_PER_VISITOR", 1)
    token = _make(folder, Register(folder)).token
    uploads = Register(folder)
    upload = uploads.find((), token)
    assert upload is not None
    assert uploads.in_the_way("192.0.2.1") is None
    for visitor in ("192.0.2.2", "192.0.2.1"):
        with uploads.held(upload, visitor):
            pass
    with pytest.raises(Refusal, match="429"):
        uploads.in_the_way("192.0.2.2")
    assert uploads.in_the_way("192.0.2.1") is None


def test_the_keeper_begins_with_what_was_left_and_ends_when_cancelled(folder: Folder) -> None:
    _make(folder, Register(folder), "a")
    uploads = Register(folder)

    async def main() -> None:
        has_looked = threading.Event()
        recover = uploads.recover

        def look() -> None:
            recover()
            has_looked.set()

        uploads.recover = look  # type: ignore[method-assign]
        keeper = asyncio.get_running_loop().create_task(uploads.keep_clean())
        assert await asyncio.to_thread(has_looked.wait, 60)
        keeper.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeper

    asyncio.run(main())
    assert uploads.count == 1


def test_who_is_told_to_stop_waits_for_one_folder_and_not_for_all(folder: Folder, tmp_path: Path) -> None:
    places = [tmp_path / f"{number}" for number in range(20)]
    for place in places:
        place.mkdir()
        (place / f"{DRAFT_PREFIX}{'0' * 32}").touch()
    has_begun, may_go_on = threading.Event(), threading.Event()
    looks: list[float] = []

    def now() -> float:
        looks.append(_LATER)
        has_begun.set()
        assert may_go_on.wait(60)
        return _LATER

    async def main() -> None:
        uploads = Register(folder, now=now)
        keeper = asyncio.get_running_loop().create_task(uploads.keep_clean())
        assert await asyncio.to_thread(has_begun.wait, 60)
        keeper.cancel()
        while not uploads._is_stopped:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0)
        may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await keeper

    asyncio.run(main())
    assert 1 <= len(looks) < len(places)
    assert len(list(tmp_path.rglob(f"{DRAFT_PREFIX}*"))) == len(places) - 1
