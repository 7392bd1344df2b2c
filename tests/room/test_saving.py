"""What a running node writes: only what has changed, whatever the disk says, and never half of it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from lanline.room import saving, sealed
from lanline.room.alarms import Alarms
from lanline.room.audit import AuditLog
from lanline.room.freshness import SAVE_EVERY, Freshness, load_freshness
from lanline.room.paths import StateFolder
from lanline.room.presence import KIND, Presence, PresenceBook
from lanline.room.saving import Saver
from lanline.room.sealed import load_sealed


class Desk:
    """A saver over a folder, with a clock to move."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = StateFolder(path)
        self.folder.ensure()
        self.now = 1000.0
        self.presence = PresenceBook()
        self.freshness = Freshness(None, boot="this", now=0.0)
        self.alarms = Alarms(AuditLog(self.folder.audit))
        self.saver = Saver(self.folder, self.presence, self.freshness, self.alarms)
        self.written: list[str] = []
        real = sealed.save_sealed

        def counted(file: Path, kind: str, value: object) -> None:
            self.written.append(kind)
            assert threading.current_thread() is not threading.main_thread() or not self.in_threads
            real(file, kind, value)

        self.in_threads = False
        monkeypatch.setattr(saving, "save_sealed", counted)
        monkeypatch.setattr(saving, "boot_clock", lambda: self.now)

    def save(self) -> list[str]:
        """One round; what was written in it."""
        self.written.clear()
        self.in_threads = True
        asyncio.run(self.saver.save_changes())
        self.in_threads = False
        return list(self.written)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A folder of a node that has just started."""
    return Desk(tmp_path / "state", monkeypatch)


def test_only_what_has_changed_is_written_and_in_a_thread(desk: Desk) -> None:
    assert desk.save() == ["freshness"]
    assert desk.save() == []
    desk.presence.set(Presence("pc7"))
    assert desk.save() == ["presence"]
    desk.now += SAVE_EVERY
    assert desk.save() == ["freshness"]
    assert load_sealed(desk.folder.presence, KIND, tuple[Presence, ...]) == (Presence("pc7"),)


def test_at_the_end_everything_is_on_disk(desk: Desk) -> None:
    desk.presence.set(Presence("pc7"))
    desk.freshness.confirmed(desk.now)
    desk.saver.save_all()
    assert load_sealed(desk.folder.presence, KIND, tuple[Presence, ...]) == (Presence("pc7"),)
    assert desk.folder.freshness.exists() and load_freshness(desk.folder) is not None


def test_a_disk_that_takes_nothing_is_told_of_once_and_tried_again(desk: Desk, tmp_path: Path) -> None:
    desk.presence.set(Presence("pc7"))
    desk.folder.path.rename(tmp_path / "gone")
    desk.save()
    desk.save()
    desk.saver.save_all()
    assert len(desk.alarms.texts) == 1 and "not on disk" in desk.alarms.texts[0]
    (tmp_path / "gone").rename(desk.folder.path)
    assert desk.save() == ["presence", "freshness"]


def test_the_last_writing_waits_for_the_one_under_way(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    may_go_on, has_begun = threading.Event(), threading.Event()
    counted = getattr(saving, "save_sealed")  # noqa: B009 - the counted one

    def slow(file: Path, kind: str, value: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            has_begun.set()
            may_go_on.wait(15)
            order.append("first")
        else:
            order.append("last")
        counted(file, kind, value)

    monkeypatch.setattr(saving, "save_sealed", slow)

    async def main() -> None:
        desk.presence.set(Presence("pc7"))
        round_ = asyncio.get_running_loop().create_task(desk.saver.save_changes())
        await asyncio.to_thread(has_begun.wait, 5)
        round_.cancel()
        await asyncio.gather(round_, return_exceptions=True)
        desk.presence.set(Presence("pc8"))
        asyncio.get_running_loop().call_soon(may_go_on.set)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        desk.saver.save_all()

    asyncio.run(main())
    assert order[0] == "first" and order[-1] == "last"
    rows = load_sealed(desk.folder.presence, KIND, tuple[Presence, ...])
    assert rows is not None and {row.name for row in rows} == {"pc7", "pc8"}
