"""What every stream transport promises the layer above, on each of them and on both event loops.

A transport that passes here can carry a channel or a link. Where one of them cannot do something by its nature
(TLS has no half-close), the test says so for it instead of leaving it out.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from lanline.errors import ConnectFailed
from lanline.transport.base import connection_facts

from .certificates import Room
from .conftest import Run
from .recorder import KINDS, Echo, Recorder, joined, served

pytestmark = pytest.mark.parametrize("kind", KINDS)
MiB = 1024 * 1024


def test_bytes_arrive_in_order_and_whole(kind: str, run: Run[Any], room: Room, home: Path) -> None:
    pieces = [random.randbytes(random.choice((1, 3, 100, 5000, 70_000))) for _ in range(40)]
    whole = b"".join(pieces)

    async def main() -> None:
        async with joined(kind, room, home) as (client, server):
            for piece in pieces:
                client.transport.write(piece)
                server.transport.write(piece)
            await server.until_received(len(whole))
            await client.until_received(len(whole))
            assert bytes(server.received) == whole
            assert bytes(client.received) == whole

    run(main())


def test_writelines_and_views_are_sent_as_their_bytes(kind: str, run: Run[Any], room: Room, home: Path) -> None:
    async def main() -> None:
        async with joined(kind, room, home) as (client, server):
            scratch = bytearray(b"two")
            client.transport.writelines([b"one", memoryview(scratch)])
            client.transport.write(b"")
            client.transport.write(memoryview(b"three"))
            await server.until_received(11)
            assert bytes(server.received) == b"onetwothree"

    run(main())


def test_a_close_flushes_what_was_written(kind: str, run: Run[Any], room: Room, home: Path) -> None:
    whole = random.randbytes(2 * MiB)

    async def main() -> None:
        async with joined(kind, room, home) as (client, server):
            client.transport.write(whole)
            client.transport.close()
            assert client.transport.is_closing()
            await server.until_event("lost")
            await client.until_event("lost")
            assert bytes(server.received) == whole
            assert server.events[-2:] == ["eof", "lost"]
            assert (client.error, server.error) == (None, None)

    run(main())


def test_each_event_comes_once_and_in_its_place(kind: str, run: Run[Any], room: Room, home: Path) -> None:
    async def main() -> None:
        async with joined(kind, room, home) as (client, server):
            client.transport.write(b"x")
            await server.until_received(1)
            client.transport.close()
            client.transport.close()
            await server.until_event("lost")
            await client.until_event("lost")
            assert server.events == ["made", "data", "eof", "lost"]
            # TLS hears the peer's goodbye even after its own.
            assert [event for event in client.events if event != "eof"] == ["made", "lost"]

    run(main())


def test_a_slow_reader_pauses_the_writer_and_loses_nothing(kind: str, run: Run[Any], room: Room, home: Path) -> None:
    piece = random.randbytes(50_000)

    async def main() -> None:
        async with joined(kind, room, home) as (client, server):
            server.transport.pause_reading()
            client.transport.set_write_buffer_limits(high=65536)
            whole = await client.fill(piece)
            assert client.transport.get_write_buffer_size() > 65536
            assert not server.received
            server.transport.resume_reading()
            await server.until_received(len(whole))
            await client.until_event("resumed")
            assert client.transport.get_write_buffer_size() == 0
            assert bytes(server.received) == whole

    run(main())


def test_a_half_close_leaves_the_other_half_open(kind: str, run: Run[Any], room: Room, home: Path) -> None:
    async def main() -> None:
        async with joined(kind, room, home, keep_open_at_eof=True) as (client, server):
            if kind in ("tls", "mutual"):
                # TLS ends both halves at once, as asyncio and uvloop speak it; framings mark their ends themselves.
                assert not client.transport.can_write_eof()
                return
            assert client.transport.can_write_eof()
            client.transport.write(b"question")
            client.transport.write_eof()
            await server.until_event("eof")
            assert bytes(server.received) == b"question"
            server.transport.write(b"answer")
            server.transport.close()
            await client.until_event("eof")
            assert bytes(client.received) == b"answer"

    run(main())


def test_an_abort_ends_both_sides_without_flushing(kind: str, run: Run[Any], room: Room, home: Path) -> None:
    piece = random.randbytes(50_000)

    async def main() -> None:
        async with joined(kind, room, home) as (client, server):
            server.transport.pause_reading()
            whole = await client.fill(piece)
            client.transport.abort()
            await client.until_event("lost")
            assert client.error is None
            server.transport.resume_reading()
            await server.until_event("lost")
            assert len(server.received) < len(whole)

    run(main())


def test_a_peer_that_vanishes_is_noticed(kind: str, run: Run[Any], room: Room, home: Path) -> None:
    async def main() -> None:
        async with joined(kind, room, home) as (client, server):
            server.transport.abort()
            client.transport.write(b"into the void")
            await client.until_event("lost")
            assert client.events.count("lost") == 1
            assert client.transport.is_closing()

    run(main())


def test_the_protocol_can_be_changed_under_way(kind: str, run: Run[Any], room: Room, home: Path) -> None:
    async def main() -> None:
        async with joined(kind, room, home) as (client, server):
            client.transport.write(b"for the first")
            await server.until_received(13)
            second = Recorder()
            second.events.append("made")
            server.transport.set_protocol(second)
            assert server.transport.get_protocol() is second
            client.transport.write(b"for the second")
            await second.until_received(14)
            assert bytes(server.received) == b"for the first"
            client.transport.close()
            await second.until_event("lost")
            server.events.append("lost")  # the first is out of it and hears of no end

    run(main())


class _Buffered(asyncio.BufferedProtocol):
    """Receives into one small buffer of its own."""

    def __init__(self, wanted: int) -> None:
        self.received = bytearray()
        self.whole: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._wanted = wanted
        # A view, never the bytearray itself: asyncio's TLS slices what it gets here, and of a bytearray a slice
        # is a copy, so that bytes would be lost.
        self._buffer = memoryview(bytearray(1000))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received += self._buffer[:nbytes]
        if len(self.received) >= self._wanted and not self.whole.done():
            self.whole.set_result(bytes(self.received))


def test_a_buffered_protocol_gets_the_same_bytes(kind: str, run: Run[Any], room: Room, home: Path) -> None:
    whole = random.randbytes(300_000)

    async def main() -> None:
        async with served(kind, room, home) as server:
            client = _Buffered(len(whole))
            transport = await server.dial(lambda: client)
            (await server.next_recorder()).transport.write(whole)
            async with asyncio.timeout(10):
                assert await client.whole == whole
            transport.abort()

    run(main())


def test_both_sides_know_the_facts(kind: str, run: Run[Any], room: Room, home: Path) -> None:
    async def main() -> None:
        async with joined(kind, room, home) as (client, server):
            ours, theirs = connection_facts(client.transport), connection_facts(server.transport)
            scheme = {"mutual": "tls", "mem+latency": "mem"}.get(kind, kind)
            assert (ours.scheme, theirs.scheme) == (scheme, scheme)
            assert server.arrival is not None
            assert server.arrival.scheme == scheme
            assert ours.peer_address.startswith(f"{scheme}://")
            assert theirs.peer_address.startswith(f"{scheme}://")
            assert ours.certificate == (room.hub.der if scheme == "tls" else None)
            assert theirs.certificate == (room.node.der if kind == "mutual" else None)
            has_user = scheme in ("unix", "mem")
            assert (theirs.uid is not None) == has_user
            assert server.arrival.uid == theirs.uid
            assert server.arrival.host == ("127.0.0.1" if scheme in ("tcp", "tls") else "")

    run(main())


def test_many_connections_live_side_by_side_and_are_counted(kind: str, run: Run[Any], room: Room, home: Path) -> None:
    count = 40 if kind in ("tls", "mutual") else 150

    async def main() -> None:
        async with served(kind, room, home, Echo) as server:
            clients = [Recorder() for _ in range(count)]
            for client in clients:
                await server.dial(lambda client=client: client)  # type: ignore[misc]  # bound now on purpose
            for number, client in enumerate(clients):
                client.transport.write(b"%06d" % number)
            for number, client in enumerate(clients):
                await client.until_received(6)
                assert bytes(client.received) == b"%06d" % number
            statistics = server.listener.statistics()
            assert (statistics.connections, statistics.accepted) == (count, count)
            assert statistics.strangers == 0
            for client in clients:
                client.transport.close()
            for protocol in server.protocols:
                assert isinstance(protocol, Recorder)
                await protocol.until_event("lost")
            for client in clients:
                await client.until_event("lost")
            assert server.listener.statistics().connections == 0

    run(main())


def test_a_listener_that_stopped_refuses_and_keeps_the_connections_it_has(
    kind: str, run: Run[Any], room: Room, home: Path
) -> None:
    async def main() -> None:
        async with served(kind, room, home, Echo) as server:
            client = Recorder()
            await server.dial(lambda: client)
            await server.next_recorder()
            client.transport.write(b"a")
            await client.until_received(1)
            server.listener.stop_accepting()
            server.listener.stop_accepting()
            with pytest.raises(ConnectFailed, match="nothing listens"):
                await server.dial(Recorder)
            await server.listener.close()
            client.transport.write(b"b")
            await client.until_received(2)
            assert bytes(client.received) == b"ab"
            client.transport.close()
            await client.until_event("lost")

    run(main())


def test_a_factory_that_fails_costs_one_connection_and_no_more(
    kind: str, run: Run[Any], room: Room, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_arrival: object) -> Recorder:
        raise LookupError("no handler\x1b[2J")

    async def main() -> None:
        async with served(kind, room, home, fail) as server:
            client = Recorder()
            try:
                await server.dial(lambda: client)
            except ConnectFailed:
                client.events.append("lost")  # on TLS and in memory it shows while connecting
            await client.until_event("lost")
            assert server.listener.statistics().connections == 0
            server.make = Recorder
            client = Recorder()
            await server.dial(lambda: client)
            await server.next_recorder()
            await client.end()

    run(main())
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [line.partition(": ")[2] for line in lines] == ["LookupError: no handler\\x1b[2J"]
