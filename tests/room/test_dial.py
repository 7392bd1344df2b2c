"""A member at several places is reached at the first that answers, and a dead place costs half a second, not five."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from lanline.errors import AddressError, ConnectFailed
from lanline.link.client import connect_link
from lanline.link.link import Link
from lanline.link.server import serve
from lanline.link.service import Service
from lanline.room.dial import HEAD_START, first_link
from lanline.testing import clock

Connect = Callable[[str], Awaitable[Link]]


class Any(Service):
    """Something to serve."""

    name = "any"


async def _never(place: str) -> Link:
    never: asyncio.Future[Link] = asyncio.get_running_loop().create_future()
    return await never


async def _refused(place: str) -> Link:
    raise ConnectFailed(f"{place} refused")


async def _open(place: str) -> Link:
    return await connect_link("mem://member")


def by_place(**ways: Connect) -> Connect:
    """What happens at each place."""
    return lambda place: ways[place](place)


def test_the_first_place_that_answers_wins_and_the_next_is_not_tried() -> None:
    tried: list[str] = []

    async def connect(place: str) -> Link:
        tried.append(place)
        return await _open(place)

    async def main() -> None:
        async with serve([Any()], "mem://member"):
            link = await first_link(["a", "b"], connect)
            assert link.is_open and tried == ["a"]
            await link.close()

    clock.run(main())


def test_a_place_that_never_answers_has_half_a_second_of_head_start() -> None:
    async def main() -> float:
        async with serve([Any()], "mem://member"):
            link = await first_link(["dead", "good"], by_place(dead=_never, good=_open))
            await link.close()
            return asyncio.get_running_loop().time()

    assert clock.run(main()) == pytest.approx(HEAD_START)


def test_after_a_refusal_the_next_is_tried_at_once() -> None:
    async def main() -> float:
        async with serve([Any()], "mem://member"):
            link = await first_link(["bad", "good"], by_place(bad=_refused, good=_open))
            await link.close()
            return asyncio.get_running_loop().time()

    assert clock.run(main()) == 0


def test_when_none_answers_the_last_reason_is_told() -> None:
    async def main() -> None:
        with pytest.raises(ConnectFailed, match=r"b refused \(2 addresses were tried\)"):
            await first_link(["a", "b"], _refused)
        with pytest.raises(ConnectFailed, match=r"^a refused$"):
            await first_link(["a"], _refused)

    clock.run(main())


def test_a_place_that_makes_no_sense_is_one_that_does_not_answer() -> None:
    async def nonsense(place: str) -> Link:
        raise AddressError("no address")

    async def main() -> None:
        with pytest.raises(ConnectFailed, match="no address"):
            await first_link(["??"], nonsense)

    clock.run(main())


def test_a_fault_of_our_own_is_not_taken_for_a_refusal_and_leaves_nothing_behind() -> None:
    async def fault(place: str) -> Link:
        raise ZeroDivisionError

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await first_link(["dead", "fault"], by_place(dead=_never, fault=fault))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    clock.run(main())


def test_two_that_answer_at_once_leave_one_link() -> None:
    made: list[Link] = []
    gate: list[asyncio.Future[None]] = []

    async def late(place: str) -> Link:
        link = await _open(place)
        made.append(link)
        if len(gate) == 0:
            gate.append(asyncio.get_running_loop().create_future())
            await gate[0]
        else:
            gate[0].set_result(None)
        return link

    async def main() -> None:
        async with serve([Any()], "mem://member") as server:
            link = await first_link(["a", "b"], late)
            spare = next(one for one in made if one is not link)
            assert await spare.wait_gone()
            assert link.is_open and server.statistics().peers == 1
            await link.close()

    clock.run(main())


def test_being_cancelled_ends_every_attempt() -> None:
    async def main() -> None:
        attempt = asyncio.get_running_loop().create_task(first_link(["a", "b"], _never))
        await asyncio.sleep(0)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        assert asyncio.all_tasks() == {asyncio.current_task()}

    clock.run(main())


def test_no_place_at_all_is_a_mistake_of_the_caller() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="no place"):
            await first_link([], _never)

    clock.run(main())
