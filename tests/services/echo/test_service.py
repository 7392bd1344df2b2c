"""The echo service over a real link: one endpoint of each shape."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from lanline.errors import CallFailed, Status
from lanline.link.client import connect_link
from lanline.link.link import Link
from lanline.link.server import serve
from lanline.services.echo.service import MAX_COUNT, Echo


@asynccontextmanager
async def _linked() -> AsyncIterator[Link]:
    async with serve([Echo()], "tcp://127.0.0.1:0") as server, connect_link(server.addresses[0]) as link:
        yield link


def _with_link(work: Callable[[Link], Awaitable[None]]) -> None:
    async def main() -> None:
        async with _linked() as link:
            await work(link)

    asyncio.run(main())


def test_say_gives_the_text_back() -> None:
    async def work(link: Link) -> None:
        assert await link.ask("echo.say", "你好 \u202e") == "你好 \u202e"

    _with_link(work)


def test_count_streams_the_numbers_from_one() -> None:
    async def work(link: Link) -> None:
        assert [number async for number in link.stream("echo.count", 5)] == [1, 2, 3, 4, 5]
        assert [number async for number in link.stream("echo.count", 0)] == []

    _with_link(work)


@pytest.mark.parametrize("to", [-1, MAX_COUNT + 1])
def test_a_count_that_makes_no_sense_is_refused_with_the_bounds(to: int) -> None:
    async def work(link: Link) -> None:
        with pytest.raises(CallFailed, match=f"{MAX_COUNT}") as caught:
            [number async for number in link.stream("echo.count", to)]
        assert caught.value.status is Status.BAD_MESSAGE

    _with_link(work)


def test_leaving_a_count_ends_it_at_the_other_side() -> None:
    async def work(link: Link) -> None:
        stream = link.stream("echo.count", MAX_COUNT)
        assert await anext(stream) == 1
        await stream.aclose()  # type: ignore[attr-defined]
        assert await link.ask("echo.say", "still here") == "still here"

    _with_link(work)


def test_repeat_sends_every_item_back_as_it_came_and_counts_them() -> None:
    items = [b"\x00\xff", "text", 7, [1, {"a": None}], b""]

    async def work(link: Link) -> None:
        async with link.open("echo.repeat") as call:
            for item in items:
                await call.send(item)
            call.end()
            assert [item async for item in call] == items
            assert call.result == len(items)

    _with_link(work)


def test_a_large_item_comes_back_whole() -> None:
    large = bytes(range(256)) * 4096

    async def work(link: Link) -> None:
        async with link.open("echo.repeat") as call:
            await call.send(large)
            assert await call.receive() == large
            call.end()

    _with_link(work)


def test_every_endpoint_declares_a_role() -> None:
    assert {entry.role.word for entry in Echo().endpoints().values() if entry.role} == {"guest"}
    assert all(entry.role for entry in Echo().endpoints().values())
