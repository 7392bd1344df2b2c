"""Serving: who may ask what, what handlers raise, when they are stopped, and what a hostile caller gets."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from lanline.errors import CallError, CallFailed, CallRefused, Status
from lanline.limits import LAN
from lanline.link.caller import Caller
from lanline.link.guard import Anyone, Verdict, Welcome
from lanline.link.server import serve
from lanline.link.service import Service, endpoint
from lanline.roles import Role
from lanline.session import frames
from lanline.session.frames import LAST, Kind
from lanline.transport.base import ConnectionFacts
from tests.link.conftest import Run
from tests.link.desk import Desk, dialled, linked, until
from tests.link.puppet import Puppet, puppet


class As(Anyone):
    """Lets everybody in as one and the same caller."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    def judge(self, facts: ConnectionFacts, room_data: bytes) -> Verdict:
        """As that caller."""
        return Welcome(self.caller)


def _ask(peer: Puppet, call: int, endpoint: str, *arguments: object) -> None:
    body = frames.encode_open(endpoint, frames.encode_body(arguments))
    peer.send(Kind.OPEN, call, body, LAST)


async def _failure(peer: Puppet, call: int) -> frames.Failure:
    """The ERROR that ends a call of the puppet's."""
    await peer.until(lambda: any(kind is Kind.ERROR and number == call for kind, _, number, _ in peer.frames()))
    [body] = [body for kind, _, number, body in peer.frames() if kind is Kind.ERROR and number == call]
    return frames.decode_failure(body)


# -- who may ask what ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "is_allowed"),
    [(None, False), (Role.GUEST, False), (Role.MEMBER, False), (Role.OPERATOR, True), (Role.OWNER, True)],
)
def test_the_role_decides(mem: str, run_once: Run[Any], role: Role | None, *, is_allowed: bool) -> None:
    async def main() -> None:
        desk = Desk()
        async with linked(mem, desk, guard=As(Caller("pc7", role))) as link:
            if is_allowed:
                assert await link.ask("desk.reboot", 5) == "in 5 s"
            else:
                with pytest.raises(CallRefused) as caught:
                    await link.ask("desk.reboot", 5)
                assert caught.value.status is Status.REFUSED and not caught.value.may_have_run
            assert desk.notes == (["rebooted"] if is_allowed else [])

    run_once(main())


@pytest.mark.parametrize("arguments", [(), ("no number",), (1, 2, 3), (object,)])
def test_a_refusal_comes_before_the_arguments_are_looked_at(
    mem: str, run_once: Run[Any], arguments: tuple[object, ...]
) -> None:
    """Who may not ask learns nothing of what an answer would have needed, and reaches no decoder."""

    async def main() -> None:
        async with serve(Desk(), mem) as server, puppet(server.addresses[0]) as peer:
            if arguments == (object,):
                peer.send(Kind.OPEN, 1, frames.encode_open("desk.reboot", b"\x91" * 200 + b"\xc0"), LAST)
            else:
                _ask(peer, 1, "desk.reboot", *arguments)
            failure = await _failure(peer, 1)
            assert failure.status == Status.REFUSED
            assert failure.text == "desk.reboot needs the role operator; this caller has guest"

    run_once(main())


def test_local_endpoints_answer_local_callers_only(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk(), guard=As(Caller("pc7", Role.OWNER))) as link:
            with pytest.raises(CallRefused, match="answers only to people on its own machine"):
                await link.ask("desk.secret")

    async def at_home() -> None:
        async with linked(mem, Desk(), guard=As(Caller("pc7", Role.GUEST, is_local=True))) as link:
            assert await link.ask("desk.secret") == "here"
            assert await link.ask("desk.who") == "pc7 guest local"

    run_once(main())
    run_once(at_home())


def test_the_caller_is_what_the_guard_said_not_what_was_sent(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk(), guard=As(Caller("pc7", Role.MEMBER))) as link:
            assert await link.ask("desk.who") == "pc7 member far"
            with pytest.raises(CallFailed, match="arguments it does not take"):
                await link.ask("desk.who", {"name": "hub", "role": 4})

    run_once(main())


# -- arguments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "arguments"),
    [
        ("desk.say", ()),
        ("desk.say", (5,)),
        ("desk.say", ("a", "b")),
        ("desk.repeat", ()),
        ("desk.repeat", ("a", "b")),
        ("desk.repeat", ("a", 2, 3)),
        ("desk.later", (None,)),
        ("desk.count", ("many",)),
        ("desk.swallow", (1.5,)),
    ],
)
def test_an_endpoint_is_never_called_with_what_it_does_not_expect(
    mem: str, run_once: Run[Any], endpoint: str, arguments: tuple[object, ...]
) -> None:
    async def main() -> None:
        desk = Desk()
        async with linked(mem, desk) as link:
            with pytest.raises(CallFailed, match=f"{endpoint} was asked with arguments it does not take") as caught:
                await link.ask(endpoint, *arguments)
            assert (caught.value.status, caught.value.may_have_run) == (Status.BAD_MESSAGE, False)
            counts = desk.endpoints()[endpoint].counts
            assert (counts.calls, counts.failures, desk.notes) == (1, 1, [])

    run_once(main())


@pytest.mark.parametrize("arguments", [b"\x05", b"\x80", b"\x91\xa2\xff\xfe", b"\x91" * 700 + b"\xc0", b"\xc0"])
def test_hostile_arguments_are_refused_and_the_link_lives(mem: str, run_once: Run[Any], arguments: bytes) -> None:
    async def main() -> None:
        async with serve(Desk(), mem) as server, puppet(server.addresses[0]) as peer:
            for call, endpoint in enumerate(("desk.say", "desk.repeat", "desk.wait", "desk.double")):
                peer.send(Kind.OPEN, 2 * call + 1, frames.encode_open(endpoint, arguments), LAST)
                assert (await _failure(peer, 2 * call + 1)).status == Status.BAD_MESSAGE
            _ask(peer, 99, "desk.say", "alive")
            await peer.until(lambda: Kind.END in peer.kinds())

    run_once(main())


def test_a_bug_in_a_type_of_an_endpoint_is_a_bug_of_that_call(
    mem: str, run_once: Run[Any], caplog: pytest.LogCaptureFixture
) -> None:
    class Fragile(msgspec.Struct):
        number: int

        def __post_init__(self) -> None:
            raise KeyError("no such number")

    async def take(self: Any, one: Any) -> str:
        return "never"

    def plain(self: Any, one: Any) -> str:
        return "never"

    for method in (take, plain):
        method.__annotations__ = {"one": Fragile, "return": str}
    both = type("Both", (Service,), {"name": "takes", "take": endpoint(take), "plain": endpoint(plain)})

    async def main() -> None:
        async with linked(mem, both(), Desk()) as link:
            for name in ("takes.take", "takes.plain"):
                with pytest.raises(CallFailed, match="its node's log says why"):
                    await link.ask(name, {"number": 5})
            assert await link.ask("desk.say", "alive") == "alive"

    run_once(main())
    assert "no such number" in caplog.text


# -- what handlers raise -------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", ["desk.fail", "desk.fail_later"])
@pytest.mark.parametrize(
    ("how", "status", "text", "may_have_run"),
    [
        ("usage", Status.BAD_MESSAGE, "seven is no colour", False),
        ("refused", Status.REFUSED, "only owners may", False),
        ("unavailable", Status.UNAVAILABLE, "the printer does not answer", True),
        ("call", Status.OVERLOADED, "come back later", False),
        ("surrogate", Status.UNAVAILABLE, r"cannot open caf\udce9", True),
        ("long", Status.UNAVAILABLE, "x" * 4096, True),
    ],
)
def test_our_own_errors_travel_with_their_sentence(
    mem: str, run_once: Run[Any], endpoint: str, how: str, status: Status, text: str, *, may_have_run: bool
) -> None:
    async def main() -> None:
        desk = Desk()
        async with linked(mem, desk) as link:
            with pytest.raises(CallError) as caught:
                await link.ask(endpoint, how)
            assert (caught.value.status, caught.value.text) == (status, text)
            assert caught.value.may_have_run == may_have_run
            assert desk.endpoints()[endpoint].counts.failures == 1

    run_once(main())


def test_details_and_advice_travel_too(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            with pytest.raises(CallFailed) as caught:
                await link.ask("desk.fail", "call")
            assert caught.value.details == {"wait": "5"}
            with pytest.raises(CallFailed) as caught:
                await link.ask("desk.fail", "usage")
            assert caught.value.details["advice"] == "try red."

    run_once(main())


@pytest.mark.parametrize("endpoint", ["desk.fail", "desk.fail_later"])
def test_the_text_of_a_bug_stays_here(
    mem: str, run_once: Run[Any], endpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            with pytest.raises(CallFailed) as caught:
                await link.ask(endpoint, "bug")
            assert caught.value.status is Status.INTERNAL
            assert caught.value.text == f"{endpoint} failed; its node's log says why"
            assert caught.value.details == {}
            assert await link.ask("desk.say", "alive") == "alive"

    run_once(main())
    assert "hunter2" in caplog.text


def test_an_answer_that_cannot_be_encoded_is_a_bug(
    mem: str, run_once: Run[Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            with pytest.raises(CallFailed, match="its node's log says why"):
                await link.ask("desk.unsendable")

    run_once(main())
    assert "unsupported" in caplog.text


@pytest.mark.parametrize("endpoint", ["desk.raw", "desk.raw_later"])
def test_an_answer_over_the_limit_is_told_with_both_numbers(mem: str, run_once: Run[Any], endpoint: str) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            assert len(await link.ask(endpoint, 1024 * 1024)) == 1024 * 1024
            with pytest.raises(CallFailed, match="result of 1048577 bytes, limit 1048576 bytes") as caught:
                await link.ask(endpoint, 1024 * 1024 + 1)
            assert caught.value.status is Status.TOO_LARGE

    run_once(main())


def test_a_stream_of_items_over_the_limit_is_told_so(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            with pytest.raises(CallFailed) as caught:
                async for item in link.stream("desk.blocks", 5, 2 * 1024 * 1024):
                    raise AssertionError(f"{len(item)} bytes came")
            assert caught.value.status is Status.TOO_LARGE

    run_once(main())


# -- stopping ------------------------------------------------------------------------------------------------


def test_a_cancel_stops_the_handler_and_its_error_says_so(mem: str, run: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serve(desk, mem) as server, puppet(server.addresses[0]) as peer:
            _ask(peer, 1, "desk.wait", "x")
            await desk.until("x begun")
            peer.send(Kind.CANCEL, 1, frames.encode_body("changed my mind"))
            failure = await _failure(peer, 1)
            assert (failure.status, failure.text) == (Status.CANCELLED, "changed my mind")
            assert failure.may_have_run
            assert desk.notes == ["x begun", "x cancelled"]
            assert desk.endpoints()["desk.wait"].counts.failures == 1

    run(main())


def test_a_handler_cancelled_before_its_first_step_never_runs(mem: str, run: Run[Any]) -> None:
    """OPEN and CANCEL in the same bytes: the caller is told that nothing was begun, and no coroutine is left."""

    async def main() -> None:
        desk = Desk()
        async with serve(desk, mem) as server, puppet(server.addresses[0]) as peer:
            for call, endpoint in ((1, "desk.wait"), (3, "desk.count"), (5, "desk.double")):
                arguments = {"desk.wait": ("x",), "desk.count": (5,)}.get(endpoint, ())
                request = frames.encode_open(endpoint, frames.encode_body(arguments))
                both = frames.pack(Kind.OPEN, call, request, LAST)
                peer.transport.write(both + frames.pack(Kind.CANCEL, call, b"\xa0"))
                failure = await _failure(peer, call)
                assert (failure.status, failure.may_have_run) == (Status.CANCELLED, False)
            _ask(peer, 7, "desk.say", "alive")
            await peer.until(lambda: Kind.END in peer.kinds())
            assert desk.notes == []
            [served] = server._links
            assert len(served._receivers) == 0 and served.statistics().under_way == 0

    run(main())


def test_cancelling_twice_does_not_cut_into_the_cleaning_up(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serve(desk, mem) as server, puppet(server.addresses[0]) as peer:
            _ask(peer, 1, "desk.stubborn")
            await desk.until("stubborn begun")
            peer.send(Kind.CANCEL, 1, b"\xa0")
            peer.send(Kind.CANCEL, 1, b"\xa0")
            await asyncio.sleep(0)
            peer.transport.abort()
            await desk.until("stubborn cleaned up")
            assert desk.notes == ["stubborn begun", "stubborn cleaned up"]

    run_once(main())


def test_handlers_of_a_lost_link_are_cancelled_and_awaited_by_the_server(mem: str, run: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serve(desk, mem) as server:
            async with puppet(server.addresses[0]) as peer:
                _ask(peer, 1, "desk.tidy")
                await desk.until("tidy begun")
            async with asyncio.TaskGroup() as group:
                closing = group.create_task(server.close())
                for _ in range(20):
                    await asyncio.sleep(0)
                assert not closing.done()
                desk.gate.set()
            assert "tidy cleaned up" in desk.notes

    run(main())


def test_the_deadline_of_a_call_stops_its_handler(mem: str, run_virtual: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serve(desk, mem) as server, puppet(server.addresses[0]) as peer:
            request = frames.encode_open("desk.wait", frames.encode_body(("x",)), 1500)
            began = asyncio.get_running_loop().time()
            peer.send(Kind.OPEN, 1, request, LAST)
            failure = await _failure(peer, 1)
            assert asyncio.get_running_loop().time() - began == pytest.approx(1.5)
            assert (failure.status, failure.text) == (Status.DEADLINE, "the deadline passed")
            assert desk.notes == ["x begun", "x cancelled"]

    run_virtual(main())


def test_a_handler_that_ends_although_it_was_cancelled_may_still_answer(mem: str, run_once: Run[Any]) -> None:
    class Deaf(Service):
        name = "deaf"

        @endpoint
        async def work(self) -> str:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return "done all the same"
            return "never"

    async def main() -> None:
        async with serve(Deaf(), mem) as server, puppet(server.addresses[0]) as peer:
            _ask(peer, 1, "deaf.work")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            peer.send(Kind.CANCEL, 1, b"\xa0")
            await peer.until(lambda: peer.kinds()[-1] in (Kind.END, Kind.ERROR))
            assert peer.frames()[-1][3] == frames.encode_body("done all the same")

    run_once(main())


# -- hostile callers -----------------------------------------------------------------------------------------


def test_a_flood_of_requests_for_slow_handlers_is_bounded(mem: str, run: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serve(desk, mem, limits=LAN._replace(max_calls=20)) as server:
            async with puppet(server.addresses[0]) as peer, dialled(server) as other:
                for call in range(1, 2001, 2):
                    _ask(peer, call, "desk.wait", str(call))
                await peer.until(lambda: peer.kinds().count(Kind.ERROR) == 980)
                assert len([note for note in desk.notes if note.endswith("begun")]) == 20
                assert {frames.decode_failure(b).status for k, _, _, b in peer.frames() if k is Kind.ERROR} == {
                    Status.OVERLOADED
                }
                assert await other.ask("desk.say", "others are served") == "others are served"

    run(main())


def test_who_does_not_read_its_answers_gets_no_more_of_them_begun(mem: str, run: Run[Any]) -> None:
    """Answers are a thousand times as large as what asks for them; the reading goes on, the serving does not."""

    async def main() -> None:
        desk = Desk()
        async with serve(desk, mem) as server, puppet(server.addresses[0]) as peer, dialled(server) as other:
            peer.transport.pause_reading()
            for call in range(1, 81, 2):
                _ask(peer, call, "desk.raw", 500_000)
            for _ in range(50):
                await other.ask("desk.say", "x")
            unsent = max(one.pump.transport.get_write_buffer_size() for one in server._links)
            served = max(one.statistics().served for one in server._links if one.statistics().served < 50)
            assert 2 <= served < 10, f"{served} answers of 500 kB begun for who takes none"
            assert unsent < 3_000_000, unsent
            peer.transport.resume_reading()
            await peer.until(lambda: len(peer.received) > 40 * 500_000)
            ends = [call for kind, flags, call, _ in peer.frames() if kind is Kind.END and not flags & frames.MORE]
            assert ends == list(range(1, 81, 2)), "all are served in the end, in order"

    run(main())


def test_handlers_that_end_while_nothing_is_taken_keep_their_answers_back(mem: str, run: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serve(desk, mem) as server, puppet(server.addresses[0]) as peer:
            for call in range(1, 81, 2):
                _ask(peer, call, "desk.much", 500_000)
            [served] = server._links
            await until(lambda: served.statistics().served == 40)
            peer.transport.pause_reading()
            desk.gate.set()
            for _ in range(50):
                await asyncio.sleep(0)
            assert served.pump.transport.get_write_buffer_size() < 3_000_000
            peer.transport.resume_reading()
            await peer.until(lambda: len(peer.received) > 40 * 500_000)

    run(main())


def test_a_waiting_request_can_be_cancelled_and_is_certainly_not_begun(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serve(desk, mem) as server, puppet(server.addresses[0]) as peer:
            peer.transport.pause_reading()
            for call in range(1, 21, 2):
                _ask(peer, call, "desk.raw", 500_000)
            _ask(peer, 21, "desk.wait", "x")
            peer.send(Kind.CANCEL, 21, frames.encode_body("never mind"))
            for _ in range(20):
                await asyncio.sleep(0)
            peer.transport.resume_reading()
            failure = await _failure(peer, 21)
            assert (failure.status, failure.text, failure.may_have_run) == (Status.CANCELLED, "never mind", False)
            assert desk.notes == []

    run_once(main())


def test_waiting_requests_die_with_their_link(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serve(desk, mem) as server:
            async with puppet(server.addresses[0]) as peer:
                peer.transport.pause_reading()
                for call in range(1, 21, 2):
                    _ask(peer, call, "desk.raw", 500_000)
                _ask(peer, 21, "desk.wait", "x")
                for _ in range(20):
                    await asyncio.sleep(0)
            for _ in range(5):
                await asyncio.sleep(0)
            assert desk.notes == [] and server.statistics().peers == 0

    run_once(main())
