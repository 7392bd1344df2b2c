"""One command that runs: its output when somebody asks for it, its outcome, and the one way to end it.

States::

    STARTING -> RUNNING -> EXITED -> ENDED        the command ended by itself; EXITED hands over what is left
                   |          |
                   +-> STOPPING -> EXITED -> ENDED   cancel, timeout, lost client, node stop: all by `stop`

Rules. The exit is decided by the process, never by the end of its output. The outcome is decided once: by
whatever came first, the exit or the wish to end it. Until a job is over its leader stays unreaped, so that
its pid and session number cannot pass to anybody else. After a normal exit the processes that the command
left running are left alone and counted (`Ended.left_running`), as ssh does: starting a daemon is a thing
people run commands for. On every other way they are killed.

It holds no task: it is moved by the loop's callbacks and by threads that spawn and kill, so nothing that a
caller cancels can leave a process behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import signal as signals
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from time import monotonic
from types import TracebackType
from typing import NamedTuple, Self

from lanline.errors import UsageError
from lanline.services.run import cgroup, kill, process, spawn
from lanline.services.run.command import KILL_AFTER, Command
from lanline.services.run.kill import Killed, Target
from lanline.services.run.launch import Begun, Ticket, begin
from lanline.services.run.lifeline import Lifeline
from lanline.services.run.outcome import Cancelled, Ended, Lost, Outcome, Refused, SpawnFailed, TimedOut
from lanline.services.run.output import Output, Stream
from lanline.services.run.process import Process
from lanline.services.run.spawn import Spawned

LOST_GRACE = 0.5
"""Seconds between SIGTERM and SIGKILL when nobody waits for the job any more."""

SIGNALS = ("INT", "TERM", "KILL", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT")
"""Names of what a caller may send to its own job."""

_SHORT = 1.0
"""Seconds in which no machine gives out as many pids as its counter holds (`process.newer_than`)."""


class State(enum.Enum):
    """Where a job is in its life."""

    STARTING = enum.auto()
    RUNNING = enum.auto()
    STOPPING = enum.auto()
    EXITED = enum.auto()
    ENDED = enum.auto()


class Crew(NamedTuple):
    """What all jobs of a node share; the table owns it.

    Args:
        node: its name.
        lifeline: the guardian, and the marks.
        spawners: threads that judge, write down and spawn.
        killers: threads for kills and scans, as many as there can be jobs.
        group_parent: the folder to make control groups in; None for none.
        on_ended: called once with each job that is over.
    """

    node: str
    lifeline: Lifeline
    spawners: Executor
    killers: Executor
    group_parent: str | None
    on_ended: Callable[[Job], None]


class Job:
    """A command on this machine. `JobTable.start` makes it; use it with `async with`, so that it is ended
    when the block is left.

    Attributes:
        id: 16 bytes that name it for good.
        caller: the member that asked for it.
        owner: hash of that member's key; empty where it has none.
        command: what it runs; None until it was permitted, and for good when it never is.
        state: where it is in its life.
    """

    def __init__(self, job_id: bytes, caller: str, owner: bytes = b"") -> None:
        self.id = job_id
        self.caller = caller
        self.owner = owner
        self.command: Command | None = None
        self.state = State.STARTING
        self._loop = asyncio.get_running_loop()
        self._crew: Crew | None = None
        self._key = 0
        self._target = Target()
        self._spawned: Spawned | None = None
        self._output: Output | None = None
        self._outcome: Outcome | None = None
        self._stopping: tuple[Outcome, float] | None = None
        self._hurry: tuple[int, int] | None = None
        self._left: int | None = 0
        self._began = monotonic()
        self._exited_at: float | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._is_abandoned = False
        self._is_concluding = False
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[Ended] = self._loop.create_future()

    def __repr__(self) -> str:
        name = os.fsdecode(self.command.argv[0]) if self.command is not None and self.command.argv else ""
        return f"<Job {self.id.hex()[:8]} {name!r} {self.state.name} pid={self.pid} caller={self.caller!r}>"

    @property
    def pid(self) -> int | None:
        """The pid of the command, None before it was started. After the job has ended it may be another's."""
        return self._spawned.pid if self._spawned else None

    @property
    def mark(self) -> int:
        """The mark its processes carry; 0 where there are no marks."""
        return self._target.mark

    async def read(self) -> tuple[Stream, bytes] | None:
        """The next piece of output. What is not read stays in the command's own pipe and stops it there.

        Returns:
            The stream and 1 to `output.CHUNK_BYTES` bytes of it; None when there will be no more.
        """
        await self.wait_started()
        piece = await self._output.read() if self._output else None
        if piece is None and self._output is not None:
            self._conclude()  # now, not in the turn after the next
        return piece

    async def wait_started(self) -> None:
        """Waits until the command runs, or is known not to."""
        if not self._started.done():
            await asyncio.shield(self._started)

    async def wait(self) -> Ended:
        """The last word on the job. It comes after the output was read to its end or dropped."""
        return self._ended.result() if self._ended.done() else await asyncio.shield(self._ended)

    def when_ended(self, tell: Callable[[Ended], object]) -> None:
        """Has the last word told, whoever waits for it or has gone; at once in the next loop turn when it was said."""
        self._ended.add_done_callback(lambda ended: tell(ended.result()))

    async def discard(self) -> Ended:
        """Reads the output and drops it, then waits."""
        while await self.read() is not None:
            pass
        return await self.wait()

    async def cancel(self, reason: str, *, grace: float | None = None) -> None:
        """Ends the job and returns when none of its processes is left, or it is certain that they cannot be
        killed (`Ended.left_running`). What it wrote can still be read.

        Args:
            reason: one sentence for the outcome.
            grace: seconds between SIGTERM and SIGKILL; None is the command's own. A second call with fewer
                seconds shortens a wait under way: 0 is the second Ctrl-C.
        """
        self.stop(Cancelled(reason), grace=grace)
        await asyncio.shield(self._gone)

    def abandon(self, reason: str, *, grace: float = LOST_GRACE) -> None:
        """Ends the job because nobody waits for its output any more: what is not read is dropped. Returns at
        once; `wait` returns when it is over."""
        self._is_abandoned = True
        self.stop(Cancelled(reason), grace=grace)
        if self._output is not None and (self.state is State.EXITED or self._is_concluding):
            self._output.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._ended.done():
            self.abandon("whoever asked for it has gone")
            await self.wait()

    def stop(self, outcome: Outcome, *, grace: float | None = None) -> None:
        """The one way in which a job is ended before its time. Returns at once.

        Args:
            outcome: what it is ended as, unless it has exited or is being ended already.
            grace: as for `cancel`.
        """
        if grace is None:
            grace = KILL_AFTER if self.command is None else self.command.kill_after
        if self._ended.done() or self._is_concluding:
            return
        if self._stopping is not None:
            self._stopping = (self._stopping[0], min(grace, self._stopping[1]))
            self._timers.append(self._loop.call_later(grace, self._hurry_up))
            return
        self._stopping = (outcome, grace)
        if self._spawned is not None:
            self._kill()

    def refuse(self, outcome: Refused | SpawnFailed) -> None:
        """Ends a job that was never started."""
        self._settle(Ended(outcome))

    def signal(self, name: str) -> bool:
        """Sends a signal to the command and what shares its process group. Not a way to end a job for certain.

        Args:
            name: one of `SIGNALS`.

        Returns:
            Whether there was anybody to send it to.

        Raises:
            UsageError: lanline sends no signal of this name.
        """
        if name not in SIGNALS:
            raise UsageError(f"there is no signal {name[:20]!r} to send: there are {', '.join(SIGNALS)}")
        if self._spawned is None or self.state is State.ENDED or self._spawned.popen.returncode is not None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._spawned.pid, getattr(signals, f"SIG{name}"))
            return True
        return False

    def launch(self, crew: Crew, key: int, target: Target, ticket: Ticket) -> None:
        """Starts it. The guardian hears of it first.

        Args:
            crew: what the jobs of this node share.
            key: its number with the guardian.
            target: its mark, and the moment before which nothing of it can have begun.
            ticket: judges and permits it, in the thread that spawns.
        """
        self._crew = crew
        self._key = key
        self._target = target
        crew.lifeline.register(key, target)
        work = partial(begin, ticket, job=self.id.hex(), node=crew.node, mark=target.mark)
        self._loop.run_in_executor(crew.spawners, work).add_done_callback(self._on_begun)

    def _on_begun(self, future: asyncio.Future[Begun]) -> None:
        assert self._crew is not None
        if (error := future.exception()) is not None:
            self._settle(Ended(Lost(f"the spawn failed in a way that was not foreseen: {error!r}")))
            return
        begun = future.result()
        self.command = begun.command
        self._began = begun.at
        if begun.failed is not None:
            self._settle(Ended(begun.failed))
            return
        now = self._spawned = begun.spawned
        assert now is not None and begun.command is not None, "what did not fail was spawned"
        self.state = State.RUNNING
        self._output = Output(now.out_fd, now.err_fd)
        self._output.closed.add_done_callback(lambda _: self._conclude())
        self._target = self._target._replace(leader=now.pid)
        self._watch_exit(now)
        if (timeout := begun.command.timeout) is not None:
            self._timers.append(self._loop.call_later(timeout, self.stop, TimedOut(timeout)))
        if self._target.mark:
            self._timers.append(self._loop.call_later(cgroup.SETTLE, self._settle_in))
        else:
            self._settle_in()
        self._started.set_result(None)
        if self._stopping is not None:
            self._kill()

    def _watch_exit(self, now: Spawned) -> None:
        if now.pidfd >= 0:
            self._loop.add_reader(now.pidfd, self._on_exit)
            return

        def wait() -> None:
            spawn.wait_exit(now.pid)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is interested any more
                self._loop.call_soon_threadsafe(self._on_exit)

        threading.Thread(target=wait, name=f"lanline-wait-{now.pid}", daemon=True).start()

    def _on_exit(self) -> None:
        """The leader has ended."""
        assert self._spawned is not None and self._output is not None
        if self._spawned.pidfd >= 0:
            self._loop.remove_reader(self._spawned.pidfd)
        self._exited_at = monotonic()
        if self._ended.done():  # it could not be killed then, and has ended now
            self._release()
            return
        if self._stopping is not None:
            return
        self._cancel_timers()
        self._outcome = spawn.exit_of(self._spawned.pid)
        self.state = State.EXITED
        self._output.finish()
        self._conclude()

    def _kill(self) -> None:
        assert self._crew is not None and self._stopping is not None
        self._cancel_timers()
        outcome, grace = self._stopping
        if self._outcome is None:
            self._outcome = outcome
        self.state = State.STOPPING
        self._hurry = os.pipe()
        self._target = self._with_start()
        work = partial(kill.end, [self._target], grace=grace, hurry=self._hurry[0])
        self._loop.run_in_executor(self._crew.killers, work).add_done_callback(self._on_killed)

    def _hurry_up(self) -> None:
        if self._hurry is not None:
            os.write(self._hurry[1], b"!")

    def _on_killed(self, future: asyncio.Future[Killed]) -> None:
        assert self._output is not None
        self._cancel_timers()
        if self._hurry is not None:
            for fd in self._hurry:
                os.close(fd)
            self._hurry = None
        self._left = self._count_left(future)
        self.state = State.EXITED
        self._exited_at = self._exited_at or monotonic()
        self._output.finish()
        if self._is_abandoned:
            self._output.close()
        if not self._gone.done():
            self._gone.set_result(None)
        self._conclude()

    def _settle_in(self) -> None:
        """Tells the guardian the leader too, and moves the job into a control group of its own, in a thread:
        it takes some 11 ms. Not at once: most commands are over before, and until then the mark finds them."""
        assert self._crew is not None
        if self.state is not State.RUNNING:
            return
        parent = self._crew.group_parent
        group = cgroup.make(parent, self._key) if parent is not None else None
        self._target = self._with_start()._replace(group=group or "")
        self._crew.lifeline.register(self._key, self._target)
        if group is None or parent is None:
            return
        work = partial(kill.gather, self._target, parent)
        self._loop.run_in_executor(self._crew.killers, work)

    def _with_start(self) -> Target:
        """The target with the start time of its leader. Read when it is needed: right after the spawn that
        can take until a short command is over."""
        leader = process.read(self._target.leader) if process.has_proc else None
        return self._target._replace(leader_start=leader.start_ticks) if leader else self._target

    def _conclude(self) -> None:
        """Once the processes are over and the output is too: counts what was left running, then settles."""
        assert self._output is not None and self._crew is not None
        if self.state is not State.EXITED or not self._output.is_closed or self._is_concluding:
            return
        self._is_concluding = True
        self._cancel_timers()
        if self._stopping is not None:
            self._finish(self._left)
            return
        is_short = monotonic() - self._began < _SHORT
        candidates = process.newer_than(self._target.leader) if is_short else None
        if candidates is not None:
            self._finish(kill.count(candidates, self._target))
        else:
            self._target = self._with_start()
            future = self._loop.run_in_executor(self._crew.killers, kill.find, [self._target])
            future.add_done_callback(lambda done: self._finish(self._count_left(done)))

    def _count_left(self, future: asyncio.Future[Killed] | asyncio.Future[list[Process]]) -> int | None:
        """What a kill or a scan found; None, and a word to whoever listens to the loop, when it failed."""
        error = future.exception()
        if error is None:
            result = future.result()
            return len(result.left if isinstance(result, Killed) else result)
        text = f"job {self.id.hex()}: its processes could not be looked for"
        self._loop.call_exception_handler({"message": text, "exception": error})
        return None

    def _finish(self, left: int | None) -> None:
        assert self._output is not None and self._outcome is not None and self._spawned is not None
        assert self._exited_at is not None
        has_ended = self._stopping is None or spawn.exit_of(self._spawned.pid) is not None
        usage = spawn.reap(self._spawned) if has_ended else None
        self._settle(
            Ended(
                outcome=self._outcome,
                wall_s=self._exited_at - self._began,
                cpu_s=usage.cpu_s if usage else None,
                max_rss_bytes=usage.max_rss_bytes if usage else None,
                out_bytes=self._output.out_bytes,
                err_bytes=self._output.err_bytes,
                held_open=self._output.held_open,
                left_running=left,
                dropped_bytes=self._output.dropped_bytes,
            )
        )

    def _settle(self, ended: Ended) -> None:
        """The end of every job, started or not."""
        self.state = State.ENDED
        self._cancel_timers()
        if self._spawned is not None and self._spawned.popen.returncode is not None:
            self._release()
        for future in (self._started, self._gone):
            if not future.done():
                future.set_result(None)
        self._ended.set_result(ended)
        if self._crew is not None:
            self._crew.lifeline.forget(self._key)
            if self._crew.lifeline.marks is not None:
                self._crew.lifeline.marks.give_back(self._target.mark)
            if self._target.group:
                cgroup.remove(self._target.group)
            self._crew.on_ended(self)

    def _release(self) -> None:
        """Reaps the leader if that was not done, and closes its pidfd."""
        assert self._spawned is not None
        if self._spawned.popen.returncode is None:
            spawn.reap(self._spawned)
        if self._spawned.pidfd >= 0:
            self._loop.remove_reader(self._spawned.pidfd)
            os.close(self._spawned.pidfd)
            self._spawned = self._spawned._replace(pidfd=-1)

    def _cancel_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
