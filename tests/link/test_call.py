"""Calls on which both sides may send: items, results, credit, half-close, giving up, and what does not go together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lanline.errors import (
    CallFailed,
    CallLost,
    ChannelEnded,
    LocalProtocolError,
    MessageTooLarge,
    Status,
)
from lanline.limits import LAN
from lanline.link.call import Call
from lanline.link.link import Link
from lanline.link.service import Service, endpoint
from lanline.roles import Role
from lanline.session import frames
from lanline.session.frames import LAST, Kind
from tests.link.conftest import Run
from tests.link.desk import PATIENCE, Desk, linked, until
from tests.link.puppet import puppet


async def _settled(link: Link) -> None:
    """Waits until everything sent so far has arrived and was answered."""
    await link.ask("desk.say", "are you there")


def test_items_go_both_ways_and_a_result_ends_it(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with linked(address, Desk()) as link:
            async with link.open("desk.double") as call:
                for item in (1, "ab", [1, 2], 2.5):
                    await call.send(item)
                    assert await call.receive() == item * 2
                call.end()
                with pytest.raises(ChannelEnded, match=r"sent all it had to send on desk\.double"):
                    await call.receive()
                assert call.result == "done"
                assert "ended" in repr(call)
            await _settled(link)
            assert link.statistics().under_way == 0 == len(link._receivers)

    run(main())


def test_bytes_travel_as_they_are(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link, link.open("desk.double") as call:
            scratch = bytearray(b"abc")
            await call.send(scratch)
            scratch[:] = b"xyz"
            await call.send(memoryview(b"defg")[1:])
            assert await call.receive() == b"abcabc", "it was taken when it was given"
            assert await call.receive() == b"efgefg"

    run_once(main())


def test_a_stream_ends_by_itself(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with linked(address, desk) as link:
            assert [item async for item in link.stream("desk.count", 1000)] == list(range(1000))
            assert [item async for item in link.stream("desk.count", 0)] == []
            assert desk.notes == ["count closed"] * 2
            assert len(link._receivers) == 0

    run(main())


def test_leaving_a_stream_stops_the_far_generator(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with linked(address, desk) as link:
            async with link.open("desk.count", 10**9, last=True) as call:
                async for item in call:
                    if item == 10:
                        break
            assert "failed" in repr(call)
            await desk.until("count closed")
            await _settled(link)
            assert link.statistics().under_way == 0 == len(link._receivers)

    run(main())


def test_a_slow_reader_stalls_only_its_own_call(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with linked(address, desk) as link:
            async with link.open("desk.blocks", 1000, 10_000, last=True) as slow:
                assert await slow.receive() == bytes(10_000)
                assert len([item async for item in link.stream("desk.count", 5000)]) == 5000
                assert await link.ask("desk.say", "x" * 500_000) == "x" * 500_000
                sent = len(desk.notes)
                assert 26 <= sent <= 29, f"{sent} blocks of 10 kB in a window of 256 KiB"
                for _ in range(999):
                    await slow.receive()
                with pytest.raises(ChannelEnded):
                    await slow.receive()

    run(main())


def test_a_sender_waits_for_a_reader_who_takes_nothing(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with linked(address, desk) as link:
            async with link.open("desk.idle") as call:
                sent = 0

                async def send() -> None:
                    nonlocal sent
                    for _ in range(100):
                        await call.send(bytes(10_000))
                        sent += 1
                    call.end()

                async with asyncio.TaskGroup() as group:
                    group.create_task(send())
                    await desk.until("idle begun")
                    for _ in range(3):
                        await _settled(link)
                    assert 26 <= sent <= 28, sent
                    desk.gate.set()
                assert sent == 100
                with pytest.raises(ChannelEnded):
                    await call.receive()
                assert call.result == "100"

    run(main())


def test_a_bulk_endpoint_takes_sixteen_times_as_much(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with linked(mem, desk) as link, link.open("desk.bulk") as call:
            await _settled(link)
            credit = link.pump.session.credit(call._number)
            assert credit == LAN.bulk_window_bytes
            for _ in range(40):
                await call.send(bytes(100_000))
            call.end()
            desk.gate.set()
            with pytest.raises(ChannelEnded):
                await call.receive()
            assert call.result == "40"

    run_once(main())


def test_a_wider_window_can_be_had_for_what_comes_back(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with linked(mem, desk) as link:
            async with link.open("desk.blocks", 1000, 100_000, last=True, window=1_000_000) as call:
                await call.receive()
                for _ in range(5):
                    await _settled(link)
                assert 10 <= len(desk.notes) <= 12, desk.notes

    run_once(main())


def test_many_senders_share_one_call(mem: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link, link.open("desk.double") as call:
            async with asyncio.TaskGroup() as group:
                for sender in range(8):
                    group.create_task(_send_many(call, sender))
                got = [await call.receive() for _ in range(8 * 200)]
            assert {len(item) for item in got} == {2000}
            call.end()

    run(main())


async def _send_many(call: Call, sender: int) -> None:
    for _ in range(200):
        await call.send(bytes([sender]) * 1000)


def test_an_eager_sender_lets_others_have_their_turn(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with linked(mem, desk) as link, link.open("desk.idle") as call:
            turns = 0
            running = True

            async def count_turns() -> None:
                nonlocal turns
                while running:
                    turns += 1
                    await asyncio.sleep(0)

            async with asyncio.TaskGroup() as group:
                group.create_task(count_turns())
                for _ in range(5000):
                    await call.send(1)
                running = False
            assert turns >= 5000 // 256

    run_once(main())


# -- ends ----------------------------------------------------------------------------------------------------


def test_a_half_that_has_ended_sends_no_more(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link, link.open("desk.double") as call:
            call.end()
            with pytest.raises(LocalProtocolError):
                await call.send(1)
            with pytest.raises(LocalProtocolError):
                call.end()

    run_once(main())


def test_items_and_results_over_the_limit_are_refused_and_the_call_goes_on(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link, link.open("desk.double") as call:
            with pytest.raises(MessageTooLarge, match="item of 1048577 bytes"):
                await call.send(bytes(1024 * 1024 + 1))
            with pytest.raises(MessageTooLarge, match="result of 1048577 bytes"):
                call.end(bytes(1024 * 1024 + 1))
            await call.send(1)
            assert await call.receive() == 2

    run_once(main())


def test_a_handler_that_has_had_enough_lets_the_sender_come_to_its_end(address: str, run: Run[Any]) -> None:
    """Nobody takes the later items; without credit for them the sender would wait for ever."""

    async def main() -> None:
        desk = Desk()
        async with linked(address, desk) as link, link.open("desk.swallow", 3) as call:
            async with asyncio.timeout(PATIENCE):
                for _ in range(200):
                    await call.send(bytes(10_000))
            call.end()
            with pytest.raises(ChannelEnded):
                await call.receive()
            assert call.result == 3
            await _settled(link)
            assert link.statistics().under_way == 0 == len(link._receivers)

    run(main())


def test_leaving_a_call_whose_handler_has_returned_leaves_nothing_behind(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with linked(address, Desk()) as link:
            async with link.open("desk.swallow", 1) as call:
                await call.send(1)
                with pytest.raises(ChannelEnded):
                    await call.receive()
                assert call.result == 1
            await _settled(link)
            assert link.statistics().under_way == 0 == len(link._receivers)
            [served] = _far_links(link)
            assert served.statistics().under_way == 0

    run(main())


def _far_links(link: Link) -> list[Link]:
    """The other ends, which the garbage collector knows."""
    import gc

    boot = link.peer_boot
    return [one for one in gc.get_objects() if isinstance(one, Link) and one._boot == boot and not one.is_gone]


def test_ending_last_takes_the_call_off_the_table(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            call = link.open("desk.swallow", 1)
            await call.send(1)
            with pytest.raises(ChannelEnded):
                await call.receive()
            assert len(link._receivers) == 1
            call.end()
            assert len(link._receivers) == 0
            call.cancel("too late, and harmless")
            assert call.result == 1

    run_once(main())


def test_a_call_can_be_cancelled_with_a_reason(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            call = link.open("desk.idle")
            call.cancel("changed my mind")
            call.cancel("twice")
            for use in (call.receive, lambda: call.send(1)):
                with pytest.raises(CallFailed, match="changed my mind") as caught:
                    await use()
                assert caught.value.status is Status.CANCELLED
            with pytest.raises(CallFailed):
                call.end()

    run_once(main())


def test_cancelling_wakes_who_waits_on_the_call(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            call = link.open("desk.idle")
            while link.pump.session.credit(call._number) > 0:
                await call.send(bytes(60_000))
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(_error(work)) for work in (call.receive(), call.send(1), call.send(2))]
                await asyncio.sleep(0)
                call.cancel("enough")
            assert [str(task.result()) for task in tasks] == ["enough"] * 3

    run_once(main())


async def _error(work: Any) -> Exception | None:
    try:
        await work
    except Exception as error:
        return error
    return None


def test_a_handler_may_give_its_call_up_and_the_caller_hears_of_it(
    mem: str, run: Run[Any], caplog: pytest.LogCaptureFixture
) -> None:
    class Fickle(Service):
        name = "fickle"

        @endpoint(role=Role.GUEST)
        async def talk(self, call: Call) -> str:
            await call.receive()
            call.cancel("not in the mood")
            return "nobody hears this"

    async def main() -> None:
        async with linked(mem, Fickle(), Desk()) as link, link.open("fickle.talk") as call:
            await call.send(1)
            async with asyncio.timeout(PATIENCE):
                with pytest.raises(CallFailed, match="not in the mood") as caught:
                    await call.receive()
            assert caught.value.status is Status.CANCELLED
            await _settled(link)
            assert link.statistics().under_way == 0 == len(link._receivers)

    run(main())
    assert caplog.text == "", "that its result comes to nothing is no fault"


def test_items_that_had_come_are_received_before_the_error(mem: str, run_once: Run[Any]) -> None:
    class Breaks(Service):
        name = "breaks"

        @endpoint(role=Role.GUEST)
        async def talk(self, call: Call) -> None:
            await call.send("last words")
            raise CallFailed(Status.UNAVAILABLE, "broken")

    async def main() -> None:
        async with linked(mem, Breaks()) as link, link.open("breaks.talk") as call:
            await until(lambda: "failed" in repr(call))
            assert await call.receive() == "last words"
            with pytest.raises(CallFailed, match="broken"):
                await call.receive()

    run_once(main())


def test_a_lost_link_ends_its_calls(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with linked(mem, desk) as link:
            call = link.open("desk.idle")
            await desk.until("idle begun")
            await link.close("bye")
            with pytest.raises(CallLost):
                await call.receive()
            with pytest.raises(CallLost):
                await call.send(1)

    run_once(main())


def test_two_tasks_cannot_receive_from_one_call(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link, link.open("desk.double") as call:
            async with asyncio.TaskGroup() as group:
                first = group.create_task(call.receive())
                await asyncio.sleep(0)
                with pytest.raises(LocalProtocolError, match="two tasks receive"):
                    await call.receive()
                await call.send(4)
            assert first.result() == 8

    run_once(main())


def test_a_cancelled_receive_loses_nothing(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link, link.open("desk.double") as call:
            for turns in range(6):
                task = asyncio.get_running_loop().create_task(call.receive())
                for _ in range(turns):
                    await asyncio.sleep(0)
                await call.send(turns)
                task.cancel()
                [done], _ = await asyncio.wait([task])
                got = await call.receive() if done.cancelled() else done.result()
                assert got == turns * 2

    run_once(main())


class _Listens(Service):
    """Listens instead of receiving."""

    name = "listens"

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.gate = asyncio.Event()

    @endpoint
    async def talk(self, call: Call) -> str:
        """Hears what came before, and what comes while it waits."""
        await until(lambda: not len(call._items) < 2)
        call.listen(self.heard.append)
        await self.gate.wait()
        return f"heard {len(self.heard)}"

    @endpoint
    async def stumble(self, call: Call) -> str:
        """Has a bug in its ear."""

        def take(item: Any) -> None:
            raise ValueError("a bug")

        call.listen(take)
        await self.gate.wait()
        return "never"


def test_a_handler_may_listen_instead_of_receiving(mem: str, run: Run[Any]) -> None:
    async def main() -> None:
        service = _Listens()
        async with linked(mem, service, Desk()) as link, link.open("listens.talk") as call:
            for item in range(10):
                await call.send(item)
                await _settled(link)
            assert service.heard == list(range(10))
            for _ in range(100):
                await call.send(bytes(10_000))
            await _settled(link)
            service.gate.set()
            with pytest.raises(ChannelEnded):
                await call.receive()
            assert call.result == "heard 110"

    run(main())


def test_a_bug_in_what_listens_ends_its_call_alone(
    mem: str, run_once: Run[Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with linked(mem, _Listens(), Desk()) as link, link.open("listens.stumble") as call:
            await call.send(1)
            with pytest.raises(CallFailed, match="what listens to this call failed"):
                await call.receive()
            await _settled(link)

    run_once(main())
    assert "a bug" in caplog.text


def test_who_receives_cannot_listen_too(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link, link.open("desk.double") as call:
            async with asyncio.TaskGroup() as group:
                group.create_task(call.receive())
                await asyncio.sleep(0)
                with pytest.raises(LocalProtocolError, match="a task receives"):
                    call.listen(print)
                await call.send(4)

    run_once(main())


def test_leaving_a_call_whose_result_was_garbage_leaves_nothing_behind(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            async with link.open("desk.idle") as call:
                link.pump.session.receive_data(frames.pack(Kind.END, call._number, b"\xc1"), 0.0)
                link.pump.wake()
                with pytest.raises(CallFailed, match=r"the result of desk\.idle is not of the type expected"):
                    await call.receive()
            await _settled(link)
            assert link.statistics().under_way == 0 == len(link._receivers)

    run_once(main())


# -- types ---------------------------------------------------------------------------------------------------


def test_items_are_checked_against_their_type(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            assert [item async for item in link.stream("desk.count", 3, items=int)] == [0, 1, 2]
            async with link.open("desk.count", 3, items=str, last=True) as call:
                with pytest.raises(CallFailed, match=r"an item of desk\.count is not of the type expected") as caught:
                    await call.receive()
                assert caught.value.status is Status.BAD_MESSAGE

    run_once(main())


@pytest.mark.parametrize("body", [b"\xc1", b"\xa2\xff\xfe", b"\x91" * 60_000, b"\x05\x05", b"\xd4"])
def test_a_peer_whose_items_are_garbage_fails_its_call_and_not_the_link(
    mem: str, run_once: Run[Any], body: bytes
) -> None:
    class Trusting(Service):
        name = "trusting"

        @endpoint
        async def talk(self, call: Call) -> str:
            return str(await call.receive())

        @endpoint
        async def listen(self, call: Call) -> str:
            async for _ in call:
                continue
            return f"the result was {call.result}"

    async def main() -> None:
        from lanline.link.server import serve

        async with serve([Trusting(), Desk()], mem) as server, puppet(server.addresses[0]) as peer:
            peer.send(Kind.OPEN, 1, frames.encode_open("trusting.talk", b"\x90"))
            peer.send(Kind.DATA, 1, body)
            peer.send(Kind.OPEN, 3, frames.encode_open("trusting.listen", b"\x90"))
            peer.send(Kind.END, 3, body)
            peer.send(Kind.OPEN, 5, frames.encode_open("desk.say", frames.encode_body(("alive",))), LAST)
            await peer.until(lambda: Kind.END in peer.kinds() and peer.kinds().count(Kind.ERROR) == 2)
            failures = {
                call: frames.decode_failure(body) for kind, _, call, body in peer.frames() if kind is Kind.ERROR
            }
            assert {failure.status for failure in failures.values()} == {Status.BAD_MESSAGE}
            assert "not of the type expected" in failures[1].text
            assert [body for kind, _, _, body in peer.frames() if kind is Kind.END] == [frames.encode_body("alive")]

    run_once(main())
