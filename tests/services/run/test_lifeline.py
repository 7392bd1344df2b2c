"""A node always has a living guardian, or knows that it has none."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.services.run.watching import child, watching

from lanline.errors import RoomError
from lanline.services.run import process, register
from lanline.services.run.kill import Target
from lanline.services.run.lifeline import Lifeline
from lanline.services.run.mark import marked


@contextlib.asynccontextmanager
async def open_lifeline() -> AsyncIterator[Lifeline]:
    with ThreadPoolExecutor(2) as pool:
        lifeline = await Lifeline.open(pool, 4)
        try:
            yield lifeline
        finally:
            await lifeline.close()


async def kill_guardian(lifeline: Lifeline) -> int:
    """Kills the guardian and returns its pid when the lifeline knows that it is dead."""
    pid = lifeline.guardian_pid
    assert pid is not None
    with watching([pid]) as watch:
        os.kill(pid, signal.SIGKILL)
        assert watch.wait_gone() == set()
    for _ in range(4):  # its output has ended: the loop hears of it in its next turns
        await asyncio.sleep(0)
    assert lifeline.guardian_pid != pid
    return pid


async def next_guardian(lifeline: Lifeline) -> int:
    """Kills the guardian and returns the pid of the next."""
    await kill_guardian(lifeline)
    assert await lifeline.wait_alive(10)
    assert lifeline.guardian_pid is not None
    return lifeline.guardian_pid


def test_a_guardian_runs_from_open_to_close() -> None:
    async def main() -> None:
        async with open_lifeline() as lifeline:
            guardian = lifeline.guardian_pid
            assert guardian is not None
            assert await lifeline.wait_alive(0)
            assert "guardian" in repr(lifeline)
            with watching([guardian]) as watch:
                await lifeline.close()
                assert watch.wait_gone() == set()
            assert not await lifeline.wait_alive(0)

    asyncio.run(main())


def test_the_guardian_reserves_the_marks_of_its_node() -> None:
    async def main() -> None:
        async with open_lifeline() as one, open_lifeline() as other:
            assert one.marks is not None and other.marks is not None
            assert one.marks.base != other.marks.base
            assert marked(one.marks.base) == [one.guardian_pid]

    asyncio.run(main())


def test_a_guardian_that_dies_is_replaced_with_the_same_marks() -> None:
    async def main() -> None:
        async with open_lifeline() as lifeline:
            assert lifeline.marks is not None
            base = lifeline.marks.base
            for count in (1, 2):
                guardian = await next_guardian(lifeline)
                assert lifeline.deaths == count
                assert process.mark_of(guardian) == base
            assert await lifeline.wait_alive(0)

    asyncio.run(main())


def test_the_next_guardian_ends_the_jobs_of_the_first() -> None:
    async def main() -> None:
        async with open_lifeline() as lifeline:
            value = lifeline.marks.take() if lifeline.marks else None
            assert value is not None
            with child("sleep", "60", value=value) as popen:
                lifeline.register(1, Target(mark=value))
                await next_guardian(lifeline)
                await lifeline.close()
                assert popen.wait() == -signal.SIGTERM

    asyncio.run(main())


def test_a_job_that_was_forgotten_is_not_ended() -> None:
    async def main() -> None:
        async with open_lifeline() as lifeline:
            value = lifeline.marks.take() if lifeline.marks else None
            assert value is not None
            with child("sleep", "60", value=value) as popen:
                lifeline.register(1, Target(mark=value))
                lifeline.forget(1)
                await lifeline.close()
                assert popen.poll() is None

    asyncio.run(main())


def test_without_a_guardian_there_is_no_lifeline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    async def main() -> None:
        with pytest.raises(RoomError, match="guardian") as caught:
            async with open_lifeline():
                pass
        assert caught.value.advice

    asyncio.run(main())


@pytest.mark.parametrize("executable", ["", "/nowhere/at/all"])
def test_an_interpreter_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, executable: str) -> None:
    monkeypatch.setattr(sys, "executable", executable)

    async def main() -> None:
        with pytest.raises(RoomError, match="guardian"):
            async with open_lifeline():
                pass

    asyncio.run(main())


def test_while_no_guardian_can_be_started_the_lifeline_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with open_lifeline() as lifeline:
            monkeypatch.setattr(sys, "executable", "/bin/false")
            first = await kill_guardian(lifeline)
            assert not await lifeline.wait_alive(0.05)
            monkeypatch.undo()
            assert await lifeline.wait_alive(10)
            assert lifeline.guardian_pid != first

    asyncio.run(main())


def test_closing_while_a_guardian_is_being_replaced_leaves_none() -> None:
    async def main() -> None:
        async with open_lifeline() as lifeline:
            await kill_guardian(lifeline)
            await lifeline.close()
            assert lifeline.guardian_pid is None
            assert lifeline.marks is not None
            assert marked(lifeline.marks.base) == []

    asyncio.run(main())


def test_a_later_word_on_a_job_reaches_the_register() -> None:
    async def main() -> None:
        async with open_lifeline() as lifeline:
            lifeline.register(1, Target(mark=5))
            lifeline.register(1, Target(mark=5, leader=6))
            assert register.read(lifeline._register.fd) == [Target(mark=5, leader=6)]
            lifeline.forget(1)

    asyncio.run(main())
