"""All jobs of one node: starts them, counts them, finds them, ends them.

It owns what jobs share: the guardian, the marks, the threads that spawn and kill. Nothing here decides who
may run what; that is policy's matter, before `start` is called. Whatever keeps a command from running is an
outcome of its job, never an exception, so that a caller has one way to learn how a job went.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from lanline.services.run import cgroup, process
from lanline.services.run.command import Command
from lanline.services.run.job import LOST_GRACE, Crew, Job
from lanline.services.run.kill import Target
from lanline.services.run.launch import Settled, Ticket
from lanline.services.run.lifeline import Lifeline
from lanline.services.run.outcome import Ended, Refused, SpawnFailed

MAX_JOBS = 8
"""Jobs at once on one node (the table of limits in trust.md)."""

_SPAWNERS = 4
"""Threads that spawn. More would only wait for each other: spawns hold the lock of the mark."""

_GUARDIAN_SECONDS = 2.0
"""How long a start waits while a guardian that died is being replaced, which takes some 30 ms."""


class JobTable:
    """The jobs of a node. Make it with `open`; `close` it before the loop ends.

    Args:
        node: the name of this node, for LANLINE_NODE.
        max_jobs: jobs at once; the next one is refused.
        use_groups: False leaves control groups out even where they could be had.
    """

    def __init__(self, node: str, *, max_jobs: int = MAX_JOBS, use_groups: bool = True) -> None:
        self.node = node
        self._loop = asyncio.get_running_loop()
        self.max_jobs = max_jobs
        self._jobs: dict[bytes, Job] = {}
        self._spawners = ThreadPoolExecutor(_SPAWNERS, "lanline-spawn")
        self._killers = ThreadPoolExecutor(max_jobs + 1, "lanline-kill")
        self._group_parent = cgroup.own_group() if use_groups else None
        self._crew: Crew | None = None
        self._key = 0
        self._counts: Counter[str] = Counter()
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<JobTable node={self.node!r} jobs={len(self._jobs)}/{self.max_jobs} {self.containment}>"

    @classmethod
    async def open(cls, node: str, *, max_jobs: int = MAX_JOBS, use_groups: bool = True) -> Self:
        """Makes a table and starts its guardian.

        Raises:
            RoomError: the guardian did not start.
        """
        self = cls(node, max_jobs=max_jobs, use_groups=use_groups)
        try:
            if _cannot_run() is None:
                lifeline = await Lifeline.open(self._spawners, self.max_jobs)
                self._crew = Crew(node, lifeline, self._spawners, self._killers, self._group_parent, self._on_ended)
        except BaseException:
            self._shut_pools()
            raise
        if self._group_parent is not None:
            cgroup.sweep(self._group_parent)
        return self

    @property
    def containment(self) -> str:
        """What finds the processes of a job again: `cgroup+mark`, `mark`, `session`, or `none` where
        commands are not run at all."""
        if self._crew is None:
            return "none"
        has_marks = self._crew.lifeline.marks is not None
        return "+".join(["cgroup"] * (self._group_parent is not None) + ["mark" if has_marks else "session"])

    async def start(
        self,
        what: Command | Ticket,
        *,
        caller: str,
        job_id: bytes | None = None,
        owner: bytes = b"",
        when_ended: Callable[[Ended], object] | None = None,
    ) -> Job:
        """Starts a command and returns when it runs, or is known not to.

        Args:
            what: the command, or a ticket that judges it. The limits of this table come after the judging: whoever
                may not run it hears that, however many jobs there are.
            caller: the member that asks.
            job_id: 16 bytes; None makes new ones.
            owner: hash of the key of the member that asks, which stays when its name changes.
            when_ended: told the last word, of a refusal too, whoever waits for it or has gone meanwhile.

        Returns:
            The job. When it could not be started it has ended already, refused or failed.
        """
        ticket = Settled(what) if isinstance(what, Command) else what
        job = Job(job_id or secrets.token_bytes(16), caller, owner)
        if when_ended is not None:
            job.when_ended(when_ended)
        refused = self._judge(job) or await self._prepare(job, ticket)
        if refused is not None:
            self._drop(job)
            self._counts["refused"] += 1
            verdict = None
            if self._crew is not None and not self._is_closed:
                verdict = await self._loop.run_in_executor(self._spawners, ticket.judge)
            job.refuse(verdict if isinstance(verdict, Refused | SpawnFailed) else refused)
            return job
        try:
            await job.wait_started()
        except asyncio.CancelledError:
            job.abandon("whoever asked for it left while it was being started")
            raise
        return job

    def jobs(self) -> tuple[Job, ...]:
        """The jobs that are not over."""
        return tuple(self._jobs.values())

    def jobs_of(self, caller: str) -> tuple[Job, ...]:
        """The jobs of one member that are not over."""
        return tuple(job for job in self._jobs.values() if job.caller == caller)

    def job(self, job_id: bytes) -> Job | None:
        """The job with this id, unless it is over."""
        return self._jobs.get(job_id)

    async def cancel_of(self, caller: str, reason: str, *, grace: float = LOST_GRACE) -> int:
        """Ends the jobs of one member, who is no longer one, and waits until they are over.

        Returns:
            How many there were.
        """
        return await self._cancel(self.jobs_of(caller), reason, grace)

    async def cancel_all(self, reason: str, *, grace: float = LOST_GRACE) -> int:
        """Ends every job and waits until all are over. Returns how many there were."""
        return await self._cancel(self.jobs(), reason, grace)

    async def close(self, reason: str = "the node stops", *, grace: float = LOST_GRACE) -> None:
        """Ends every job, lets the guardian go and ends the threads. After it nothing is started."""
        self._is_closed = True
        await self.cancel_all(reason, grace=grace)
        await self._idle.wait()
        if self._crew is not None:
            await self._crew.lifeline.close()
        if self._group_parent is not None:
            cgroup.sweep(self._group_parent)
        await asyncio.to_thread(self._shut_pools)

    def statistics(self) -> dict[str, int | str]:
        """Counts since the start, the jobs now, the containment, and the guardian."""
        counts = {name: self._counts[name] for name in ("ended", "refused")}
        counts["started"] = counts["ended"] + sum(job.command is not None for job in self.jobs())
        lifeline = self._crew.lifeline if self._crew else None
        return {
            **counts,
            "jobs": len(self._jobs),
            "max_jobs": self.max_jobs,
            "containment": self.containment,
            "guardian": (lifeline.guardian_pid or 0) if lifeline else 0,
            "guardians_replaced": lifeline.deaths if lifeline else 0,
        }

    def _judge(self, job: Job) -> Refused | None:
        if (reason := _cannot_run()) is not None:
            return Refused("platform", reason)
        if self._is_closed or self._crew is None:
            return Refused("node", "this node is stopping")
        if job.id in self._jobs:
            return Refused("job", f"the job {job.id.hex()} runs already")
        if len(self._jobs) >= self.max_jobs:
            return Refused("limit", f"{len(self._jobs)} jobs run on this node, limit {self.max_jobs} jobs")
        return None

    async def _prepare(self, job: Job, ticket: Ticket) -> Refused | None:
        """Takes the job in and launches it; the place is taken before anything is waited for."""
        assert self._crew is not None
        self._jobs[job.id] = job
        self._idle.clear()
        try:
            is_guarded = await self._crew.lifeline.wait_alive(_GUARDIAN_SECONDS)
        except asyncio.CancelledError:
            self._drop(job)
            raise
        if not is_guarded:
            return Refused("guardian", "this node has no guardian to end its jobs, so it starts none")
        if self._is_closed:
            return Refused("node", "this node is stopping")
        marks = self._crew.lifeline.marks
        mark = marks.take() if marks else 0
        if mark is None:
            return Refused("limit", "what earlier jobs left running carries every mark that this node has")
        self._key += 1
        try:
            job.launch(self._crew, self._key, Target(mark=mark, since=process.now_ticks()), ticket)
        except OSError as error:  # the register takes nothing; nothing was started
            if marks:
                marks.give_back(mark)
            return Refused("guardian", f"the guardian cannot be told of it, so it is not started: {error.strerror}")
        return None

    async def _cancel(self, jobs: tuple[Job, ...], reason: str, grace: float) -> int:
        for job in jobs:
            job.abandon(reason, grace=grace)
        for job in jobs:
            await job.wait()
        return len(jobs)

    def _on_ended(self, job: Job) -> None:
        self._counts["ended" if job.command is not None else "refused"] += 1
        self._drop(job)

    def _drop(self, job: Job) -> None:
        if self._jobs.get(job.id) is job:
            del self._jobs[job.id]
        if not self._jobs:
            self._idle.set()

    def _shut_pools(self) -> None:
        for pool in (self._spawners, self._killers):
            pool.shutdown()


def _cannot_run() -> str | None:
    """Why this system cannot run commands; None when it can. Without a way to end a job for certain none is
    begun."""
    if sys.platform == "win32":
        return "lanline has no way yet to end a command for certain on Windows, so it starts none there"
    if not hasattr(os, "waitid"):
        return "on macOS commands need Python 3.13 or newer, which has waitid"
    return None
