"""Work on a disk: in the loop while it is quick, in threads once it is slow, and never left alone half done."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from lanline.beneath import Folder
from lanline.services.share.uploads.pace import SLOW, Pace


def test_quick_work_is_done_in_the_loop() -> None:
    async def main() -> None:
        assert await Pace().run(threading.get_ident) == threading.get_ident()

    asyncio.run(main())


def test_after_slow_work_the_next_is_done_in_a_thread_until_it_was_quick_for_a_while() -> None:
    async def main() -> None:
        pace = Pace()
        pace.took(SLOW * 2)
        assert pace.is_slow
        assert await pace.run(threading.get_ident) != threading.get_ident()
        for _ in range(40):
            pace.took(SLOW / 2)
        assert await pace.run(threading.get_ident) == threading.get_ident()

    asyncio.run(main())


@pytest.mark.parametrize("is_slow", [False, True])
def test_an_error_of_the_work_is_raised(is_slow: bool) -> None:
    def fail() -> None:
        raise OSError(28, "full")

    async def main() -> None:
        pace = Pace()
        if is_slow:
            pace.took(1.0)
        with pytest.raises(OSError, match="full"):
            await pace.run(fail)

    asyncio.run(main())


def test_a_draft_is_discarded_in_a_thread_and_a_committed_one_is_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        with Folder(tmp_path) as folder:
            kept, lost = folder.draft(()), folder.draft(())
            kept.commit("file")
            await Pace().discard(kept)
            await Pace().discard(lost)
            await Pace().discard(lost)

    asyncio.run(main())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_cancelled_task_goes_on_only_when_its_thread_is_done() -> None:
    began, may_end = threading.Event(), threading.Event()
    done = []

    def work() -> None:
        began.set()
        assert may_end.wait(30)
        done.append("work")

    async def main() -> None:
        pace = Pace()
        pace.took(1.0)
        task = asyncio.get_running_loop().create_task(pace.run(work))
        await asyncio.to_thread(began.wait, 30)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not task.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done == ["work"]

    asyncio.run(main())
