"""Serving handlers and services: many addresses, failures of handlers, and ends that leave nothing running."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from lanline.errors import AddressError, CallFailed, ChannelEnded, ConnectFailed, ListenFailed, UsageError
from lanline.framing.lines import Lines
from lanline.limits import LAN, PLAIN
from lanline.link.channel import Channel
from lanline.link.client import connect, connect_link
from lanline.link.server import serve
from lanline.link.service import Service
from tests.link.conftest import Run
from tests.link.desk import PATIENCE, Desk, dialled, until


async def _upper(channel: Channel) -> None:
    async for message in channel:
        await channel.send(message.upper())


def test_one_handler_serves_many_addresses(mem: str, run: Run[Any], home: Path) -> None:
    async def main() -> None:
        wanted = (mem, "tcp://127.0.0.1:0", "tcp://[::1]:0", f"unix://{home}/s", "udp://127.0.0.1:0", "udp://[::1]:0")
        async with serve(_upper, *wanted, framing=Lines()) as server:
            assert len(server.addresses) == 6
            assert all(address.port for address in server.addresses if address.scheme in ("tcp", "udp"))
            for address in server.addresses:
                async with connect(address, framing=Lines()) as channel:
                    await channel.send(b"hi")
                    assert await channel.receive() == b"HI"
            assert [listener.accepted for listener in server.statistics().listeners] == [1] * 6
            assert str(server.addresses[1]) in repr(server)

    run(main())


def test_services_and_handlers_are_told_apart(mem: str, run_once: Run[Any]) -> None:
    class Other(Desk):
        name = "other"

    async def main() -> None:
        async with serve([Desk(), Other()], mem) as server, dialled(server) as link:
            assert await link.ask("desk.say", "a") + await link.ask("other.say", "b") == "ab"

    run_once(main())


def test_nothing_listens_when_one_address_fails(run: Run[Any]) -> None:
    async def main() -> None:
        async with serve(_upper, "mem://taken"):
            server = serve(_upper, "mem://free", "mem://taken")
            with pytest.raises(ListenFailed):
                await server.start()
            async with serve(_upper, "mem://free") as again:
                assert len(again.addresses) == 1

    run(main())


def test_what_makes_no_sense_is_refused_at_once(mem: str) -> None:
    with pytest.raises(UsageError, match="needs at least one address"):
        serve(_upper)
    with pytest.raises(AddressError):
        serve(_upper, "not an address")
    with pytest.raises(UsageError, match="two services have an endpoint"):
        serve([Desk(), Desk()], mem)


def test_a_channel_is_closed_when_its_handler_returns(address: str, run: Run[Any]) -> None:
    async def one_line(channel: Channel) -> None:
        await channel.send(b"bye")

    async def main() -> None:
        async with serve(one_line, address, framing=Lines()) as server:
            async with connect(server.addresses[0], framing=Lines()) as channel:
                assert await channel.receive() == b"bye"
                with pytest.raises(ChannelEnded):
                    await channel.receive()
            await until(lambda: not server.statistics().peers)

    run(main())


def test_a_handler_that_fails_is_logged_and_the_others_go_on(
    mem: str, run_once: Run[Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(channel: Channel) -> None:
        if await channel.receive() == b"fail":
            raise ValueError("a bug")
        await _upper(channel)

    async def main() -> None:
        async with serve(fails, mem, framing=Lines()) as server:
            async with connect(mem, framing=Lines()) as good, connect(mem, framing=Lines()) as bad:
                await good.send(b"go on")
                await bad.send(b"fail")
                with pytest.raises(ChannelEnded):
                    await bad.receive()
                await good.send(b"hi")
                assert await good.receive() == b"HI"
            assert server.statistics().listeners[0].accepted == 2

    run_once(main())
    assert "a bug" in caplog.text and "Traceback" in caplog.text


def test_a_peer_that_misbehaves_costs_one_line_and_no_traceback(
    mem: str, run_once: Run[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    async def main() -> None:
        async with serve(_upper, mem, framing=Lines(max_message_bytes=5)) as server:
            async with connect(mem) as channel:
                await channel.send(b"far too long a line")
                await until(lambda: not server.statistics().peers)

    run_once(main())
    assert "limit 5 bytes" in caplog.text and "Traceback" not in caplog.text


def test_closing_gives_handlers_their_time_and_then_cancels_them(mem: str, run_virtual: Run[Any]) -> None:
    ended: list[str] = []

    async def waits(channel: Channel) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = serve(waits, mem, framing=Lines(), limits=LAN._replace(drain=3.0))
        async with server:
            channel = await connect(mem, framing=Lines())
            await until(lambda: server.statistics().peers)
            began = loop.time()
            waiting = loop.create_task(server.wait_closed())
            await server.close()
            assert loop.time() - began == pytest.approx(3)
            assert ended == ["cancelled"]
            await waiting
            with pytest.raises(ChannelEnded):
                await channel.receive()
            await channel.close()

    run_virtual(main())


def test_leaving_by_an_error_closes_at_once(mem: str, run_virtual: Run[Any]) -> None:
    async def main() -> None:
        desk, loop = Desk(), asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(KeyError):
            async with serve(desk, mem) as server, dialled(server) as link:
                task = loop.create_task(_outcome(link.ask("desk.wait", "x")))
                await desk.until("x begun")
                raise KeyError("something else went wrong")
        await task
        assert loop.time() == began and "x cancelled" in desk.notes

    run_virtual(main())


async def _outcome(work: Any) -> object:
    try:
        return await work
    except Exception as error:
        return error


@pytest.mark.parametrize("address", ["mem", "tcp://127.0.0.1:0", "udp://127.0.0.1:0"])
def test_a_handler_may_close_its_own_server(address: str, mem: str, run: Run[Any]) -> None:
    async def main() -> None:
        ends: list[str] = []

        async def serve_one(channel: Channel) -> None:
            await channel.send(b"you are the only one, " + await channel.receive())
            await server.close()
            await asyncio.sleep(0)
            ends.append("after closing")

        where, limits = mem if address == "mem" else address, PLAIN._replace(drain=2 * PATIENCE)
        async with asyncio.timeout(PATIENCE), serve(serve_one, where, limits=limits) as server:
            async with connect(server.addresses[0]) as channel:
                await channel.send(b"anna")
                assert await channel.receive() == b"you are the only one, anna"
                await server.wait_closed()
        assert ends == ["after closing"]

    run(main())


def test_after_closing_nobody_gets_in(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with serve(Desk(), address) as server:
            where = server.addresses[0]
            await server.close()
            await server.close()
            with pytest.raises(Exception, match=r"listens|refused|no such|nobody"):
                async with connect_link(where, timeout=PATIENCE):
                    raise AssertionError("somebody got in")

    run(main())


def test_services_are_started_first_and_stopped_last(mem: str, run_once: Run[Any]) -> None:
    notes: list[str] = []

    class Noting(Service):
        async def on_start(self) -> None:
            if self.name == "faulty":
                raise CallFailed(7, "cannot start")  # type: ignore[arg-type]  # any error will do
            notes.append(f"{self.name} started")

        async def on_stop(self) -> None:
            notes.append(f"{self.name} stopped")

    one = type("One", (Noting,), {"name": "one"})
    two = type("Two", (Noting,), {"name": "two"})
    faulty = type("Faulty", (Noting,), {"name": "faulty"})

    async def main() -> None:
        async with serve([one(), two()], mem) as server, dialled(server) as link:
            assert notes == ["one started", "two started"]
            assert await link.ask("one.ping") == "pong"
        assert notes[2:] == ["two stopped", "one stopped"]
        notes.clear()
        with pytest.raises(CallFailed, match="cannot start"):
            await serve([one(), faulty(), two()], mem).start()
        assert notes == ["one started", "one stopped"]
        async with serve(one(), mem):
            assert notes[-1] == "one started"

    run_once(main())


def test_peers_are_counted_while_they_are_there(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with serve(Desk(), address) as server:
            assert server.statistics().peers == 0
            async with dialled(server), dialled(server):
                assert server.statistics().peers == 2
                assert "peers=2" in repr(server)
            await until(lambda: not server.statistics().peers)
            assert server._leaving == set() == server._links

    run(main())


def test_a_server_that_accepts_no_more_goes_on_with_those_it_serves() -> None:
    async def echo(channel: Channel) -> None:
        async for message in channel:
            await channel.send(message)

    async def main() -> None:
        async with serve(echo, "tcp://127.0.0.1:0") as server:
            (address,) = server.addresses
            async with connect(address) as channel:
                await channel.send(b"before")
                assert await channel.receive() == b"before"
                server.stop_accepting()
                with pytest.raises(ConnectFailed, match="nothing listens"):
                    await connect(address)
                await channel.send(b"after")
                assert await channel.receive() == b"after"

    asyncio.run(main())


def test_closing_that_is_cancelled_still_ends_handlers_and_gives_every_port_back() -> None:
    ended: list[str] = []

    async def waits(channel: Channel) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def main() -> None:
        async with asyncio.timeout(PATIENCE):
            server = serve(waits, "tcp://127.0.0.1:0", "udp://127.0.0.1:0", limits=PLAIN._replace(drain=2 * PATIENCE))
            await server.start()
            places = list(server.addresses)
            async with connect(places[0]), connect(places[1]) as datagrams:
                await datagrams.send(b"hello")
                await until(lambda: server.statistics().peers == 2)
                closing = asyncio.get_running_loop().create_task(server.close())
                await asyncio.sleep(0)
                closing.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await closing
            assert ended == ["cancelled"] * 2
            await server.wait_closed()
            for place in places:
                async with serve(waits, place):
                    continue

    asyncio.run(main())


def test_a_service_that_fails_to_stop_keeps_no_other_from_stopping(mem: str, run_once: Run[Any]) -> None:
    notes: list[str] = []

    class One(Service):
        name = "one"

        async def on_stop(self) -> None:
            notes.append("one stopped")

    class Two(Service):
        name = "two"

        async def on_stop(self) -> None:
            raise KeyError("two")

    async def main() -> None:
        server = serve([One(), Two()], mem)
        await server.start()
        with pytest.raises(KeyError):
            await server.close()
        assert notes == ["one stopped"]
        await server.wait_closed()

    run_once(main())
