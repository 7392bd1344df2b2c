"""Names are given at the end: replaced, numbered or refused, and one after the other under a condition."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from lanline.beneath import Folder
from lanline.errors import TakenAlready
from lanline.http.refusal import Refusal
from lanline.services.share.uploads.finishing import Finishing


@pytest.mark.parametrize("syncs", [True, False])
def test_a_draft_gets_its_name_and_replaces_only_where_it_may(tmp_path: Path, syncs: bool) -> None:
    (tmp_path / "old").write_bytes(b"old")

    async def main() -> None:
        finishing = Finishing()
        with Folder(tmp_path) as folder:
            with folder.draft() as draft:
                draft.write(b"one", 0)
                made = await finishing.finish(draft, ("new",), may_replace=True, syncs=syncs)
            assert (made.names, made.has_replaced, made.size) == (("new",), False, 3)
            with folder.draft() as draft:
                with pytest.raises(TakenAlready):
                    await finishing.finish(draft, ("old",), may_replace=False, syncs=syncs)
                made = await finishing.finish(draft, ("old",), may_replace=True, syncs=syncs)
            assert made.has_replaced

    asyncio.run(main())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


def test_a_taken_name_gets_the_next_free_number(tmp_path: Path) -> None:
    for name in ("a.jpg", "a (2).jpg"):
        (tmp_path / name).write_bytes(b"")

    async def main() -> None:
        with Folder(tmp_path) as folder, folder.draft() as draft:
            made = await Finishing().finish(draft, ("a.jpg",), may_replace=False, may_rename=True)
            assert made.names == ("a (3).jpg",)

    asyncio.run(main())


def test_two_under_a_condition_take_turns(tmp_path: Path) -> None:
    order = []
    has_begun, may_go_on = threading.Event(), threading.Event()

    def first() -> None:
        order.append("first begins")
        has_begun.set()
        assert may_go_on.wait(60)
        order.append("first ends")

    def second() -> None:
        order.append("second")
        raise Refusal(412, "no longer")

    async def main() -> None:
        finishing = Finishing()
        with Folder(tmp_path) as folder, folder.draft() as one, folder.draft() as other:
            async with asyncio.TaskGroup() as group:
                group.create_task(finishing.finish(one, ("x",), may_replace=True, check=first))
                assert await asyncio.to_thread(has_begun.wait, 60)
                waiting = group.create_task(_refused(finishing.finish(other, ("x",), may_replace=True, check=second)))
                await asyncio.sleep(0)
                may_go_on.set()
            assert waiting.result() == 412
        assert order == ["first begins", "first ends", "second"]

    asyncio.run(main())


async def _refused(finished: object) -> int:
    try:
        await finished  # type: ignore[misc]
    except Refusal as refusal:
        return refusal.status
    return 0
