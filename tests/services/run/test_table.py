"""The jobs of a node: how many, whose, and none after the end."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys

import pytest
from tests.services.run.watching import SCATTERED, open_table, read_until, run, start, watching

from lanline.services.run import table as tables
from lanline.services.run.command import Command
from lanline.services.run.mark import marked
from lanline.services.run.outcome import Cancelled, Exited, Refused, SpawnFailed
from lanline.services.run.table import JobTable


async def sleeping(table: JobTable, caller: str, job_id: bytes | None = None) -> None:
    await table.start(Command(("sleep", "60"), cwd="/"), caller=caller, job_id=job_id)


def test_the_job_beyond_the_limit_is_refused() -> None:
    async def main() -> None:
        async with open_table(max_jobs=2) as table:
            for _ in range(2):
                await sleeping(table, "pc1")
            refused = await start(table, "true")
            assert (await refused.wait()).outcome == Refused("limit", "2 jobs run on this node, limit 2 jobs")
            assert await refused.read() is None
            await table.cancel_all("room")
            assert (await run(table, "true"))[2].outcome == Exited(0)

    asyncio.run(main())


def test_an_id_that_runs_is_not_started_again() -> None:
    async def main() -> None:
        async with open_table() as table:
            await sleeping(table, "pc1", b"i" * 16)
            again = await table.start(Command(("true",)), caller="pc1", job_id=b"i" * 16)
            outcome = (await again.wait()).outcome
            assert isinstance(outcome, Refused)
            assert outcome.rule == "job"
            first = table.job(b"i" * 16)
            assert first is not None and first is not again
            await first.cancel("enough")
            await first.discard()
            assert table.job(b"i" * 16) is None

    asyncio.run(main())


def test_the_jobs_of_one_member_are_ended_and_no_others() -> None:
    async def main() -> None:
        async with open_table() as table:
            for caller in ("pc1", "pc2", "pc1"):
                await sleeping(table, caller)
            mine, others = table.jobs_of("pc1"), table.jobs_of("pc2")
            assert (len(mine), len(others)) == (2, 1)
            assert await table.cancel_of("pc1", "the member was removed") == 2
            assert [(await job.wait()).outcome for job in mine] == [Cancelled("the member was removed")] * 2
            assert table.jobs() == others
            assert await table.cancel_of("pc1", "again") == 0

    asyncio.run(main())


def test_closing_ends_everything_and_starts_nothing_more() -> None:
    async def main() -> None:
        async with open_table() as table:
            guardian = table.statistics()["guardian"]
            assert isinstance(guardian, int)
            jobs = [await start(table, "sh", "-c", SCATTERED) for _ in range(3)]
            for job in jobs:
                await read_until(job, b"up\n")
            with watching([guardian, *(pid for job in jobs for pid in marked(job.mark))]) as watch:
                await table.close()
                assert watch.wait_gone() == set()
            assert [(await job.wait()).outcome for job in jobs] == [Cancelled("the node stops")] * 3
            refused = await start(table, "true")
            assert isinstance((await refused.wait()).outcome, Refused)

    asyncio.run(main())


def test_closing_waits_for_a_job_that_is_being_started() -> None:
    async def main() -> None:
        async with open_table() as table, asyncio.TaskGroup() as group:
            starting = group.create_task(start(table, "sleep", "60"))
            await asyncio.sleep(0)
            await table.close()
            job = await starting
            assert isinstance((await job.wait()).outcome, Cancelled)

    asyncio.run(main())


def test_a_denied_variable_refuses_the_job() -> None:
    async def main() -> None:
        async with open_table() as table:
            job = await start(table, "env", variables={"LD_PRELOAD": "/tmp/x.so"})
            assert (await job.wait()).outcome == Refused(
                "environment", "the variable LD_PRELOAD may not be set on this machine"
            )
            out, _, _ = await run(
                table, "env", variables={"PYTHONPATH": "/srv", "A": "b"}, allowed_variables=("PYTHONPATH",)
            )
            assert {b"PYTHONPATH=/srv", b"A=b"} <= set(out.split(b"\n"))

    asyncio.run(main())


def test_nothing_of_the_nodes_environment_reaches_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "s3cret")

    async def main() -> None:
        async with open_table() as table:
            out, _, _ = await run(table, "env")
            assert b"s3cret" not in out

    asyncio.run(main())


def test_a_job_survives_the_death_of_the_guardian_and_stays_guarded() -> None:
    async def main() -> None:
        async with open_table() as table:
            job = await start(table, "sleep", "60")
            first = table.statistics()["guardian"]
            assert isinstance(first, int)
            with watching([first]) as watch:
                os.kill(first, signal.SIGKILL)
                assert watch.wait_gone() == set()
            for _ in range(4):  # its output has ended: the loop hears of it in its next turns
                await asyncio.sleep(0)
            assert (await run(table, "echo", "on"))[0] == b"on\n"
            assert table.statistics()["guardians_replaced"] == 1
            assert table.statistics()["guardian"] not in (0, first)
            assert job in table.jobs()

    asyncio.run(main())


def test_without_a_guardian_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_GUARDIAN_SECONDS", 0.1)

    async def main() -> None:
        async with open_table() as table:
            guardian = table.statistics()["guardian"]
            assert isinstance(guardian, int)
            monkeypatch.setattr(sys, "executable", "/bin/false")
            with watching([guardian]) as watch:
                os.kill(guardian, signal.SIGKILL)
                assert watch.wait_gone() == set()
            for _ in range(4):
                await asyncio.sleep(0)
            job = await start(table, "true")
            outcome = (await job.wait()).outcome
            assert isinstance(outcome, Refused)
            assert outcome.rule == "guardian"
            assert table.jobs() == ()

    asyncio.run(main())


def test_a_job_the_guardian_cannot_be_told_of_is_refused_and_leaves_the_table_whole() -> None:
    async def main() -> None:
        async with open_table() as table:
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
            try:
                job = await table.start(Command(("true",), cwd="/"), caller="pc1")
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            outcome = (await job.wait()).outcome
            assert isinstance(outcome, Refused)
            assert outcome.rule == "guardian"
            assert table.jobs() == ()
            assert (await run(table, "true"))[2].outcome == Exited(0)

    asyncio.run(main())


def test_a_failed_start_takes_no_place() -> None:
    async def main() -> None:
        async with open_table(max_jobs=1) as table:
            for _ in range(3):
                _, _, ended = await run(table, "no-such-thing")
                assert isinstance(ended.outcome, SpawnFailed)
            assert table.jobs() == ()

    asyncio.run(main())


@pytest.mark.parametrize("use_groups", [False, True])
def test_the_table_tells_what_contains_its_jobs(use_groups: bool) -> None:
    async def main() -> None:
        async with open_table(use_groups=use_groups) as table:
            await run(table, "true")
            told = table.statistics()
            assert told["containment"] in (("mark",) if not use_groups else ("mark", "cgroup+mark"))
            assert (told["started"], told["ended"], told["refused"], told["jobs"]) == (1, 1, 0, 0)
            assert str(told["containment"]) in repr(table)

    asyncio.run(main())


def test_a_system_without_a_way_to_end_jobs_starts_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with open_table() as table:
            outcome = (await (await start(table, "true")).wait()).outcome
            assert isinstance(outcome, Refused)
            assert outcome.rule == "platform"
            assert table.containment == "none"

    with monkeypatch.context() as patch:
        patch.delattr(os, "waitid")
        asyncio.run(main())


def test_two_nodes_on_one_machine_end_their_own_jobs_only() -> None:
    async def main() -> None:
        async with open_table() as one, open_table() as other:
            mine, theirs = await start(one, "sleep", "60"), await start(other, "sleep", "60")
            assert mine.mark != theirs.mark
            await one.cancel_all("mine only")
            assert (await mine.wait()).outcome == Cancelled("mine only")
            assert other.jobs() == (theirs,)
            assert marked(theirs.mark) == [theirs.pid]

    asyncio.run(main())
