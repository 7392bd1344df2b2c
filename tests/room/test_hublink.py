"""A member's link to the hub: kept whatever the hub does, restored within seconds, and honest about what it waits
for."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator

import pytest

from lanline.errors import ConnectFailed, LanlineError, StateDamaged, UsageError
from lanline.link.client import connect_link
from lanline.link.link import Link
from lanline.link.server import Server, serve
from lanline.link.service import Service, endpoint
from lanline.room.hublink import MAX_PAUSE, HubLink
from lanline.room.presence import News, Presence, Report, encode_news
from lanline.testing import clock
from lanline.testing.room import until


class Room(Service):
    """A hub's `room.attend`, which does what a test wants of it."""

    name = "room"

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.items: list[object] = [encode_news(News((Presence("pc2", online=True),), is_whole=True))]
        self.is_ending = False

    @endpoint
    async def attend(self, report: Report) -> AsyncIterator[object]:
        """News, and then waits."""
        self.reports.append(report)
        for item in self.items:
            yield item
        if not self.is_ending:
            await asyncio.get_running_loop().create_future()


class Desk:
    """A HubLink whose hub lives in memory, under virtual time."""

    def __init__(self) -> None:
        self.room = Room()
        self.server: Server | None = None
        self.heard: list[News] = []
        self.away = 0
        self.attempts: list[float] = []
        self.failure: LanlineError | None = None
        self.version = "1"
        self.link = HubLink("hub-1", self.connect, self.report, self.heard.append, self.went_away)

    def report(self) -> Report:
        return Report(9527, version=self.version)

    def went_away(self) -> None:
        self.away += 1

    async def connect(self, name: str) -> Link:
        assert name == "hub-1"
        self.attempts.append(asyncio.get_running_loop().time())
        if self.failure is not None:
            raise self.failure
        return await connect_link("mem://hub")

    async def open(self) -> None:
        self.server = await serve([self.room], "mem://hub").start()

    async def shut(self) -> None:
        assert self.server is not None
        await self.server.close(drain=0)

    async def __aenter__(self) -> Desk:
        await self.open()
        self.task = asyncio.get_running_loop().create_task(self.link.keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert not self.task.done(), "the keeping goes on whatever happens"
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.shut()


def test_it_says_what_it_waits_for_until_the_first_news() -> None:
    async def main() -> None:
        desk = Desk()
        assert desk.link.waiting_for == "the hub hub-1" and not desk.link.is_there
        async with desk:
            await until(lambda: desk.link.is_there)
            assert desk.link.waiting_for == "" and desk.heard[0].is_whole

    clock.run(main())


def test_when_the_hub_goes_away_it_is_told_once_and_found_again() -> None:
    async def main() -> None:
        async with Desk() as desk:
            await until(lambda: desk.link.is_there)
            await desk.shut()
            await until(lambda: len(desk.attempts) > 5, timeout=60)
            assert desk.away == 1 and "nothing listens at mem://hub" in desk.link.waiting_for
            await desk.open()
            await until(lambda: desk.link.is_there)

    clock.run(main())


def test_between_two_tries_lies_a_random_pause_of_three_seconds_at_most(seed: int) -> None:
    async def main() -> list[float]:
        desk = Desk()
        desk.failure = ConnectFailed("refused")
        async with desk:
            await until(lambda: len(desk.attempts) == 200, timeout=1000)
        return desk.attempts

    random.seed(seed)
    times = clock.run(main())
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert 0 <= min(pauses) and max(pauses) <= MAX_PAUSE, f"seed {seed}"
    assert min(pauses) < 0.3 and max(pauses) > 2.7 and 1.2 < sum(pauses) / len(pauses) < 1.8, f"seed {seed}"


@pytest.mark.parametrize("failure", [ConnectFailed("x"), UsageError("x"), StateDamaged("x")])
def test_no_error_of_an_attempt_ends_the_keeping(failure: LanlineError) -> None:
    async def main() -> None:
        desk = Desk()
        desk.failure = failure
        async with desk:
            await until(lambda: len(desk.attempts) == 3, timeout=60)
            assert desk.link.waiting_for == "the hub hub-1: x"
            desk.failure = None
            await until(lambda: desk.link.is_there)

    clock.run(main())


@pytest.mark.parametrize("item", [b"", b"\xc1", b"\x91\x01", "text", 7, None, b"\x93\x90\x01\x02"])
def test_news_that_cannot_be_read_are_the_hubs_fault_and_end_nothing(item: object) -> None:
    async def main() -> None:
        desk = Desk()
        good = desk.room.items
        desk.room.items = [item]
        async with desk:
            await until(lambda: len(desk.attempts) == 3, timeout=60)
            assert "news cannot be read" in desk.link.waiting_for and not desk.heard
            desk.room.items = good
            await until(lambda: desk.link.is_there)

    clock.run(main())


def test_a_hub_that_ends_the_call_at_once_is_not_asked_without_a_pause() -> None:
    async def main() -> None:
        desk = Desk()
        desk.room.is_ending = True
        async with desk:
            await until(lambda: len(desk.attempts) == 10, timeout=60)
            assert desk.attempts[-1] - desk.attempts[0] > 3
            assert len(desk.room.reports) <= len(desk.attempts)

    clock.run(main())


def test_a_changed_report_is_told_at_once_on_the_same_link_and_the_hub_is_not_away() -> None:
    async def main() -> None:
        async with Desk() as desk:
            await until(lambda: desk.link.is_there)
            desk.version = "2"
            desk.link.report_anew()
            await until(lambda: len(desk.room.reports) == 2)
            assert [report.version for report in desk.room.reports] == ["1", "2"]
            assert desk.away == 0 and len(desk.attempts) == 1 and desk.link.is_there

    clock.run(main())


def test_a_report_that_changes_while_the_hub_is_away_waits_for_it() -> None:
    async def main() -> None:
        desk = Desk()
        desk.failure = ConnectFailed("away")
        async with desk:
            await until(lambda: len(desk.attempts) == 2, timeout=60)
            desk.version = "2"
            desk.link.report_anew()
            desk.failure = None
            await until(lambda: desk.link.is_there)
            assert [report.version for report in desk.room.reports] == ["2"]

    clock.run(main())
