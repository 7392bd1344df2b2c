"""Connecting: what is held and what is closed, times that run out, and links over TLS."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from lanline.address import Address
from lanline.errors import AddressError, ConnectFailed
from lanline.framing.lines import Lines
from lanline.link.channel import Channel
from lanline.link.client import connect, connect_link, open_link
from lanline.link.guard import Anyone
from lanline.link.link import Link
from lanline.link.server import serve
from lanline.transport.tls import client_context
from tests.link.conftest import Run
from tests.link.desk import Desk, until
from tests.transport.certificates import HUB, make_room


async def _upper(channel: Channel) -> None:
    async for message in channel:
        await channel.send(message.upper())


def test_a_connection_is_held_by_whoever_awaits_it(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with serve(_upper, address, framing=Lines()) as server:
            channel = await connect(server.addresses[0], framing=Lines())
            await channel.send(b"hi")
            assert await channel.receive() == b"HI"
            await channel.close()
        async with serve(Desk(), address) as server:
            link = await connect_link(server.addresses[0])
            assert await link.ask("desk.say", "hi") == "hi"
            await link.close()

    run(main())


def test_a_connection_that_is_entered_is_closed_on_leaving(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with serve(Desk(), address) as server:
            with pytest.raises(KeyError):
                async with connect_link(server.addresses[0]) as link:
                    raise KeyError("a mistake inside")
            assert link.is_gone

    run(main())


def test_nothing_happens_until_it_is_awaited() -> None:
    with pytest.raises(AddressError):
        connect("no address at all")
    with pytest.raises(AddressError):
        connect_link("no address at all")
    assert connect("mem://nobody-there") is not None
    assert connect_link("mem://nobody-there") is not None


def test_where_nobody_listens_is_said(address: str, run: Run[Any], home: Path) -> None:
    async def main() -> None:
        async with serve(_upper, address) as server:
            where = server.addresses[0]
        for connecting in (connect(where), connect_link(where)):
            with pytest.raises(ConnectFailed, match=str(where).replace("[", r"\[").split("?")[0]):
                await connecting

    run(main())


def test_a_peer_that_never_welcomes_runs_out_of_time(mem: str, run_virtual: Run[Any]) -> None:
    async def silent(channel: Channel) -> None:
        async for _ in channel:
            continue

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with serve(silent, mem) as server:
            began = loop.time()
            with pytest.raises(ConnectFailed, match=rf"{mem} did not answer within 2.5 s"):
                await connect_link(mem, timeout=2.5)
            assert loop.time() - began == pytest.approx(2.5)
            await until(lambda: not server.statistics().peers)

    run_virtual(main())


def test_giving_up_while_connecting_leaves_nothing(mem: str, run: Run[Any]) -> None:
    async def silent(channel: Channel) -> None:
        async for _ in channel:
            continue

    async def main() -> None:
        async with serve(silent, mem) as server:
            for turns in range(8):
                task = asyncio.get_running_loop().create_task(_connected(mem))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled()
            await until(lambda: not server.statistics().peers)

    run(main())


async def _connected(address: str) -> Link:
    return await connect_link(address)


def test_whoever_keeps_many_links_hears_of_their_loss(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        lost: list[str] = []
        async with serve(Desk(), mem):
            link = await open_link(
                Address.parse(mem),
                Anyone(),
                Desk().endpoints(),
                boot=b"12345678",
                on_lost=lambda link, reason: lost.append(reason),
            )
            assert await link.ask("desk.say", "hi") == "hi"
        assert "stop" in await link.wait_gone()
        assert lost == [link.closed_because]

    run_once(main())


def test_a_link_over_tls_carries_calls_and_ends_on_both_sides(tmp_path: Path, run: Run[Any]) -> None:
    room = make_room(tmp_path)

    async def main() -> None:
        desk = Desk()
        async with serve(desk, "tcp://127.0.0.1:0", tls=room.accepting()) as server:
            address = server.addresses[0]
            async with connect_link(address, tls=room.connecting(), server_name=HUB) as link:
                answers = await asyncio.gather(*(link.ask("desk.say", "x" * 300_000) for _ in range(10)))
                assert set(answers) == {"x" * 300_000}
                assert [item async for item in link.stream("desk.count", 500)] == list(range(500))
            await until(lambda: not server.statistics().peers)
            with pytest.raises(ConnectFailed):
                await connect_link(address, timeout=2.0)
            assert server.statistics().peers == 0

    run(main())


def test_a_channel_over_tls_has_no_half_close(tmp_path: Path, run: Run[Any]) -> None:
    room = make_room(tmp_path)

    async def main() -> None:
        tls = room.accepting()
        async with serve(_upper, "tcp://127.0.0.1:0", framing=Lines(), tls=tls) as server:
            context = client_context(room.authority.file)
            context.load_cert_chain(room.node.certificate_file, room.node.key_file)
            async with connect(server.addresses[0], framing=Lines(), tls=context, server_name=HUB) as channel:
                await channel.send(b"hi")
                assert await channel.receive() == b"HI"
                channel.end()
                await channel.wait_gone()

    run(main())
