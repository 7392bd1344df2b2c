"""One job and its caller: what is said in which order, what the caller's words do, and what leaving does."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from tests.services.run.watching import open_table, watching

from lanline.services.run.command import Command
from lanline.services.run.conversation import serve
from lanline.services.run.job import Job
from lanline.services.run.outcome import Cancelled, Ended, Exited, Refused, Signaled
from lanline.services.run.spec import ERR, OUT, Signal, Started, Stop
from lanline.services.run.table import JobTable
from lanline.testing.room import until


class _Line:
    """A caller within this process, as `Call` is one at the other end of a link."""

    def __init__(self, room: int | None = None) -> None:
        self.items: list[Any] = []
        self.changed = asyncio.Event()
        self._take: Callable[[Any], object] | None = None
        self._words: list[Any] = []
        self._room = asyncio.Semaphore(room) if room is not None else None

    async def send(self, item: Any, *, prefix: bytes = b"") -> None:
        if self._room is not None:
            await self._room.acquire()
        self.items.append(prefix + item if isinstance(item, bytes) else item)
        self.changed.set()

    def listen(self, take: Callable[[Any], object]) -> None:
        self._take = take
        for word in self._words:
            take(word)

    def say(self, word: Any) -> None:
        word = msgspec.to_builtins(word)
        if self._take is None:
            self._words.append(word)
        else:
            self._take(word)

    @property
    def output(self) -> bytes:
        return b"".join(item[1:] for item in self.items if isinstance(item, bytes))

    async def until(self, text: bytes) -> None:
        async with asyncio.timeout(10):
            while text not in self.output:
                self.changed.clear()
                await self.changed.wait()


def _with_table(work: Callable[[JobTable], Awaitable[None]]) -> None:
    async def main() -> None:
        async with open_table() as table:
            await work(table)

    asyncio.run(main())


async def _start(table: JobTable, text: str, **more: Any) -> Job:
    return await table.start(Command(("sh", "-c", text), cwd="/", **more), caller="pc1")


async def _saying(table: JobTable, text: str, *words: Any) -> tuple[Ended, _Line]:
    """Serves a command that says `up`, and says these words then."""
    line = _Line()
    job = await _start(table, text, kill_after=0.2)
    serving = asyncio.get_running_loop().create_task(serve(job, line))
    await line.until(b"up")
    for word in words:
        line.say(word)
    return await serving, line


def test_first_comes_the_start_then_the_output_by_stream_then_the_end() -> None:
    async def work(table: JobTable) -> None:
        line = _Line()
        job = await _start(table, "echo out; echo err >&2; exit 3")
        pid = job.pid
        ended = await serve(job, line)
        started, *output = line.items
        assert isinstance(started, Started) and started.pid == pid and started.at_ns > 10**18
        assert sorted(output) == [bytes((OUT,)) + b"out\n", bytes((ERR,)) + b"err\n"]
        assert ended.outcome == Exited(3) and (ended.out_bytes, ended.err_bytes) == (4, 4)

    _with_table(work)


def test_a_job_that_was_refused_has_an_end_and_nothing_else() -> None:
    async def work(table: JobTable) -> None:
        line = _Line()
        job = await table.start(Command(("true",), variables={"LD_PRELOAD": "x"}), caller="pc1")
        ended = await serve(job, line)
        assert isinstance(ended.outcome, Refused) and line.items == []

    _with_table(work)


def test_output_over_the_limit_is_dropped_and_counted_and_the_command_goes_on() -> None:
    async def work(table: JobTable) -> None:
        line = _Line()
        job = await _start(table, "head -c 300000 /dev/zero; exit 4")
        ended = await serve(job, line, 1000)
        assert line.output == bytes(1000)
        assert ended.outcome == Exited(4) and ended.dropped_bytes == 299_000

    _with_table(work)


def test_the_callers_stop_ends_it_as_cancelled() -> None:
    async def work(table: JobTable) -> None:
        ended, _ = await _saying(table, "echo up; sleep 60", Stop("enough"))
        assert ended.outcome == Cancelled("enough")

    _with_table(work)


def test_a_second_stop_shortens_the_grace() -> None:
    async def work(table: JobTable) -> None:
        line = _Line()
        job = await _start(table, "trap '' TERM; echo up; sleep 60 & wait; wait", kill_after=30.0)
        serving = asyncio.get_running_loop().create_task(serve(job, line))
        await line.until(b"up")
        line.say(Stop("first"))
        line.say(Stop("second", 0.0))
        async with asyncio.timeout(10):
            assert (await serving).outcome == Cancelled("first")

    _with_table(work)


def test_a_word_that_came_before_the_job_is_obeyed() -> None:
    async def work(table: JobTable) -> None:
        line = _Line()
        line.say(Stop("too late anyway"))
        assert (await serve(await _start(table, "sleep 60"), line)).outcome == Cancelled("too late anyway")

    _with_table(work)


@pytest.mark.parametrize(
    ("name", "outcome"), [("USR1", Exited(7)), ("TERM", Signaled("SIGTERM")), ("KILL", Signaled("SIGKILL"))]
)
def test_a_signal_reaches_the_command(name: str, outcome: Any) -> None:
    async def work(table: JobTable) -> None:
        text = "trap 'exit 7' USR1; echo up; while :; do sleep 0.02; done"
        ended, _ = await _saying(table, text, Signal(name))
        assert ended.outcome == outcome

    _with_table(work)


@pytest.mark.parametrize("word", [Signal("SEGV"), "nonsense", ["unknown", 1], {"a": 1}, b"raw"])
def test_a_word_that_is_not_understood_ends_the_job(word: Any) -> None:
    async def work(table: JobTable) -> None:
        ended, _ = await _saying(table, "echo up; sleep 60", word)
        assert isinstance(ended.outcome, Cancelled) and "not understand" in ended.outcome.reason

    _with_table(work)


def test_whoever_takes_nothing_stops_the_command_and_grows_nothing() -> None:
    async def work(table: JobTable) -> None:
        line = _Line(room=3)  # the start and two pieces
        job = await _start(table, "while :; do head -c 65536 /dev/zero; done")
        serving = asyncio.get_running_loop().create_task(serve(job, line))
        await until(lambda: len(line.items) == 3, "the start and two pieces")
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(line.items) == 3 and not serving.done()
        line.say(Stop("enough"))
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    _with_table(work)


def test_leaving_ends_the_job_and_waits_until_it_is_over() -> None:
    async def work(table: JobTable) -> None:
        line = _Line()
        job = await _start(table, "sleep 61 & sleep 62 & echo up; wait")
        serving = asyncio.get_running_loop().create_task(serve(job, line))
        await line.until(b"up")
        assert job.pid is not None
        with watching([job.pid]) as watch:
            serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await serving
            assert watch.wait_gone() == set()
        assert table.jobs() == ()

    _with_table(work)


def test_a_command_that_closes_its_output_can_still_be_stopped() -> None:
    async def work(table: JobTable) -> None:
        line = _Line()
        job = await _start(table, "echo up; exec >&- 2>&-; sleep 60")
        serving = asyncio.get_running_loop().create_task(serve(job, line))
        await line.until(b"up")
        line.say(Stop("enough"))
        async with asyncio.timeout(10):
            assert (await serving).outcome == Cancelled("enough")

    _with_table(work)


def test_a_background_child_that_holds_the_output_does_not_hold_up_the_answer() -> None:
    async def work(table: JobTable) -> None:
        line = _Line()
        job = await _start(table, "sleep 60 & echo $!")
        async with asyncio.timeout(15):
            ended = await serve(job, line)
        os.kill(int(line.output), signal.SIGKILL)
        assert ended.outcome == Exited(0) and ended.held_open and ended.left_running == 1

    _with_table(work)
