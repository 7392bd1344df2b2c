"""One command on many machines: the plan, one end for each, and that what one machine does is its own matter."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest
from tests.services.run.asking import audit_of, fan_out, running_room

from lanline.errors import CallFailed, CallRefused
from lanline.link.call import Call
from lanline.link.caller import Caller
from lanline.link.link import Link
from lanline.link.service import Service, endpoint
from lanline.roles import Role
from lanline.room.context import Context
from lanline.services.run.outcome import Cancelled, Ended, Exited, Lost, Refused, Unreachable
from lanline.services.run.report import FanOut, MemberStarted, Plan
from lanline.services.run.service import Run
from lanline.services.run.spec import Go, Signal, Spec, Stop, new_spec
from lanline.testing.room import Room, until


def _with_person(work: Callable[[Room, Link], Awaitable[None]], nodes: int = 4, at: str = "pc2", **more: Any) -> None:
    """A room, and a person at one of its machines."""

    async def main() -> None:
        async with running_room(nodes, **more) as room, room.person(at) as person:
            await work(room, person)

    asyncio.run(main())


# -- what is asked ---------------------------------------------------------------------------------------------


def test_every_machine_runs_it_and_ends_once() -> None:
    async def work(room: Room, person: Link) -> None:
        asked = await fan_out(person, "@all", "sh", "-c", "echo $LANLINE_NODE $LANLINE_JOB")
        names = ("hub-1", "pc2", "pc3", "pc4")
        assert asked.plan == Plan(names, "hub-1,pc[2-4]", False)
        assert asked.outcomes == dict.fromkeys(names, Exited(0))
        assert {name: out.split()[0].decode() for name, out in asked.out.items()} == {name: name for name in names}
        assert len({out.split()[1] for out in asked.out.values()}) == 1  # one job id in the whole room
        assert set(asked.started) == set(names)
        assert (asked.verdict.exit_code, asked.verdict.text) == (0, "4 ok")

    _with_person(work)


def test_this_machine_is_judged_and_written_down_like_any_other() -> None:
    async def work(room: Room, person: Link) -> None:
        await fan_out(person, "pc[2-3]", "true")
        for name in ("pc2", "pc3"):
            await until(lambda name=name: len(audit_of(room[name])) == 2, "start and end in the audit")  # type: ignore[misc]
            assert audit_of(room[name])[0]["who"]["name"] == "pc2"

    _with_person(work)


def test_a_target_that_selects_nobody_is_said_before_anything_runs() -> None:
    async def work(room: Room, person: Link) -> None:
        for target, words in (("pc33", "no member pc33"), ("@nobody", "no group"), ("pc[1-10000000]", "limit 4096")):
            with pytest.raises(CallFailed, match=words) as caught:
                await fan_out(person, target, "true")
            assert caught.value.details["error"] == "TargetError" and not caught.value.may_have_run

    _with_person(work, 2)


def test_somebody_who_is_no_operator_is_told_what_to_do() -> None:
    async def work(room: Room, person: Link) -> None:
        with pytest.raises(CallRefused, match="pc2 is member") as caught:
            await fan_out(person, "@all", "true")
        assert "lanline members role pc2 operator" in caught.value.details["advice"]
        assert audit_of(room["pc2"]) == []

    _with_person(work, 2, roles={"pc2": Role.MEMBER})


def test_only_people_of_this_machine_may_fan_out() -> None:
    async def work(room: Room, person: Link) -> None:
        link = await room["pc3"].link_to("pc2")
        with pytest.raises(CallRefused, match="own machine"):
            await fan_out(link, "@all", "true")

    _with_person(work, 3)


@pytest.mark.parametrize("word", [Go(), Stop("no"), None])
def test_above_the_agreed_number_nothing_runs_without_a_yes(word: Any) -> None:
    async def work(room: Room, person: Link) -> None:
        async def answer(call: Call, item: Any) -> None:
            if isinstance(item, Plan):
                assert item.waits
                call.end() if word is None else await call.send(word)

        try:
            asked = await fan_out(person, "@all", "true", asks_above=2, during=answer)
            assert isinstance(word, Go) and asked.verdict.text == "3 ok"
        except CallFailed as error:
            assert not isinstance(word, Go) and "nobody said yes" in str(error)
            assert all(audit_of(node) == [] for node in room.nodes.values())

    _with_person(work, 3)


def test_up_to_the_agreed_number_nobody_is_asked() -> None:
    async def work(room: Room, person: Link) -> None:
        assert not (await fan_out(person, "@all", "true", asks_above=3)).plan.waits

    _with_person(work, 3)


def test_no_more_machines_run_at_once_than_was_said() -> None:
    async def work(room: Room, person: Link) -> None:
        text = f"exec 9>>{room.path}/lock; flock -n 9 || exit 9; sleep 0.02"
        asked = await fan_out(person, "@all", "sh", "-c", text, at_once=1)
        assert asked.verdict.text == "4 ok"

    _with_person(work)


# -- how it ends -----------------------------------------------------------------------------------------------


def test_each_machine_has_an_outcome_of_its_own() -> None:
    async def work(room: Room, person: Link) -> None:
        await room.stop("pc4")
        room.folders["pc3"].policy.unlink()
        await room.stop("pc3")
        await room.start("pc3")
        await room.wait_together()
        asked = await fan_out(person, "@all", "sh", "-c", "test $LANLINE_NODE = pc2")
        assert asked.outcomes["pc2"] == Exited(0) and asked.outcomes["hub-1"] == Exited(1)
        assert isinstance(asked.outcomes["pc3"], Refused) and isinstance(asked.outcomes["pc4"], Unreachable)
        assert asked.verdict.exit_code == 125
        assert asked.verdict.text == "1 ok, 1 exit 1: hub-1, 1 refused: pc3, 1 unreachable: pc4"

    _with_person(work)


def test_a_machine_that_goes_away_after_the_start_is_lost() -> None:
    async def work(room: Room, person: Link) -> None:
        async def break_link(call: Call, item: Any) -> None:
            if isinstance(item, MemberStarted):
                link = room["pc2"].live_link("pc3")
                assert link is not None
                link.pump.abort("the cable was pulled")

        asked = await fan_out(person, "pc3", "sleep", "60", during=break_link)
        assert isinstance(asked.outcomes["pc3"], Lost)
        await until(lambda: room["pc3"].status().services["run"]["jobs"] == 0, "the job to be ended there")

    _with_person(work, 3)


def test_stop_ends_all_and_each_says_how() -> None:
    async def work(room: Room, person: Link) -> None:
        started = 0

        async def stop(call: Call, item: Any) -> None:
            nonlocal started
            started += isinstance(item, MemberStarted)
            if isinstance(item, MemberStarted) and started == 4:
                await call.send(Stop("enough"))

        asked = await fan_out(person, "@all", "sleep", "60", during=stop)
        assert set(asked.outcomes.values()) == {Cancelled("enough")}
        assert (asked.verdict.exit_code, asked.verdict.text) == (130, "4 cancelled: hub-1,pc[2-4]")

    _with_person(work)


def test_stop_reaches_machines_that_wait_for_their_turn() -> None:
    async def work(room: Room, person: Link) -> None:
        async def stop(call: Call, item: Any) -> None:
            if isinstance(item, MemberStarted):
                await call.send(Stop("enough"))
                await call.send(Stop("again"))

        asked = await fan_out(person, "@all", "sleep", "60", at_once=1, during=stop)
        assert len(asked.started) == 1
        assert {type(outcome) for outcome in asked.outcomes.values()} == {Cancelled}

    _with_person(work)


def test_stop_before_anything_began_starts_nothing() -> None:
    async def work(room: Room, person: Link) -> None:
        async def stop(call: Call, item: Any) -> None:
            if isinstance(item, Plan):
                await call.send(Go())
                await call.send(Stop("at once"))

        asked = await fan_out(person, "@all", "sleep", "60", asks_above=0, during=stop)
        assert {type(outcome) for outcome in asked.outcomes.values()} == {Cancelled}

    _with_person(work)


def test_a_signal_reaches_every_command() -> None:
    async def work(room: Room, person: Link) -> None:
        heard: set[bytes] = set()

        async def signal(call: Call, item: Any) -> None:
            if isinstance(item, bytes):
                heard.add(item[:2])
                if len(heard) == 3:
                    await call.send(Signal("USR1"))

        text = "trap 'exit 7' USR1; echo up; while :; do sleep 0.02; done"
        asked = await fan_out(person, "@all", "sh", "-c", text, during=signal)
        assert set(asked.outcomes.values()) == {Exited(7)}

    _with_person(work, 3)


def test_when_the_client_goes_every_job_goes() -> None:
    async def work(room: Room, person: Link) -> None:
        async with room.person("pc2") as other:
            call = other.open("run.fan_out", *_request("@all", "sleep", "60"))
            for _ in range(4):
                await call.receive()
            assert sum(node.status().services["run"]["jobs"] for node in room.nodes.values()) == 3
        for node in room.nodes.values():
            await until(lambda node=node: node.status().services["run"]["jobs"] == 0, "the jobs to end")  # type: ignore[misc]
        assert (await fan_out(person, "@all", "true")).verdict.exit_code == 0

    _with_person(work, 3)


def _request(target: str, *argv: str) -> tuple[Any, ...]:
    return (FanOut(target, new_spec(argv)),)


# -- machines that do not keep to the rules --------------------------------------------------------------------


class _Rogue(Service):
    """What calls itself `run` on a machine that does not keep to the rules.

    Args:
        how: `early`, `garbage`, `wordy`, `silent`.
    """

    name = "run"

    def __init__(self, how: str) -> None:
        self._how = how

    @endpoint(role=Role.OPERATOR)
    async def start(self, spec: Spec, call: Call, caller: Caller) -> Any:
        """Answers as it likes."""
        if self._how == "garbage":
            await call.send(b"")
            await call.send(b"\x07what stream is this?")
            await call.send({"not": "a start"})
        if self._how == "wordy":
            return Ended(Lost("x" * 100_000))
        if self._how == "early":
            raise OSError("a mistake before anything was started")
        return ["no outcome"]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("garbage", "not of the type expected"),
        ("wordy", "x" * 500 + "..."),
        ("early", "failed"),
        ("silent", "could not be read"),
    ],
)
def test_a_machine_that_answers_nonsense_is_lost_and_harms_no_other(how: str, words: str) -> None:
    def services(node: Context) -> Iterable[Service]:
        return (_Rogue(how),) if node.name == "pc3" else (Run(node),)

    async def work(room: Room, person: Link) -> None:
        asked = await fan_out(person, "pc[2-3]", "echo", "fine")
        outcome = asked.outcomes["pc3"]
        assert isinstance(outcome, Lost) and words in outcome.text and len(outcome.text) < 600
        assert asked.outcomes["pc2"] == Exited(0) and asked.out["pc2"] == b"fine\n"

    _with_person(work, 3, services=services)


def test_a_machine_without_the_service_refuses() -> None:
    def services(node: Context) -> Iterable[Service]:
        return () if node.name == "pc3" else (Run(node),)

    async def work(room: Room, person: Link) -> None:
        asked = await fan_out(person, "pc3", "true")
        assert asked.outcomes["pc3"] == Refused("not_found", "there is no endpoint 'run.start' here")

    _with_person(work, 3, services=services)


def test_a_word_that_is_not_understood_ends_the_fan_out() -> None:
    async def work(room: Room, person: Link) -> None:
        async def say(call: Call, item: Any) -> None:
            if isinstance(item, MemberStarted):
                await call.send(["dance"])

        asked = await fan_out(person, "pc2", "sleep", "60", during=say)
        outcome = asked.outcomes["pc2"]
        assert isinstance(outcome, Cancelled) and "not understand" in outcome.reason

    _with_person(work, 2)


# -- much output -----------------------------------------------------------------------------------------------


def test_much_output_of_many_machines_arrives_whole() -> None:
    size = 3_000_000

    async def work(room: Room, person: Link) -> None:
        asked = await fan_out(person, "@all", "sh", "-c", f"head -c {size} /dev/zero; echo end")
        assert {len(out) for out in asked.out.values()} == {size + 4}
        assert all(out.endswith(b"\0end\n") for out in asked.out.values())

    _with_person(work, 3)


def test_a_client_that_takes_nothing_stops_its_own_commands_and_nobody_elses() -> None:
    async def work(room: Room, person: Link) -> None:
        async with room.person("pc2") as slow:
            call = slow.open("run.fan_out", *_request("@all", "sh", "-c", "while :; do head -c 65536 /dev/zero; done"))
            await call.receive()
            await until(lambda: _is_still(room), "the flood to stand still", timeout=10.0)
            asked = await fan_out(person, "@all", "echo", "hi")
            assert asked.out == {"hub-1": b"hi\n", "pc2": b"hi\n", "pc3": b"hi\n"}
            call.cancel()
        await until(lambda: room["pc3"].status().services["run"]["jobs"] == 0, "the flood to be ended")

    _with_person(work, 3)


_sums: dict[int, list[int]] = {}


def _is_still(room: Room) -> bool:
    """Whether no byte has passed between nodes for fifty looks."""
    sums = _sums.setdefault(id(room), [])
    sums.append(sum(link.statistics().received_bytes for node in room.nodes.values() for link in node.links()))
    return len(sums) > 50 and sums[-1] == sums[-50] > 0
