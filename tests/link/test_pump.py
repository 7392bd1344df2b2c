"""The driver: one write per loop turn, its timer, bounded output, and how it answers broken rules."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lanline.errors import CallLost, CallTimeout, ConnectFailed
from lanline.limits import LAN
from lanline.link.client import connect_link
from lanline.link.guard import Anyone
from lanline.link.link import Link
from lanline.link.server import serve
from lanline.session import frames
from lanline.session.frames import Kind
from lanline.session.session import Side
from lanline.transport import registry
from tests.link.conftest import Run
from tests.link.desk import PATIENCE, Desk, dialled, linked, until
from tests.link.puppet import HELLO, puppet

PING = frames.pack(Kind.PING, 0, frames.encode_body(frames.Stamps(5)))


def _count_writes(link: Link) -> list[int]:
    """The sizes of the writes of a link from now on."""
    sizes: list[int] = []
    transport = link.pump.transport
    write = transport.write

    def counting(data: Any) -> None:
        sizes.append(len(data))
        write(data)

    transport.write = counting  # type: ignore[method-assign]  # a real transport, with a counter before it
    return sizes


def test_what_is_asked_in_one_loop_turn_is_one_write(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            sizes = _count_writes(link)
            async with asyncio.TaskGroup() as group:
                for number in range(500):
                    group.create_task(link.ask("desk.say", str(number)))
            assert len(sizes) == 1

    run_once(main())


def test_many_answers_are_written_in_between(mem: str, run_once: Run[Any]) -> None:
    """So that the asking side begins with the first while the last are being made."""

    async def main() -> None:
        async with serve(Desk(), mem) as server, dialled(server) as link:
            [served] = server._links
            sizes = _count_writes(served)
            async with asyncio.TaskGroup() as group:
                for number in range(256):
                    group.create_task(link.ask("desk.say", str(number)))
            assert len(sizes) == 256 // 64

    run_once(main())


@pytest.mark.parametrize("size", [1000, 20_000, 70_000, 300_000, 1_000_000])
def test_no_write_is_over_64_kib_and_a_frame(mem: str, run_once: Run[Any], size: int) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            sizes = _count_writes(link)
            answers = await asyncio.gather(*(link.ask("desk.say", "x" * size) for _ in range(5)))
            assert answers == ["x" * size] * 5
            assert max(sizes) <= 64 * 1024 + 64

    run_once(main())


def test_a_lot_of_output_does_not_wait_for_the_end_of_the_turn(mem: str, run_once: Run[Any]) -> None:
    """Else a thousand tasks woken at once would each add their item before anybody knew that the peer is slow."""

    async def main() -> None:
        desk = Desk()
        async with linked(mem, desk) as link:
            calls = [link.open("desk.idle") for _ in range(40)]
            for call in calls:
                await call.send(bytes(100_000))
            assert link.pump.transport.get_write_buffer_size() < 3_000_000
            for call in calls:
                call.cancel()

    run_once(main())


# -- the timer -----------------------------------------------------------------------------------------------


def test_the_timer_is_always_set_for_the_nearest_deadline(mem: str, run_virtual: Run[Any]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with linked(mem, Desk()) as link:
            passed: list[float] = []

            async def ask(seconds: float) -> None:
                with pytest.raises(TimeoutError):
                    await link.ask("desk.wait", str(seconds), timeout=seconds)
                passed.append(loop.time() - began)

            began = loop.time()
            async with asyncio.TaskGroup() as group:
                for seconds in (30.0, 10.0, 20.0, 0.5, 40.0):
                    group.create_task(ask(seconds))
            assert passed == pytest.approx([0.5, 10, 20, 30, 40])

    run_virtual(main())


def test_nothing_wakes_a_quiet_link_on_a_local_transport(mem: str, run_virtual: Run[Any]) -> None:
    async def main() -> None:
        async with linked(mem, Desk()) as link:
            await link.ask("desk.say", "x")
            assert link.pump._timer is None

    run_virtual(main())


# -- broken rules --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("noise", "reason"),
    [
        (b"\x00\x00\x00\x00\x63\x00\x00\x00\x00\x00", "a frame of an unknown kind came"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "frame of 1195725856 bytes, limit 65536 bytes"),
        (frames.pack(Kind.CREDIT, 99, b"\x05"), "a frame came for call 99, which was never opened"),
        (frames.pack(Kind.OPEN, 1, b"\xc1"), "a frame's body is not what its kind says"),
        (frames.pack(Kind.OPEN, 1, b"\x92\xa1a" + b"\x91" * 50_000), "maximum recursion depth exceeded"),
        (frames.pack(Kind.CANCEL, 1, b"\xa1\xff"), "can't decode byte 0xff"),
        (HELLO, "hello received is not allowed in OPEN"),
    ],
)
def test_a_broken_rule_is_answered_with_its_sentence_and_the_end(
    mem: str, run: Run[Any], noise: bytes, reason: str
) -> None:
    async def main() -> None:
        lost: list[str] = []

        class Notes(Anyone):
            def lost(self, link: Link, reason: str) -> None:
                lost.append(reason)

        async with serve(Desk(), mem, guard=Notes()) as server, puppet(server.addresses[0]) as peer:
            peer.transport.write(PING + noise + PING)
            await peer.until_lost()
            assert peer.kinds()[-2:] == [Kind.PONG, Kind.GOAWAY]
            assert reason in frames.decode_farewell(peer.frames()[-1][3]).reason
            assert reason in lost[0]

    run(main())


def test_a_peer_that_is_no_lanline_at_all_is_told_apart_from_one_that_refuses(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async def babble(channel: Any) -> None:
            await channel.send(b"220 mail.example.org ESMTP\r\n")
            await channel.receive()

        async with serve(babble, mem) as server:
            with pytest.raises(ConnectFailed, match="frame of 842149920 bytes, limit 16384 bytes"):
                async with dialled(server):
                    raise AssertionError("that is no link")

    run_once(main())


# -- peers that do not take their bytes ----------------------------------------------------------------------


async def _deaf_link(mem: str, scheme: str, desk: Desk) -> tuple[Link, Any]:
    """A link that believes to run over this scheme, to a server that will read no more; and the server's context."""
    server = serve(desk, mem)
    await server.start()
    link = Link(Side.CONNECTING, Anyone(), {}, scheme=scheme, boot=bytes(8))
    await registry.connect(server.addresses[0], lambda: link.pump, timeout=1.0)
    await link.wait_welcomed()
    [served] = server._links
    served.pump.transport.pause_reading()
    return link, server


def test_a_peer_that_takes_nothing_for_30_s_is_dropped(mem: str, run_virtual: Run[Any]) -> None:
    async def main() -> None:
        link, server = await _deaf_link(mem, "tcp", Desk())
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(_lost(link, "x" * 900_000))
        assert link.closed_because == "the peer took no bytes for 30 s"
        assert loop.time() - began == pytest.approx(30)
        await server.close(drain=0.0)

    run_virtual(main())


async def _lost(link: Link, text: str) -> None:
    with pytest.raises(CallLost):
        await link.ask("desk.say", text)


def test_on_a_local_transport_a_peer_may_take_its_time(mem: str, run_virtual: Run[Any]) -> None:
    async def main() -> None:
        link, server = await _deaf_link(mem, "unix", Desk())
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(link.ask("desk.say", "x" * 900_000)) for _ in range(5)]
            hour_over = loop.create_future()
            loop.call_later(3600, hour_over.set_result, None)
            await hour_over
            assert not any(task.done() for task in tasks)
            for served in server._links:
                served.pump.transport.resume_reading()
        assert {task.result() for task in tasks} == {"x" * 900_000}
        await link.close()
        await server.close()

    run_virtual(main())


def test_asks_wait_while_the_peer_takes_nothing(mem: str, run_virtual: Run[Any]) -> None:
    async def main() -> None:
        link, server = await _deaf_link(mem, "unix", Desk())
        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(_lost(link, "x" * 500_000))
            for _ in range(10):
                await asyncio.sleep(0)
            assert link.statistics().asked < 8, "the others are not even encoded yet"
            assert link.pump.transport.get_write_buffer_size() < 2_500_000
            link.abort("enough")
        await server.close(drain=0.0)

    run_virtual(main())


def test_a_deadline_counts_while_the_peer_takes_nothing(mem: str, run_virtual: Run[Any]) -> None:
    async def main() -> None:
        link, server = await _deaf_link(mem, "unix", Desk())
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(_lost(link, "x" * 900_000))
            await until(lambda: not link.pump.is_writable)
            began = loop.time()
            with pytest.raises(CallTimeout, match="nothing was sent") as caught:
                await link.ask("desk.say", "x", timeout=2.0)
            assert loop.time() - began == pytest.approx(2) and not caught.value.may_have_run
            link.abort("enough")
        await server.close(drain=0.0)

    run_virtual(main())


def test_a_deadline_goes_on_when_the_peer_takes_bytes_again(mem: str, run_virtual: Run[Any]) -> None:
    async def main() -> None:
        link, server = await _deaf_link(mem, "unix", Desk())
        loop = asyncio.get_running_loop()
        [served] = server._links
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(link.ask("desk.say", "x" * 900_000))
            await until(lambda: not link.pump.is_writable)
            began = loop.time()
            loop.call_later(3.0, served.pump.transport.resume_reading)
            with pytest.raises(CallTimeout, match="before the answer came"):
                await link.ask("desk.wait", "x", timeout=5.0)
            assert loop.time() - began == pytest.approx(5)
        await link.close()
        await server.close(drain=0.0)

    run_virtual(main())


def test_who_floods_and_does_not_read_is_dropped(mem: str, run: Run[Any]) -> None:
    """Pings have to be answered, and refusals: small, but without end."""

    async def main() -> None:
        lost: list[str] = []

        class Notes(Anyone):
            def lost(self, link: Link, reason: str) -> None:
                lost.append(reason)

        limits = LAN._replace(unsent_bytes=100_000, max_item_bytes=10_000)
        async with serve(Desk(), mem, guard=Notes(), limits=limits) as server, puppet(server.addresses[0]) as peer:
            peer.transport.pause_reading()
            async with asyncio.timeout(PATIENCE):
                while not lost:
                    peer.transport.write(PING * 1000)
                    await asyncio.sleep(0)
            assert lost == ["the peer goes on asking and takes no answers"]
            peer.transport.resume_reading()

    run(main())


def test_two_sides_that_flood_each_other_do_not_wait_for_each_other_for_ever(address: str, run: Run[Any]) -> None:
    """If a side stopped reading while it cannot write, both would stop here."""

    class Keeps(Anyone):
        def __init__(self) -> None:
            self.links: list[Link] = []

        def welcomed(self, link: Link) -> str | None:
            self.links.append(link)
            return None

    async def main() -> None:
        guard = Keeps()
        limits = LAN._replace(unsent_bytes=200_000)
        async with linked(address, Desk(), guard=guard, client_services=[Desk()], limits=limits) as link:
            await until(lambda: guard.links)
            [back] = guard.links
            async with asyncio.timeout(PATIENCE):
                answers = await asyncio.gather(
                    *(one.ask("desk.raw", 900_000) for _ in range(12) for one in (link, back)),
                    *(one.ask("desk.say", "x" * 900_000) for _ in range(6) for one in (link, back)),
                )
            assert {len(answer) for answer in answers} == {900_000}

    run(main())


def test_a_link_says_how_far_it_has_come(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        link = Link(Side.CONNECTING, Anyone(), {}, scheme="mem", boot=bytes(8))
        assert repr(link.pump) == "<Pump not connected>"
        link.abort("never mind")
        async with serve(Desk(), mem) as server, connect_link(server.addresses[0]) as other:
            assert repr(other.pump) == "<Pump <Session CONNECTING OPEN calls=0>>"

    run_once(main())


def test_answers_of_many_tasks_are_written_in_between_too(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with serve(Desk(), mem) as server, dialled(server) as link:
            [served] = server._links
            sizes = _count_writes(served)
            async with asyncio.TaskGroup() as group:
                for number in range(256):
                    group.create_task(link.ask("desk.later", str(number)))
            assert len(sizes) == 256 // 64

    run_once(main())
