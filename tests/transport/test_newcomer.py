"""The way of one connection from its first byte to a protocol, or to the sign."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lanline.limits import LAN
from lanline.transport.base import Arrival
from lanline.transport.entrance import BULK_PREFIX, DOOR_PREFIX, TLS_PREFIX, Entrance

from .certificates import HUB, Room
from .conftest import Run
from .floods import SIGN, Welcoming, clients, node_port, read_all, read_some, until
from .recorder import Recorder


def _entrances(room: Room, *, is_door_open: bool = True) -> list[Entrance]:
    return [
        Entrance("link", TLS_PREFIX, Recorder, tls=room.accepting()),
        Entrance("bulk", BULK_PREFIX, Welcoming, is_open=lambda: False),
        Entrance("door", DOOR_PREFIX + b"\x01", Welcoming, is_open=lambda: is_door_open),
    ]


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\nHost: pc7\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00",
        b"LANS",
        b"LANLINE\x02",
        b"\x02" + b"T" * 16,
        b"x" * 60_000,
    ],
)
def test_who_begins_wrongly_reads_what_the_port_is_and_a_clean_end(run: Run[Any], room: Room, first: bytes) -> None:
    async def main() -> None:
        listener = await node_port(LAN, entrances=_entrances(room))
        with clients(listener, 1) as sockets:
            sockets[0].sendall(first)
            assert await read_all(sockets[0]) == SIGN
        await until(listener, turned_away=1, connections=0)
        await listener.close()

    run(main())


def test_a_shut_door_is_as_if_there_were_none(run: Run[Any], room: Room) -> None:
    async def main() -> None:
        listener = await node_port(LAN, entrances=_entrances(room, is_door_open=False))
        with clients(listener, 1) as sockets:
            sockets[0].sendall(b"L")
            assert await read_all(sockets[0]) == SIGN
        await listener.close()

    run(main())


def test_the_protocol_gets_the_peeked_bytes_again(run: Run[Any], room: Room) -> None:
    async def main() -> None:
        came: asyncio.Future[Recorder] = asyncio.get_running_loop().create_future()

        def factory(arrival: Arrival) -> Recorder:
            came.set_result(Recorder(arrival))
            return came.result()

        listener = await node_port(LAN, entrances=[Entrance("door", b"LANLINE\x01", factory, welcome_at_once=True)])
        with clients(listener, 1) as sockets:
            sockets[0].sendall(b"LANLINE\x01hello")
            server = await came
            await server.until_received(13)
            assert bytes(server.received) == b"LANLINE\x01hello"
            assert server.arrival is not None
            assert server.arrival.first == b"LANLINE\x01hello"
            await server.end()
        await listener.close()

    run(main())


def test_a_prefix_may_come_byte_by_byte_and_costs_no_spinning(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await node_port(LAN, entrances=[Entrance("door", b"LANLINE\x01", Welcoming)])
        with clients(listener, 1) as sockets:
            for byte in b"LANLINE":
                sockets[0].sendall(bytes([byte]))
                turns = await _turns_within(0.01)
                assert turns < 50, "the loop spins on bytes it has seen"
            sockets[0].sendall(b"\x01")
            assert await read_some(sockets[0]) == b"yes"
        await listener.close()

    run(main())


def test_an_end_in_the_middle_of_a_prefix_shows_the_sign(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await node_port(LAN, entrances=[Entrance("door", b"LANLINE\x01", Welcoming)])
        with clients(listener, 1) as sockets:
            sockets[0].sendall(b"LAN")
            await until(listener, accepted=1)
            await _turns_within(0.005)
            sockets[0].shutdown(1)
            assert await read_all(sockets[0]) == SIGN
        await listener.close()

    run(main())


def test_who_leaves_without_a_word_is_forgotten(run: Run[Any], room: Room) -> None:
    async def main() -> None:
        listener = await node_port(LAN, entrances=_entrances(room))
        with clients(listener, 3) as sockets:
            await until(listener, strangers=3)
            sockets[0].close()
            await until(listener, strangers=2)
        found = await until(listener, strangers=0)
        assert (found.connections, found.dropped_strangers) == (0, 0)
        await listener.close()

    run(main())


def test_who_pours_in_bytes_while_turned_away_is_cut_off(run: Run[Any], room: Room) -> None:
    async def main() -> None:
        listener = await node_port(LAN, entrances=_entrances(room))
        with clients(listener, 1) as sockets:
            sockets[0].setblocking(False)
            loop = asyncio.get_running_loop()
            with pytest.raises(ConnectionError):
                for _ in range(10_000):
                    await loop.sock_sendall(sockets[0], b"x" * 65536)
        await until(listener, connections=0)
        await listener.close()

    run(main())


def test_who_is_turned_away_and_stays_is_dropped_in_time(run: Run[Any], room: Room) -> None:
    async def main() -> None:
        listener = await node_port(LAN._replace(handshake=0.05), entrances=_entrances(room))
        with clients(listener, 1) as sockets:
            sockets[0].sendall(b"what?")
            found = await until(listener, dropped_strangers=1)
            assert found.strangers == 0
        await listener.close()

    run(main())


def test_tls_and_the_door_live_at_one_port(run: Run[Any], room: Room) -> None:
    from lanline.transport import tcp

    async def main() -> None:
        listener = await node_port(LAN, entrances=_entrances(room))
        client = Recorder()
        await tcp.connect(listener.addresses[0], lambda: client, tls=room.connecting(), server_name=HUB, timeout=15)
        with clients(listener, 1) as sockets:
            sockets[0].sendall(b"LANLINE\x01")
            assert await read_some(sockets[0]) == b"yes"
        await client.end()
        await listener.close()

    run(main())


async def _turns_within(seconds: float) -> int:
    """How often the loop wakes up in this time for reasons of its own."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    loop.call_later(seconds, over.set_result, None)
    selector = getattr(loop, "_selector", None)
    if selector is None:
        await over  # uvloop: no way to count
        return 0
    count = 0
    select = selector.select

    def counting(timeout: float | None = None) -> Any:
        nonlocal count
        count += 1
        return select(timeout)

    selector.select = counting
    try:
        await over
    finally:
        del selector.select
    return count
