"""The run service at work: over real links, with real processes, and what a hostile or slow caller can make of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.services.run.asking import ask, fan_out, read_until, rest_of, run, running_room
from tests.services.run.house import House, alive, house, wait_until

from lanline.address import Address
from lanline.errors import CallFailed, CallRefused, Status
from lanline.link.client import connect_link
from lanline.link.link import Link
from lanline.roles import Role
from lanline.room.policyfile import add_rule, allow_run_rule
from lanline.services.run.outcome import Cancelled, Exited, Lost, Refused
from lanline.services.run.report import FanOut, Report
from lanline.services.run.service import Run, make
from lanline.services.run.spec import Started, Stop, new_spec
from lanline.testing.room import Room, until

MiB = 1024 * 1024


def _with_room(work: Callable[[Room, Link], Awaitable[None]], **more: Any) -> None:
    """A room, and the link from pc2 to pc3, where things run."""

    async def main() -> None:
        async with running_room(3, **more) as room:
            await work(room, await room["pc2"].link_to("pc3"))

    asyncio.run(main())


# -- who may ask what ------------------------------------------------------------------------------------------


def test_the_endpoints_and_their_least_roles() -> None:
    async def work(room: Room, link: Link) -> None:
        service = make(room["pc2"])
        assert isinstance(service, Run)
        roles = {name: (entry.role, entry.is_local) for name, entry in service.endpoints().items()}
        assert roles["run.start"] == (Role.OPERATOR, False)
        assert roles["run.fan_out"] == (Role.GUEST, True)

    _with_room(work)


def test_a_member_is_refused_before_its_request_is_read() -> None:
    async def work(room: Room, link: Link) -> None:
        with pytest.raises(CallRefused, match="needs the role operator") as caught:
            async with link.open("run.start", "not even a request") as call:
                await call.receive()
        assert not caught.value.may_have_run

    _with_room(work, roles={"pc2": Role.MEMBER, "pc3": Role.OPERATOR})


def test_a_machine_that_was_not_opened_runs_nothing_and_says_how_to_open_it() -> None:
    async def work(room: Room, link: Link) -> None:
        outcome = (await run(link, "true")).outcome
        assert isinstance(outcome, Refused)
        assert outcome.text == "this machine runs nothing for others" and "--allow-run" in outcome.advice

    _with_room(work, allow_run=False)


def test_a_policy_of_programs_lets_these_run_and_no_other() -> None:
    async def main() -> None:
        async with running_room(3, allow_run=False, is_started=False) as room:
            add_rule(room.folders["pc3"].policy, allow_run_rule(("echo", "cat")), allow_root=True)
            await room.start("hub-1", "pc2", "pc3")
            await room.wait_together()
            link = await room["pc2"].link_to("pc3")
            assert (await run(link, "echo", "hi")).out == b"hi\n"
            for argv in (("ls",), ("sh", "-c", "echo hi")):
                outcome = (await run(link, *argv)).outcome
                assert isinstance(outcome, Refused) and "what it lets pc2 run: echo, cat" in outcome.advice
            preload = (await run(link, "echo", variables={"LD_PRELOAD": "x"})).outcome
            assert isinstance(preload, Refused)

    asyncio.run(main())


def test_a_rule_can_name_the_user_that_commands_run_as() -> None:
    async def main() -> None:
        async with running_room(3, allow_run=False, is_started=False) as room:
            _write(room.folders["pc3"].policy, 'allow_root = true\n[[rule]]\nname = "lab"\nany = true\nas = "nobody"\n')
            await room.start("hub-1", "pc2", "pc3")
            await room.wait_together()
            link = await room["pc2"].link_to("pc3")
            ran = await run(link, "id", "-un")
            if os.geteuid() != 0:
                assert isinstance(ran.outcome, Refused) and "as nobody" in ran.outcome.text
                return
            assert ran.out == b"nobody\n" and ran.outcome == Exited(0)
            async with link.open("run.start", new_spec(("sh", "-c", "echo up; sleep 63")), items=Started) as call:
                await read_until(call, b"up")
                await call.send(Stop("enough"))
                assert isinstance((await rest_of(call)).outcome, Cancelled)

    asyncio.run(main())


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


@pytest.mark.parametrize(
    "request_", [[b"short", [b"true"]], [bytes(16), []], 7, None, [bytes(16), [b"true"], {}, "", -1]]
)
def test_a_request_that_is_none_is_an_error_of_the_message(request_: Any) -> None:
    async def work(room: Room, link: Link) -> None:
        with pytest.raises(CallFailed) as caught:
            async with link.open("run.start", request_) as call:
                await call.receive()
        assert caught.value.status is Status.BAD_MESSAGE and not caught.value.may_have_run

    _with_room(work)


# -- what comes back -------------------------------------------------------------------------------------------


def test_output_and_end_come_back_with_what_the_machine_declares() -> None:
    async def work(room: Room, link: Link) -> None:
        ran = await run(link, "sh", "-c", "printf '\\304\\343'; printf '\\272\\303\\n'; echo err >&2; exit 3")
        assert ran.out == "你好\n".encode("gbk") and ran.err == b"err\n"
        assert ran.started is not None and ran.started.encoding
        assert ran.outcome == Exited(3) and ran.ended.wall_s > 0 and (ran.ended.cpu_s or 0) > 0

    _with_room(work)


def test_any_byte_comes_back_as_it_is() -> None:
    data = bytes(range(256)) * 700

    async def work(room: Room, link: Link) -> None:
        path = room.path / "bytes"
        path.write_bytes(data)
        assert (await run(link, "cat", str(path))).out == data

    _with_room(work)


def test_a_background_child_that_holds_the_output_does_not_hold_up_the_answer() -> None:
    async def work(room: Room, link: Link) -> None:
        async with asyncio.timeout(15):
            ran = await run(link, "sh", "-c", "sleep 60 & echo $!")
        os.kill(int(ran.out), 9)
        assert ran.outcome == Exited(0) and ran.ended.held_open and ran.ended.left_running == 1

    _with_room(work)


def test_standard_input_is_empty() -> None:
    async def work(room: Room, link: Link) -> None:
        assert (await run(link, "cat")).outcome == Exited(0)

    _with_room(work)


# -- who leaves ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["cancel", "abort", "close"])
def test_whoever_leaves_ends_the_command_and_all_that_it_started(how: str) -> None:
    number = f"61.{os.getpid()}{how.encode().hex()[:4]}"

    async def work(room: Room, link: Link) -> None:
        text = f"(setsid env -i sleep {number} &) ; echo up; sleep {number}"
        call = link.open("run.start", new_spec(("sh", "-c", text)), items=Started)
        await read_until(call, b"up")
        if how == "cancel":
            call.cancel()
        elif how == "abort":
            link.pump.abort("the cable was pulled")
        else:
            await link.close()
        await until(lambda: room["pc3"].status().services["run"]["jobs"] == 0, "the job to end")
        assert not alive(f"sleep {number}", only_first=True)

    _with_room(work)


def test_half_closing_the_call_is_not_leaving() -> None:
    async def work(room: Room, link: Link) -> None:
        async with link.open("run.start", new_spec(("sh", "-c", "sleep 0.05; echo on")), items=Started) as call:
            call.end()
            assert (await rest_of(call)).out == b"on\n"

    _with_room(work)


# -- endless output, slow viewers, a killed node: with the node in a process of its own -------------------------


@pytest.fixture
def apart() -> Iterator[House]:
    """The hub in one process, pc2 and pc3 in one each."""
    with house({"pc2": Role.OPERATOR, "pc3": Role.OPERATOR}) as made:
        made.start("hub-1")
        made.start("pc2")
        made.start("pc3")
        made.wait_online("pc2", "hub-1", "pc3")
        yield made


def _resident(made: House, name: str) -> int:
    """Bytes of memory that the process of a node holds now."""
    status = Path(f"/proc/{made.processes[name].pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


@contextlib.asynccontextmanager
async def _person(made: House, name: str) -> Any:
    async with connect_link(Address("unix", path=str(made.room.folders[name].control_socket))) as link:
        yield link


def test_endless_output_does_not_grow_memory_and_a_slow_viewer_stalls_only_its_own_job(apart: House) -> None:
    flood = FanOut("pc[2-3]", new_spec(("sh", "-c", "while :; do head -c 1000000 /dev/zero; done")))

    async def main() -> None:
        async with _person(apart, "pc2") as person, _person(apart, "pc2") as other:
            await fan_out(person, "@all", "true")
            before = {name: _resident(apart, name) for name in ("pc2", "pc3")}
            async with person.open("run.fan_out", flood, items=Report) as call:
                seen = 0
                while seen < 300 * MiB:
                    item = await call.receive()
                    seen += len(item) if isinstance(item, bytes) else 0
                # From here on nobody takes anything: other commands on the same links go on.
                for _ in range(3):
                    assert (await fan_out(other, "@all", "echo", "hi")).verdict.text == "3 ok"
                grown = {name: _resident(apart, name) - before[name] for name in before}
                assert max(grown.values()) < 48 * MiB, grown
                await call.send(Stop("enough"))
                async for _ in call:
                    pass
                assert call.result[1] == "2 cancelled: pc[2-3]"

    asyncio.run(main())


def test_a_job_that_ran_is_not_run_again_by_a_node_that_was_killed(apart: House) -> None:
    spec = new_spec(("sh", "-c", "echo up; sleep 60"))

    async def first() -> None:
        async with _person(apart, "pc2") as person:

            async def kill(call: Any, item: Any) -> None:
                if isinstance(item, bytes):
                    apart.processes["pc3"].kill()

            asked = await fan_out(person, "pc3", spec=spec, during=kill)
            assert isinstance(asked.outcomes["pc3"], Lost)

    async def again() -> None:
        async with _person(apart, "pc2") as person, asyncio.timeout(15):
            while (await fan_out(person, "pc3", "true")).outcomes["pc3"] != Exited(0):
                pass  # the word that it is back, and where, is still on its way
            outcome = (await fan_out(person, "pc3", spec=spec)).outcomes["pc3"]
            assert isinstance(outcome, Refused) and outcome.rule == "job"

    asyncio.run(first())
    assert apart.processes["pc3"].wait(10) == -9
    killed = apart.processes["pc3"]
    apart.start("pc3")
    assert killed.stdin is not None and killed.stdout is not None
    killed.stdin.close()
    killed.stdout.close()
    asyncio.run(again())


def test_a_killed_node_leaves_no_process_behind(apart: House) -> None:
    number = f"62.{os.getpid()}"
    text = f"(setsid sh -c 'env -i sh -c \"sleep {number} & sleep {number} & wait\"' &) ; echo up; sleep {number}"

    async def main() -> None:
        async with _person(apart, "pc2") as person:

            async def kill(call: Any, item: Any) -> None:
                if isinstance(item, bytes):
                    wait_until(lambda: len(alive(f"sleep {number}", only_first=True)) == 3, "three sleepers")
                    apart.processes["pc3"].kill()

            await fan_out(person, "pc3", "sh", "-c", text, during=kill)

    asyncio.run(main())
    wait_until(lambda: not alive(f"sleep {number}"), "every process to be gone")
    assert apart.processes["pc3"].wait(10) == -9


def test_one_request_after_another_on_one_link_leaves_nothing_open() -> None:
    async def work(room: Room, link: Link) -> None:
        await run(link, "true")
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(30):
            assert (await ask(link, new_spec(("true",)))).outcome == Exited(0)
        assert len(os.listdir("/proc/self/fd")) == before
        assert link.statistics().under_way == 0

    _with_room(work)
