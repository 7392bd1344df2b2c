"""The accept loop: who is dropped, who is refused, and that it goes on when descriptors run out."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lanline.address import Address
from lanline.errors import ConnectFailed
from lanline.limits import LAN
from lanline.transport import tcp
from lanline.transport.base import Arrival
from lanline.transport.entrance import TLS_PREFIX, Entrance

from .certificates import HUB, Room
from .conftest import Run
from .floods import SIGN, Welcoming, clients, node_port, read_all, read_some, until
from .recorder import Recorder

FEW = LAN._replace(max_strangers=4, max_strangers_per_address=2)


def test_the_oldest_stranger_of_an_address_makes_way_for_the_newest(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await node_port(FEW)
        with clients(listener, 2) as old, clients(listener, 1) as new:
            await until(listener, accepted=3, strangers=2, dropped_strangers=1)
            assert await read_all(old[0]) == b"RESET"
            new[0].sendall(b"L")
            assert await read_some(new[0]) == b"yes"
            old[1].sendall(b"L")
            assert await read_some(old[1]) == b"yes"
        await listener.close()

    run(main())


def test_a_member_in_the_middle_of_a_burst_from_its_own_address_gets_in(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await node_port(FEW)
        with clients(listener, 1) as member:
            member[0].sendall(b"L")
            with clients(listener, 30):  # all in the queue before the loop has its first turn
                assert await read_some(member[0]) == b"yes"
                await until(listener, accepted=31)
        await listener.close()

    run(main())


def test_a_flood_from_one_address_does_not_displace_the_strangers_of_others(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await node_port(FEW)
        with clients(listener, 1) as member, clients(listener, 40, "127.0.0.2"):
            found = await until(listener, accepted=41)
            assert (found.strangers, found.dropped_strangers) == (3, 38)
            member[0].sendall(b"L")
            assert await read_some(member[0]) == b"yes"
        await listener.close()

    run(main())


def test_the_oldest_stranger_of_all_makes_way_beyond_the_limit_in_all(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await node_port(FEW)
        with (
            clients(listener, 1, "127.0.0.2") as oldest,
            clients(listener, 1, "127.0.0.3"),
            clients(listener, 1, "127.0.0.4"),
            clients(listener, 1, "127.0.0.5"),
            clients(listener, 1, "127.0.0.6") as newest,
        ):
            await until(listener, accepted=5, strangers=4, dropped_strangers=1)
            assert await read_all(oldest[0]) == b"RESET"
            newest[0].sendall(b"L")
            assert await read_some(newest[0]) == b"yes"
        await listener.close()

    run(main())


def test_a_stranger_who_is_not_welcomed_in_time_is_dropped(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await node_port(LAN._replace(handshake=0.05), entrances=[Entrance("mute", b"L", _Mute)])
        with clients(listener, 1) as waiting:
            waiting[0].sendall(b"L")
            assert await read_all(waiting[0]) == b"RESET"
            found = await until(listener, strangers=0)
            assert (found.dropped_strangers, found.connections) == (1, 0)
        await listener.close()

    run(main())


def test_somebody_silent_is_told_what_the_port_is_before_the_end(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await node_port(LAN._replace(handshake=0.05))
        with clients(listener, 1) as silent:
            assert await read_all(silent[0]) == SIGN
        await listener.close()

    run(main())


def test_a_welcomed_connection_outlives_the_handshake_time(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await node_port(LAN._replace(handshake=0.05))
        with clients(listener, 1) as member, clients(listener, 1, "127.0.0.2") as silent:
            member[0].sendall(b"L")
            assert await read_some(member[0]) == b"yes"
            assert await read_all(silent[0]) == SIGN  # the time of both is over
            member[0].sendall(b"L")
            assert await read_some(member[0]) == b"yes"
        await listener.close()

    run(main())


def test_a_full_house_refuses_the_newest(run: Run[Any], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        listener = await tcp.listen(Address("tcp", "127.0.0.1"), Welcoming, limits=LAN._replace(max_connections=3))
        with clients(listener, 3) as members, clients(listener, 2) as late:
            assert await read_all(late[0]) == b""
            assert await read_all(late[1]) == b""
            for number, member in enumerate(members):
                member.sendall(b"pc%d" % number)
                assert await read_some(member) == b"yes"
            assert listener.statistics().refused == 2
        await listener.close()

    run(main())
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("refused tcp://127.0.0.1:")
    assert lines[0].endswith("3 connections, limit in all")
    assert len(lines) == 2  # the second was counted, and written when the listener closed


def test_a_burst_of_clients_of_a_plain_server_is_served_whole(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await tcp.listen(Address("tcp", "127.0.0.1"), Welcoming)
        with clients(listener, 40) as sockets:  # in the listen queue all at once, before the first accept
            for number, sock in enumerate(sockets):
                sock.sendall(b"pc%d" % number)
                assert await read_some(sock) == b"yes"
            assert listener.statistics().dropped_strangers == 0
        await listener.close()

    run(main())


def test_a_member_beyond_its_limit_is_not_welcomed_and_the_older_ones_stay(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await node_port(LAN._replace(max_connections_per_member=2))
        with clients(listener, 3) as sockets:
            answers = []
            for sock in sockets:
                sock.sendall(b"L")
                answers.append(await read_some(sock))
            assert answers == [b"yes", b"yes", b"no"]
            assert listener.statistics().refused == 1
            assert listener.statistics().strangers == 1
            sockets[0].sendall(b"L")
            assert await read_some(sockets[0]) == b"yes"
        await listener.close()

    run(main())


def test_closing_drops_strangers_at_every_stage_and_leaves_no_descriptor(run: Run[Any], room: Room) -> None:
    entrances = [
        Entrance("link", TLS_PREFIX, Recorder, tls=room.accepting()),
        Entrance("mute", b"L", _Mute),
    ]

    async def main() -> None:
        await _warm_up()
        before = _descriptors()
        listener = await node_port(LAN, entrances=entrances)
        with clients(listener, 4) as sockets:
            sockets[0].sendall(b"\x16\x03\x01")  # in the middle of a handshake that never comes
            sockets[1].sendall(b"L")
            sockets[2].sendall(b"what is this?")
            await until(listener, accepted=4, turned_away=1)
            await _turns(10)
            await listener.close()
            assert listener.statistics().connections == 0
            assert await read_all(sockets[3]) == b"RESET"
        await _turns(3)  # asyncio and uvloop close a descriptor a turn after its transport
        assert _descriptors() == before

    run(main())


def test_dropping_handshakes_under_way_leaves_no_descriptor(run: Run[Any], room: Room) -> None:
    async def main() -> None:
        await _warm_up()
        before = _descriptors()
        entrances = [Entrance("link", TLS_PREFIX, Recorder, tls=room.accepting())]
        listener = await node_port(FEW, entrances=entrances)
        with clients(listener, 2) as kept:
            for count in range(20):
                with clients(listener, 1) as sockets:
                    sockets[0].sendall(b"\x16\x03\x01\x02\x00\x01")
                    await until(listener, accepted=3 + count)
                    await _turns(10)
                    kept.append(sockets.pop())
            for sock in kept[:-2]:
                assert await read_all(sock) == b"RESET"
            assert listener.statistics().dropped_strangers == 20
        await listener.close()
        await _turns(3)
        assert _descriptors() == before

    run(main())


def test_a_handshake_that_fails_is_one_line_without_traceback(
    run: Run[Any], room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        listener = await node_port(LAN, entrances=[Entrance("link", TLS_PREFIX, Recorder, tls=room.accepting())])
        with clients(listener, 1) as sockets:
            sockets[0].sendall(b"\x16\x03\x01\x00\x05hello")
            await read_all(sockets[0])
            await until(listener, failed_handshakes=1, connections=0)
        await listener.close()

    run(main())
    assert [record.name for record in caplog.records] == ["lanline.transport"]
    line = caplog.records[0].getMessage()
    assert line.startswith("TLS handshake with tls://127.0.0.1:")
    assert "\n" not in line
    assert caplog.records[0].exc_info is None


def test_probes_of_a_tls_port_are_counted_and_not_a_line_each(
    run: Run[Any], room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    count = 40

    async def main() -> None:
        listener = await node_port(LAN, entrances=[Entrance("web", b"", Recorder, tls=room.accepting())])
        for number in range(count):
            with clients(listener, 1):
                pass  # a bare connection that says nothing
            await until(listener, failed_handshakes=number + 1, connections=0)
        await listener.close()

    run(main())
    lines = [record.getMessage() for record in caplog.records if record.name == "lanline.transport"]
    assert all(line.startswith("TLS handshake with tls://127.0.0.1:") for line in lines)
    more = [re.search(r"\(and (\d+) more like it in \d+ s\)$", line) for line in lines]
    assert len(lines) + sum(int(one[1]) for one in more if one) == count
    assert len(lines) < 10, "the first, then after 1, 2, 4 ... 60 s, and what is left at the end"


def test_a_tls_client_may_take_its_handshake_time_and_no_more(run: Run[Any], room: Room) -> None:
    async def main() -> None:
        quick = LAN._replace(handshake=0.05)
        listener = await node_port(quick, entrances=[Entrance("link", TLS_PREFIX, Recorder, tls=room.accepting())])
        with clients(listener, 1) as sockets:
            sockets[0].sendall(b"\x16\x03\x01\x02")
            assert await read_all(sockets[0]) in (b"RESET", b"")
            await until(listener, connections=0)
        await listener.close()

    run(main())


def test_a_sole_entrance_that_is_shut_shows_the_sign(run: Run[Any]) -> None:
    async def main() -> None:
        shut = Entrance("plain", b"", Welcoming, is_open=lambda: False)
        listener = await node_port(LAN, entrances=[shut])
        with clients(listener, 1) as sockets:
            assert await read_all(sockets[0]) == SIGN
        await listener.close()

    run(main())


def test_its_repr_tells_where_and_how_many(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await node_port(LAN)
        address = str(listener.addresses[0])
        with clients(listener, 2):
            await until(listener, accepted=2)
            assert repr(listener) == f"<AcceptLoop {address}: 2 connections, 2 strangers>"
        await listener.close()
        assert repr(listener) == f"<AcceptLoop {address} stopped: 0 connections, 0 strangers>"

    run(main())


def test_a_member_gets_in_while_descriptors_are_short(room: Room, tmp_path: Path) -> None:
    """A process of its own, with 64 descriptors of which most are taken, under 150 silent connections."""
    report = _starved(tmp_path, "node", room)
    assert report["answers"] == ["yes"] * 5
    assert report["accept_errors"] > 0
    assert report["middle_ms"] < 500  # of the worst a machine that stands still for a moment has its part
    assert report["log_bytes"] < 5_000
    assert report["is_alive_after"]


def test_a_full_plain_server_refuses_with_its_reserve_and_recovers(room: Room, tmp_path: Path) -> None:
    """Nobody to drop there: who cannot be served is closed at once instead of waiting in the queue."""
    report = _starved(tmp_path, "plain", room)
    assert report["refused"] > 0
    assert report["accept_errors"] > 0
    assert report["is_alive_after"]
    assert report["log_bytes"] < 5_000


def _starved(folder: Path, kind: str, room: Room) -> dict[str, Any]:
    script = Path(__file__).with_name("starved.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(script), kind],
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_many_tls_members_get_in_one_after_another(run: Run[Any], room: Room) -> None:
    async def main() -> None:
        entrance = Entrance("link", TLS_PREFIX, Recorder, tls=room.accepting(), welcome_at_once=True)
        listener = await node_port(FEW, entrances=[entrance])
        place = listener.addresses[0]
        for _ in range(10):
            client = Recorder()
            await tcp.connect(place, partial(_same, client), tls=room.connecting(), server_name=HUB, timeout=15)
            await until(listener, strangers=0)
            await client.end()
        assert listener.statistics().dropped_strangers == 0
        await listener.close()
        with pytest.raises(ConnectFailed):
            await tcp.connect(listener.addresses[0], Recorder, timeout=15)

    run(main())


def _same(recorder: Recorder) -> Recorder:
    return recorder


class _Mute(asyncio.Protocol):
    """Welcomes nobody."""

    def __init__(self, arrival: Arrival) -> None:
        self.arrival = arrival

    def connection_lost(self, exc: Exception | None) -> None:
        self.arrival.gone()


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _warm_up() -> None:
    """libuv opens a reserve descriptor of its own with the first stream of a loop, and keeps it."""
    listener = await node_port(LAN)
    with clients(listener, 1) as sockets:
        sockets[0].sendall(b"L")
        assert await read_some(sockets[0]) == b"yes"
    await until(listener, connections=0)
    await listener.close()
    await _turns(3)


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
