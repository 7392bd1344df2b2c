"""Who is here, as the hub knows it: one seat per key, news for all who are, and an alarm for a copied key."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from tests.room.founding import the_room

from lanline.errors import RemoteProtocolError
from lanline.link.caller import Caller
from lanline.roles import Role
from lanline.room.attendance import MAX_PENDING, Arrived, Attendance
from lanline.room.book import RosterBook
from lanline.room.presence import GATHER, News, Presence, PresenceBook, Report, RosterParts, decode_news
from lanline.testing import clock

PC7 = Caller("pc7", Role.OPERATOR, "tls://10.0.0.7:4000", b"7" * 32)
PC8 = Caller("pc8", Role.MEMBER, "tls://10.0.0.8:4000", b"8" * 32)
FIRST, SECOND = Arrived("10.0.0.7", b"first---"), Arrived("10.0.0.9", b"second--")


class Desk:
    """An attendance with what it changes."""

    def __init__(self) -> None:
        room = the_room()
        self.book = RosterBook(room.authority_key.public_key(), room.signed)
        self.presence = PresenceBook()
        self.alarms: list[str] = []
        self.attendance = Attendance(self.book, self.presence, self.alarms.append)
        self.report = Report(9527, roster_number=self.book.number)

    def attend(
        self, caller: Caller = PC7, arrived: Arrived = FIRST, report: Report | None = None
    ) -> AsyncIterator[bytes]:
        """A member's call."""
        return self.attendance.attend(caller, arrived, report or self.report)


async def news(call: AsyncIterator[bytes]) -> News:
    """The next item of a call."""
    return decode_news(await anext(call))


async def leave(call: AsyncIterator[bytes]) -> None:
    """Ends a call, as the link does when it is lost."""
    await call.aclose()  # type: ignore[attr-defined]  # a generator has it


def test_a_member_is_here_as_long_as_its_call_lives() -> None:
    async def main() -> None:
        desk = Desk()
        call = desk.attend()
        assert (await news(call)).is_whole
        assert desk.presence.online == {"pc7"} and len(desk.attendance) == 1
        await leave(call)
        assert desk.presence.online == frozenset() and len(desk.attendance) == 0

    clock.run(main())


def test_who_comes_gets_a_snapshot_and_then_what_changes() -> None:
    async def main() -> None:
        desk = Desk()
        first, second = desk.attend(), desk.attend(PC8)
        assert [row.name for row in (await news(first)).rows] == ["pc7"]
        await news(second)
        desk.attendance.spread_now()
        for call in (first, second):
            assert {row.name for row in (await news(call)).rows} == {"pc7", "pc8"}
        await leave(second)
        desk.attendance.spread_now()
        assert [(row.name, row.online) for row in (await news(first)).rows] == [("pc8", False)]
        await leave(first)

    clock.run(main())


def test_a_thousand_that_come_at_once_cost_a_few_encodings_shared_by_all() -> None:
    async def main() -> None:
        desk = Desk()
        calls = [desk.attend(Caller(f"pc{n}", Role.MEMBER, "", n.to_bytes(32, "big"))) for n in range(1000)]
        snapshots = [await anext(call) for call in calls]
        assert all(one is snapshots[0] for one in snapshots)
        desk.attendance.spread_now()
        rows = 0
        while rows < 1000:
            deltas = [await anext(call) for call in calls]
            assert all(one is deltas[0] for one in deltas)
            rows += len(decode_news(deltas[0]).rows)
        assert rows == 1000
        for call in calls:
            await leave(call)

    clock.run(main())


def test_a_snapshot_and_the_deltas_after_it_leave_nothing_out(seed: int) -> None:
    async def main() -> None:
        desk = Desk()
        known = PresenceBook()
        call: AsyncIterator[bytes] | None = None
        for step in range(300):
            match random.randrange(5):
                case 0:
                    desk.attendance.spread_now()
                case 1 if call is None:
                    call = desk.attend()
                    known = PresenceBook()
                    known.learn(await news(call))
                case _:
                    desk.presence.set(Presence(f"pc{random.randrange(8)}", version=str(step)))
            if call is not None and step % 40 == 0:
                desk.attendance.tell_roster(b"so far")
                while not (item := await news(call)).roster:
                    known.learn(item)
        desk.attendance.spread_now()
        desk.attendance.tell_roster(b"the end")
        assert call is not None, f"seed {seed}"
        while (item := await news(call)).roster != b"the end":
            known.learn(item)
        assert set(known.rows()) == set(desk.presence.rows()), f"seed {seed}"
        await leave(call)

    clock.run(main())


def test_a_roster_goes_to_everybody_at_once_and_to_a_newcomer_whose_own_is_another() -> None:
    async def main() -> None:
        desk = Desk()
        same, older = desk.attend(), desk.attend(PC8, report=Report(1, roster_number=desk.book.number - 1))
        await news(same)
        await news(older)
        assert (await news(older)).roster == desk.book.data
        desk.attendance.tell_roster(b"newest")
        for call in (same, older):
            assert (await news(call)).roster == b"newest"
            await leave(call)

    clock.run(main())


def test_what_is_sent_is_in_parts_that_keep_the_buffers_of_a_connection_small() -> None:
    async def main() -> None:
        desk = Desk()
        for number in range(1000):
            where = f"10.0.{number // 250}.{number % 250}:9527"
            desk.presence.set(Presence(f"pc{number}", True, (where,), "0.1.0", "Linux 6.1.0 x86_64"))
        call, big = desk.attend(), bytes(400_000)
        known, parts, largest = PresenceBook(), RosterParts(), 0
        whole: bytes | None = None
        while whole is None:
            item = await anext(call)
            if not largest:
                desk.attendance.tell_roster(big)
            largest = max(largest, len(item))
            known.learn(decode_news(item))
            whole = parts.add(decode_news(item))
        assert whole == big and len(known.rows()) == 1000 and largest < 16 * 1024
        await leave(call)

    clock.run(main())


def test_an_old_call_that_ends_after_the_new_one_began_takes_nothing_away() -> None:
    async def main() -> None:
        desk = Desk()
        old, new = desk.attend(), desk.attend()
        await news(old)
        await news(new)
        await leave(old)
        assert desk.presence.online == {"pc7"} and len(desk.attendance) == 1
        desk.attendance.tell_roster(b"x")
        assert (await news(new)).roster == b"x"
        await leave(new)

    clock.run(main())


def test_the_newest_call_of_a_key_ends_the_one_before_which_waits() -> None:
    async def main() -> None:
        desk = Desk()
        old, new = desk.attend(), desk.attend()
        await news(old)
        waiting = asyncio.get_running_loop().create_task(news(old))
        await asyncio.sleep(0)
        await news(new)
        with pytest.raises(RemoteProtocolError, match="another call of this member"):
            await waiting
        await leave(new)

    clock.run(main())


def test_who_does_not_take_its_news_gets_a_snapshot_in_their_place_and_memory_is_bounded() -> None:
    async def main() -> None:
        desk = Desk()
        call = desk.attend()
        await news(call)
        for number in range(10 * MAX_PENDING):
            desk.presence.set(Presence("pc8", version=str(number)))
            desk.attendance.spread_now()
        desk.presence.forget("pc7")
        known, parts = PresenceBook(), RosterParts()
        item = await news(call)
        assert item.is_whole, "in place of all that was dropped"
        known.learn(item)
        while parts.add(item := await news(call)) != desk.book.data:
            known.learn(item)
        assert known.of("pc8").version == str(10 * MAX_PENDING - 1)
        desk.presence.set(Presence("pc9"))
        desk.attendance.spread_now()
        assert [row.name for row in (await news(call)).rows] == ["pc9"], "and then what changes, as before"
        await leave(call)

    clock.run(main())


def test_changes_are_gathered_for_a_quarter_of_a_second() -> None:
    async def main() -> None:
        desk = Desk()
        call = desk.attend()
        await news(call)
        work = asyncio.get_running_loop().create_task(desk.attendance.spread_changes())
        for version in ("1", "2", "3"):
            desk.presence.set(Presence("pc8", version=version))
        assert {(row.name, row.version) for row in (await news(call)).rows} == {("pc7", ""), ("pc8", "3")}
        assert asyncio.get_running_loop().time() == GATHER
        work.cancel()
        await leave(call)

    clock.run(main())


async def _starts(desk: Desk, *arrivals: Arrived) -> None:
    for arrived in arrivals:
        call = desk.attend(arrived=arrived)
        await news(call)
        await leave(call)


def test_a_key_that_comes_from_two_starts_in_turn_is_an_alarm() -> None:
    desk = Desk()
    asyncio.run(_starts(desk, FIRST, SECOND, FIRST))
    assert len(desk.alarms) == 1
    assert "one key on two machines: pc7 comes from 10.0.0.7 and 10.0.0.9 in turn" in desk.alarms[0]


def test_two_copies_behind_one_address_are_an_alarm_too() -> None:
    desk = Desk()
    copy = Arrived(FIRST.host, b"copy----")
    asyncio.run(_starts(desk, FIRST, copy, FIRST))
    assert "comes from 10.0.0.7 twice" in desk.alarms[0]


def test_a_machine_that_restarts_or_reconnects_any_number_of_times_is_no_alarm() -> None:
    desk = Desk()
    starts = [Arrived("10.0.0.7", number.to_bytes(8, "big")) for number in range(1, 50)]
    asyncio.run(_starts(desk, *[start for start in starts for _ in range(3)]))
    assert desk.alarms == []


def test_what_is_remembered_of_starts_is_bounded() -> None:
    async def main() -> None:
        desk = Desk()
        for number in range(100):
            caller = Caller(f"pc{number}", Role.MEMBER, "", number.to_bytes(32, "big"))
            call = desk.attend(caller)
            await news(call)
            await leave(call)
        assert desk.attendance.statistics() == {"here": 0, "keys": 2 * len(desk.book.current.members)}

    clock.run(main())
