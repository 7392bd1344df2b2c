"""One request at a time has an upload, and a newer one ends the older."""

from __future__ import annotations

import asyncio

from lanline.services.share.uploads.turns import Turns


def test_a_newer_one_ends_the_older_and_begins_when_it_is_over() -> None:
    order = []

    async def main() -> None:
        turns = Turns()
        ends = asyncio.Event()
        began = asyncio.Event()

        async def older() -> None:
            async with turns.take("upload", ends.set):
                order.append("older begins")
                began.set()
                await ends.wait()
                await asyncio.sleep(0)
                order.append("older ends")

        async def newer(name: str) -> None:
            async with turns.take("upload", lambda: None):
                order.append(name)

        async with asyncio.TaskGroup() as group:
            group.create_task(older())
            await began.wait()
            async with turns.take("another", lambda: None):
                order.append("another")
            group.create_task(newer("newer"))
            group.create_task(newer("newest"))

    asyncio.run(main())
    assert order == ["older begins", "another", "older ends", "newer", "newest"]


def test_an_error_in_a_turn_ends_it() -> None:
    async def main() -> bool:
        turns = Turns()
        try:
            async with turns.take("upload", lambda: None):
                raise ValueError
        except ValueError:
            async with turns.take("upload", lambda: None):
                return True

    assert asyncio.run(main())
