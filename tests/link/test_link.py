"""Links: asking, streaming, both directions, statistics, and every way they end."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from lanline.errors import (
    CallFailed,
    CallLost,
    CallRefused,
    CallTimeout,
    ConnectFailed,
    MessageTooLarge,
    Status,
)
from lanline.limits import LAN
from lanline.link.caller import Caller
from lanline.link.guard import Anyone
from lanline.link.link import Link
from lanline.link.server import serve
from lanline.roles import Role
from lanline.session import frames
from lanline.session.frames import Kind
from lanline.session.session import Side
from tests.link.conftest import Run
from tests.link.desk import PATIENCE, Desk, dialled, linked, until
from tests.link.puppet import HELLO, WELCOME, puppet

# -- asking --------------------------------------------------------------------------------------------------


def test_an_ask_is_answered(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with linked(address, Desk()) as link:
            assert await link.ask("desk.say", "hi") == "hi"
            assert await link.ask("desk.later", "hi") == "hi"
            assert await link.ask("desk.repeat", "hi") == "hihi"
            assert await link.ask("desk.repeat", "hi", 3) == "hihihi"
            assert await link.ask("desk.nothing") is None
            assert await link.ask("desk.raw", 5) == await link.ask("desk.raw_later", 5) == bytes(5)

    run(main())


def test_an_answer_is_checked_against_the_type_expected(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            assert await link.ask("desk.say", "5", returns=str) == "5"
            with pytest.raises(CallFailed, match="not of the type expected: Expected `int`, got `str`") as caught:
                await link.ask("desk.say", "5", returns=int)
            assert caught.value.status is Status.BAD_MESSAGE
            assert await link.ask("desk.nothing", returns=str) is None
            assert await link.ask("desk.raw", 3, returns=str) == bytes(3), "raw bytes are what they are"

    run_once(main())


def test_a_thousand_asks_at_once_are_each_answered_with_their_own(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with linked(address, Desk()) as link:
            async with asyncio.TaskGroup() as group:
                tasks = {
                    text: group.create_task(link.ask(endpoint, text))
                    for endpoint in ("desk.say", "desk.later")
                    for text in (f"{endpoint} {number}" for number in range(500))
                }
            assert {text: task.result() for text, task in tasks.items()} == {text: text for text in tasks}

    run(main())


@pytest.mark.parametrize("endpoint", ["desk.say", "desk.later"])
def test_big_arguments_and_answers_travel_whole(address: str, run: Run[Any], endpoint: str) -> None:
    async def main() -> None:
        async with linked(address, Desk()) as link:
            for size in (65_000, 66_000, 1_000_000):
                assert await link.ask(endpoint, "x" * size) == "x" * size
            async with asyncio.TaskGroup() as group:
                for _ in range(8):
                    group.create_task(link.ask(endpoint, "y" * 900_000))

    run(main())


def test_arguments_over_an_item_are_refused_before_they_are_sent(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            with pytest.raises(MessageTooLarge, match="request of"):
                await link.ask("desk.say", "x" * (1024 * 1024))
            with pytest.raises(TypeError):
                await link.ask("desk.say", object())
            assert link.statistics().asked == 0
            assert await link.ask("desk.say", "the link lives") == "the link lives"

    run_once(main())


def test_both_sides_may_ask(address: str, run: Run[Any]) -> None:
    class Welcomed(Anyone):
        def __init__(self) -> None:
            self.links: list[Link] = []

        def welcomed(self, link: Link) -> str | None:
            self.links.append(link)
            return None

    async def main() -> None:
        guard = Welcomed()
        async with linked(address, Desk(), guard=guard, client_services=[Desk()]) as link:
            await until(lambda: guard.links)
            [back] = guard.links
            answers = await asyncio.gather(link.ask("desk.say", "there"), back.ask("desk.say", "and back"))
            assert list(answers) == ["there", "and back"]
            assert (back.side, link.side) == (Side.ACCEPTING, Side.CONNECTING)

    run(main())


def test_what_was_asked_too_often_is_told_so(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with linked(mem, desk, limits=LAN._replace(max_calls=3)) as link:
            async with asyncio.TaskGroup() as group:
                for number in range(3):
                    group.create_task(link.ask("desk.wait", str(number)))
                await desk.until("2 begun")
                with pytest.raises(CallFailed, match="3 calls are under way") as caught:
                    await link.ask("desk.say", "one more")
                assert (caught.value.status, caught.value.may_have_run) == (Status.OVERLOADED, False)
                desk.gate.set()
            assert await link.ask("desk.say", "again") == "again"

    run_once(main())


# -- refusals and failures -----------------------------------------------------------------------------------


def test_an_unknown_endpoint_is_not_found(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with linked(address, Desk()) as link:
            for endpoint in ("desk.nope", "nope", "", "desk.__init__", "desk.note", "desk.until"):
                with pytest.raises(CallFailed, match="there is no endpoint") as caught:
                    await link.ask(endpoint)
                assert (caught.value.status, caught.value.may_have_run) == (Status.NOT_FOUND, False)

    run(main())


def test_a_refusal_is_an_error_of_its_own(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            with pytest.raises(CallRefused, match="needs the role operator; this caller has guest"):
                await link.ask("desk.reboot", 5)

    run_once(main())


# -- deadlines and giving up ---------------------------------------------------------------------------------


def test_a_deadline_stops_the_asker_and_the_handler_at_its_time(mem: str, run_virtual: Run[Any]) -> None:
    async def main() -> None:
        desk, loop = Desk(), asyncio.get_running_loop()
        async with linked(mem, desk) as link:
            began = loop.time()
            with pytest.raises(CallTimeout, match="deadline passed") as caught:
                await link.ask("desk.wait", "x", timeout=2.5)
            assert loop.time() - began == pytest.approx(2.5)
            assert caught.value.may_have_run
            await desk.until("x cancelled")
            assert loop.time() - began == pytest.approx(2.5)
            assert await link.ask("desk.say", "the link lives") == "the link lives"
            assert link.statistics().under_way == 0

    run_virtual(main())


def test_a_late_answer_is_dropped(mem: str, run_virtual: Run[Any]) -> None:
    """The answer leaves the handler in time and comes after the asker's patience."""
    from lanline.transport import memory

    async def main() -> None:
        desk = Desk()
        server = serve(desk, mem)
        async with server:
            listener = server._listeners[0]
            assert isinstance(listener, memory.MemoryListener)
            listener.latency = 2.0
            async with asyncio.timeout(60), dialled_slowly(server) as link:
                with pytest.raises(CallTimeout):
                    await link.ask("desk.say", "x", timeout=3.0)
                assert await link.ask("desk.say", "y", timeout=5.0) == "y"

    run_virtual(main())


def dialled_slowly(server: Any) -> Any:
    """A link over a slow line, with time for the first exchange."""
    from lanline.link.client import connect_link

    return connect_link(server.addresses[0], timeout=30.0)


def test_a_cancelled_asker_cancels_the_handler_within_a_loop_turn(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with linked(mem, desk) as link:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(link.ask("desk.wait", "x"))
                await desk.until("x begun")
                task.cancel()
            turns = 0
            while "x cancelled" not in desk.notes:
                turns += 1
                assert turns < 10, "asker, write, read, handler: each is one turn in memory"
                await asyncio.sleep(0)
            assert await link.ask("desk.say", "the link lives") == "the link lives"
            assert link.statistics().under_way == 0
            assert len(link._receivers) == 0

    run_once(main())


@pytest.mark.parametrize("endpoint", ["desk.say", "desk.later"])
def test_an_asker_cancelled_when_its_answer_is_there_hurts_nobody(mem: str, run: Run[Any], endpoint: str) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            for turns in range(12):
                task = asyncio.get_running_loop().create_task(link.ask(endpoint, "x"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                assert await link.ask(endpoint, "y") == "y"
            assert len(link._receivers) == 0

    run(main())


# -- the end of a link ---------------------------------------------------------------------------------------


def test_a_closed_link_says_so_to_both_sides(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        lost: list[str] = []

        class Farewells(Anyone):
            def lost(self, link: Link, reason: str) -> None:
                lost.append(reason)

        async with serve(Desk(), address, guard=Farewells()) as server:
            async with dialled(server) as link:
                await link.close("going home")
                assert link.is_gone and not link.is_open
                assert link.closed_because == await link.wait_gone() == "going home"
                with pytest.raises(CallLost, match="going home") as caught:
                    await link.ask("desk.say", "x")
                assert not caught.value.may_have_run
                await link.close()
            async with asyncio.timeout(PATIENCE):
                await until(lambda: lost)
        assert lost == ["going home"]

    run(main())


def test_calls_under_way_are_lost_with_their_link(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serve(desk, address) as server, dialled(server) as link:
            async with asyncio.TaskGroup() as group:
                asked = group.create_task(_outcome(link.ask("desk.wait", "x")))
                streamed = group.create_task(_outcome(anext(aiter(link.open("desk.idle")))))
                await desk.until("idle begun")
                await server.close(drain=0.0)
            for outcome in (asked.result(), streamed.result()):
                assert isinstance(outcome, CallFailed | CallLost), outcome
            assert "x cancelled" in desk.notes
            assert await link.wait_gone() in ("this side is stopping", "this side has stopped")

    run(main())


async def _outcome(work: Any) -> object:
    try:
        return await work
    except Exception as error:
        return error


def test_a_connection_that_breaks_loses_its_calls(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serve(desk, address) as server, dialled(server) as link:
            async with asyncio.TaskGroup() as group:
                asked = group.create_task(_outcome(link.ask("desk.wait", "x")))
                await desk.until("x begun")
                for served in list(server._links):
                    served.abort("the cable was cut")
            error = asked.result()
            assert isinstance(error, CallLost) and error.may_have_run
            await desk.until("x cancelled")

    run(main())


def test_draining_lets_calls_finish_and_begins_none(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with linked(address, desk) as link:
            async with asyncio.TaskGroup() as group:
                asked = group.create_task(link.ask("desk.wait", "x"))
                await desk.until("x begun")
                drained = group.create_task(link.drain(PATIENCE))
                await asyncio.sleep(0)
                assert not link.is_open
                with pytest.raises(CallLost):
                    await link.ask("desk.say", "too late")
                desk.gate.set()
                await drained
            assert asked.result() == "x"
            assert link.is_gone

    run(main())


def test_draining_ends_when_its_time_is_over(mem: str, run_virtual: Run[Any]) -> None:
    async def main() -> None:
        desk, loop = Desk(), asyncio.get_running_loop()
        async with linked(mem, desk) as link:
            async with asyncio.TaskGroup() as group:
                asked = group.create_task(_outcome(link.ask("desk.wait", "x")))
                await desk.until("x begun")
                began = loop.time()
                await link.drain(3.0)
                assert loop.time() - began == pytest.approx(3.0)
            assert isinstance(asked.result(), CallLost)
            await desk.until("x cancelled")

    run_virtual(main())


def test_a_server_that_drains_answers_what_it_has_begun(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serve(desk, address) as server, dialled(server) as link:
            async with asyncio.TaskGroup() as group:
                asked = group.create_task(link.ask("desk.wait", "x"))
                await desk.until("x begun")
                closing = group.create_task(server.close(drain=PATIENCE))
                await until(lambda: not link.is_open)
                desk.gate.set()
                await closing
            assert asked.result() == "x"
            assert "stopping" in await link.wait_gone()

    run(main())


def test_what_was_asked_while_the_server_stops_was_certainly_not_begun(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serve(desk, mem) as server, dialled(server) as link:
            async with asyncio.TaskGroup() as group:
                group.create_task(_outcome(link.ask("desk.wait", "x")))
                await desk.until("x begun")
                closing = group.create_task(server.close(drain=PATIENCE))
                await asyncio.sleep(0)
                late = await _outcome(link.ask("desk.wait", "y"))
                assert isinstance(late, CallFailed)
                assert (late.status, late.may_have_run) == (Status.UNAVAILABLE, False)
                desk.gate.set()
                await closing
            assert "y begun" not in desk.notes

    run_once(main())


def test_a_refused_link_does_nothing_that_was_asked_in_the_same_breath(mem: str, run_once: Run[Any]) -> None:
    class Removes(Anyone):
        def welcomed(self, link: Link) -> str | None:
            link.refuse("you were removed")
            return None

    async def main() -> None:
        desk = Desk()
        async with serve(desk, mem, guard=Removes()) as server:
            async with puppet(server.addresses[0], greeted=False) as peer:
                peer.transport.write(HELLO)
                await peer.until(lambda: Kind.WELCOME in peer.kinds())
                request = frames.pack(
                    Kind.OPEN, 1, frames.encode_open("desk.wait", frames.encode_body(("x",))), frames.LAST
                )
                peer.transport.write(WELCOME + request)
                await peer.until_lost()
                farewell = frames.decode_farewell(peer.frames()[-1][3])
                assert (farewell.reason, desk.notes) == ("you were removed", [])

    run_once(main())


def test_a_link_that_was_never_connected_can_be_ended_in_every_way(run_once: Run[Any]) -> None:
    async def main() -> None:
        def new() -> Link:
            return Link(Side.CONNECTING, Anyone(), {}, scheme="mem", boot=bytes(8))

        async def refuse(link: Link) -> None:
            link.refuse("no")

        async def abort(link: Link) -> None:
            link.abort("no")

        for end in (Link.close, lambda link: link.drain(1.0), refuse, abort):
            link = new()
            assert "new" in repr(link) and link.statistics().under_way == 0
            await end(link)
            assert link.is_gone and "gone" in repr(link)
            with pytest.raises(ConnectFailed, match="did not come about"):
                await link.wait_welcomed()

    run_once(main())


def test_a_link_that_was_ended_before_it_was_connected_does_not_come_back(mem: str, run_once: Run[Any]) -> None:
    from lanline.address import Address
    from lanline.transport import registry

    async def main() -> None:
        lost: list[str] = []
        async with serve(Desk(), mem) as server:
            link = Link(
                Side.CONNECTING,
                Anyone(),
                {},
                scheme="mem",
                boot=bytes(8),
                on_lost=lambda link, reason: lost.append(reason),
            )
            link.refuse("changed my mind")
            transport, _ = await registry.connect(Address.parse(mem), lambda: link.pump, timeout=1.0)
            assert transport.is_closing()
            assert str(server.addresses[0]) == mem
        assert lost == ["changed my mind"]

    run_once(main())


def test_when_gone_is_called_once_however_late_it_was_asked_for(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        seen: list[Link] = []
        async with linked(mem, Desk()) as link:
            link.when_gone(seen.append)
            await link.close()
            link.when_gone(seen.append)
            await asyncio.sleep(0)
        assert seen == [link, link]

    run_once(main())


def test_the_peer_is_gone_after_45_silent_seconds(mem: str, run_virtual: Run[Any]) -> None:
    """Played on memory with a link that believes to run over TCP: there alone silence counts."""
    from lanline.link.link import Link as PlainLink
    from lanline.transport import registry

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with serve(Desk(), mem) as server:
            link = PlainLink(Side.CONNECTING, Anyone(), {}, scheme="tcp", boot=bytes(8))
            await registry.connect(server.addresses[0], lambda: link.pump, timeout=1.0)
            await link.wait_welcomed()
            came: list[float] = []
            loop.call_later(100, lambda: came.append(link.round_trip or 0))
            [served] = server._links
            done = loop.create_future()
            loop.call_later(200, done.set_result, None)
            await done
            assert link.is_open and came, "pings were answered"
            served.pump.transport.pause_reading()
            began = loop.time()
            reason = await link.wait_gone()
            assert reason == "nothing came from the peer for 45 s"
            assert 45 - 15 <= loop.time() - began <= 45
            served.pump.transport.resume_reading()

    run_virtual(main())


# -- what it says of itself ----------------------------------------------------------------------------------


def test_statistics_count_calls_and_bytes(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serve(desk, address) as server, dialled(server) as link:
            for _ in range(5):
                await link.ask("desk.say", "x" * 100)
            with pytest.raises(CallFailed):
                await link.ask("desk.nope")
            [served] = server._links
            here, there = link.statistics(), served.statistics()
            assert (here.asked, here.served, here.under_way) == (6, 0, 0)
            assert (there.asked, there.served, there.under_way) == (0, 6, 0)
            assert min(here.sent_bytes, here.received_bytes, there.sent_bytes, there.received_bytes) > 500
            assert here.round_trip is None or here.round_trip >= 0

            def all_arrived() -> bool:  # a PING of either side may be under way at any one moment
                here, there = link.statistics(), served.statistics()
                return (here.sent_bytes, here.received_bytes) == (there.received_bytes, there.sent_bytes)

            await until(all_arrived)
            async with asyncio.TaskGroup() as group:
                group.create_task(link.ask("desk.wait", "x"))
                await desk.until("x begun")
                assert link.statistics().under_way == served.statistics().under_way == 1
                assert "OPEN calls=1" in repr(link)
                desk.gate.set()

    run(main())


def test_the_room_may_change_who_the_caller_is(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with serve(desk, mem) as server, dialled(server) as link:
            [served] = server._links
            with pytest.raises(CallRefused):
                await link.ask("desk.reboot", 5)
            served.caller = Caller("pc7", Role.OPERATOR)
            assert await link.ask("desk.reboot", 5) == "in 5 s"
            served.caller = Caller("pc7", Role.MEMBER)
            with pytest.raises(CallRefused, match="pc7 has member"):
                await link.ask("desk.reboot", 5)
            assert desk.notes == ["rebooted"]

    run_once(main())


def test_an_exception_in_a_callback_of_the_room_ends_the_link_and_nothing_else(
    mem: str, run_once: Run[Any], caplog: pytest.LogCaptureFixture
) -> None:
    class Faulty(Anyone):
        def welcomed(self, link: Link) -> str | None:
            raise RuntimeError("a bug in the room")

    async def main() -> None:
        async with serve(Desk(), mem, guard=Faulty()) as server:
            with pytest.raises(ConnectFailed, match="this side failed; its log says why") as caught:
                async with dialled(server) as link:
                    raise AssertionError(await link.wait_gone())
            assert "bug in the room" not in str(caught.value)
            assert server.statistics().peers == 0

    try:
        run_once(main())
    except AssertionError as error:
        # The connecting side may have been let in before it was told: then its link is gone at once.
        assert "this side failed; its log says why" in str(error)
    assert "a bug in the room" in caplog.text


def test_open_encoded_asks_many_with_one_encoding(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            arguments = msgspec.msgpack.encode((3,))
            calls = [link.open_encoded("desk.count", arguments, last=True, items=int) for _ in range(3)]
            assert [[item async for item in call] for call in calls] == [[0, 1, 2]] * 3
            assert len(link._receivers) == 0

    run_once(main())
