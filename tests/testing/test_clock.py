"""The loop with virtual time: it leaps where others sleep, in the right order, and it knows when nothing can happen."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from lanline.testing import clock


async def _pause(seconds: float) -> None:
    """Waits for that long on the loop's clock."""
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, done.set_result, None)
    await done


def test_an_hour_of_waiting_takes_no_time() -> None:
    async def main() -> float:
        for _ in range(60):
            await _pause(60)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert clock.run(main()) == 3600
    assert time.monotonic() - began < 15


def test_the_clock_begins_where_it_is_told() -> None:
    async def main() -> float:
        return asyncio.get_running_loop().time()

    assert clock.run(main(), start=1000.5) == 1000.5


def test_timers_come_in_the_order_of_their_times(seed: int) -> None:
    moments = [random.uniform(0, 1e6) for _ in range(200)]
    came: list[float] = []

    async def main() -> None:
        async def wait(moment: float) -> None:
            await _pause(moment)
            came.append(moment)
            assert asyncio.get_running_loop().time() == pytest.approx(moment)

        async with asyncio.TaskGroup() as group:
            for moment in moments:
                group.create_task(wait(moment))

    clock.run(main())
    assert came == sorted(moments), f"seed {seed}"


def test_a_timeout_passes_at_its_time_and_not_before() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert clock.run(main()) == 30


def test_work_that_is_ready_comes_before_time_moves() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        loop.call_later(1, done.set_result, None)
        for _ in range(1000):
            await asyncio.sleep(0)
            assert loop.time() == 0
        await done
        assert loop.time() == 1

    clock.run(main())


def test_a_deadlock_is_reported_with_the_names_of_the_tasks() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait(), name="the one that waits")

    with pytest.raises(AssertionError, match=r"deadlock.*the one that waits"):
        clock.run(main())


def test_the_next_run_is_not_disturbed_by_a_deadlock() -> None:
    async def wait_for_ever() -> None:
        await asyncio.Event().wait()

    async def answer() -> int:
        await _pause(5)
        return 42

    with pytest.raises(AssertionError, match="deadlock"):
        clock.run(wait_for_ever())
    assert clock.run(answer()) == 42


def test_a_test_can_feign_a_loop_that_was_busy() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, clock.VirtualTimeLoop)
        came: list[float] = []
        loop.call_later(10, lambda: came.append(loop.time()))
        await asyncio.sleep(0)
        loop.leap(60)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return came

    assert clock.run(main()) == [60]


def test_real_files_are_still_seen() -> None:
    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        got = loop.create_future()
        loop.call_soon_threadsafe(got.set_result, b"woken through the loop's own socket")
        result: bytes = await got
        return result

    assert clock.run(main()).startswith(b"woken")
