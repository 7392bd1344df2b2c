"""The jobs of one machine: the order of its checks, what it keeps about them, and whose jobs it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.services.run.asking import ask, audit_of, read_until, rest_of, run, running_room

from lanline.link.link import Link
from lanline.roles import Role
from lanline.room.audit import AuditLog
from lanline.services.run.outcome import Cancelled, Exited, Refused
from lanline.services.run.spec import Started, new_spec
from lanline.testing.room import Room, until


def _with_room(work: Callable[[Room, Link], Awaitable[None]], **more: Any) -> None:
    """A room, and the link from pc2 to pc3, where things run."""

    async def main() -> None:
        async with running_room(3, **more) as room:
            await work(room, await room["pc2"].link_to("pc3"))

    asyncio.run(main())


def test_start_and_end_are_in_the_audit_in_this_order() -> None:
    async def work(room: Room, link: Link) -> None:
        spec = new_spec(("sh", "-c", "exit 3"))
        assert (await ask(link, spec)).outcome == Exited(3)
        await until(lambda: len(audit_of(room["pc3"])) == 2, "the end in the audit")
        start, end = audit_of(room["pc3"])
        assert (start["what"], end["what"]) == ("run.start", "run.end")
        assert start["job"] == end["job"] == spec.job_id.hex()
        assert start["who"]["name"] == "pc2" and end["details"]["code"] == 3

    _with_room(work)


def test_a_job_id_runs_once_also_across_a_restart() -> None:
    async def work(room: Room, link: Link) -> None:
        spec = new_spec(("true",))
        assert (await ask(link, spec)).outcome == Exited(0)
        again = (await ask(link, spec)).outcome
        assert isinstance(again, Refused) and again.rule == "job"
        await room.stop("pc3")
        await room.start("pc3")
        await room.wait_together()
        after = (await ask(await room["pc2"].link_to("pc3"), spec)).outcome
        assert isinstance(after, Refused) and "ran here already" in after.text

    _with_room(work)


def test_a_job_id_that_runs_now_does_not_run_beside_itself() -> None:
    async def work(room: Room, link: Link) -> None:
        spec = new_spec(("sh", "-c", "echo up; sleep 60"))
        async with link.open("run.start", spec, items=Started) as call:
            await read_until(call, b"up")
            beside = (await ask(link, spec)).outcome
            assert isinstance(beside, Refused) and beside.rule == "job"

    _with_room(work)


def test_one_job_more_than_the_limit_is_refused_and_written_down() -> None:
    async def work(room: Room, link: Link) -> None:
        calls = []
        for _ in range(8):
            call = link.open("run.start", new_spec(("sh", "-c", "echo up; sleep 60")), items=Started)
            await read_until(call, b"up")
            calls.append(call)
        refused = (await run(link, "true")).outcome
        assert refused == Refused("limit", "8 jobs run on this node, limit 8 jobs")
        for call in calls:
            call.cancel()
        await until(lambda: room["pc3"].status().services["run"]["jobs"] == 0, "the jobs to end")
        await until(lambda: any(one["what"] == "run.refused" for one in audit_of(room["pc3"])), "the refusal")
        assert (await run(link, "true")).outcome == Exited(0)

    _with_room(work)


def test_whoever_may_not_run_hears_that_before_he_hears_of_limits() -> None:
    async def work(room: Room, link: Link) -> None:
        path = room.folders["pc3"].policy
        path.write_text('allow_root = true\n[[rule]]\nname = "sleepers"\nprograms = ["sleep"]\n')
        await room.stop("pc3")
        await room.start("pc3")
        await room.wait_together()
        link = await room["pc2"].link_to("pc3")
        calls = [link.open("run.start", new_spec(("sleep", "60")), items=Started) for _ in range(8)]
        for call in calls:
            assert isinstance(await call.receive(), Started)
        refused = (await run(link, "true")).outcome
        assert isinstance(refused, Refused) and refused.rule == "policy"
        full = (await run(link, "sleep", "1")).outcome
        assert isinstance(full, Refused) and full.rule == "limit"
        for call in calls:
            call.cancel()

    _with_room(work)


@pytest.mark.parametrize("is_removed", [True, False])
def test_the_jobs_of_who_is_removed_or_no_operator_any_more_are_ended(is_removed: bool) -> None:
    async def work(room: Room, link: Link) -> None:
        async with room.person("hub-1") as owner:
            async with link.open("run.start", new_spec(("sh", "-c", "echo up; sleep 60")), items=Started) as call:
                await read_until(call, b"up")
                assert room["pc3"].status().services["run"]["jobs"] == 1
                if is_removed:
                    await owner.ask("node.remove", "pc2")
                    await until(lambda: room["pc3"].status().services["run"]["jobs"] == 0, "the job to end")
                else:
                    await owner.ask("node.set_role", "pc2", Role.MEMBER)
                    ran = await rest_of(call)
                    assert ran.outcome == Cancelled("pc2 is no operator any more")
            await until(lambda: len(audit_of(room["pc3"])) == 2, "the end in the audit")
            assert audit_of(room["pc3"])[1]["details"]["outcome"] == "cancelled"

    _with_room(work)


def test_the_end_of_a_job_whose_caller_left_while_it_started_is_in_the_audit() -> None:
    async def work(room: Room, link: Link) -> None:
        for _ in range(5):
            call = link.open("run.start", new_spec(("sleep", "60")), items=Started)
            await asyncio.sleep(0)
            call.cancel()
        await until(lambda: room["pc3"].status().services["run"]["jobs"] == 0, "the jobs to end")
        assert (await run(link, "true")).outcome == Exited(0)

        def is_paired() -> bool:
            kinds = [record["what"] for record in audit_of(room["pc3"])]
            return kinds.count("run.start") == kinds.count("run.end") >= 1

        await until(is_paired, "as many ends as starts")

    _with_room(work)


def test_a_stopping_node_ends_its_jobs_and_says_so() -> None:
    async def work(room: Room, link: Link) -> None:
        async with link.open("run.start", new_spec(("sh", "-c", "echo up; sleep 60")), items=Started) as call:
            await read_until(call, b"up")
            folder = room["pc3"].audit.folder
            stopping = asyncio.get_running_loop().create_task(room.stop("pc3"))
            assert (await rest_of(call)).outcome == Cancelled("the node stops")
            await stopping
        with AuditLog(folder) as audit:
            assert audit.statistics()["lines"] == 3  # the segment, the start and the end

    _with_room(work)


def test_figures_tell_of_jobs_and_of_how_they_are_contained() -> None:
    async def work(room: Room, link: Link) -> None:
        await run(link, "true")
        await run(link, "no-such-program")
        figures = room["pc3"].status().services["run"]
        assert figures["containment"] in ("cgroup+mark", "mark", "cgroup+session", "session")
        assert (figures["jobs"], figures["max_jobs"], figures["started"], figures["refused"]) == (0, 8, 1, 1)
        assert figures["fan_outs"] == 0

    _with_room(work)
