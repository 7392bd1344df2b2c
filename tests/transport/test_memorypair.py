"""The pair of transports in memory, where it can be looked at more closely than a socket."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lanline.address import Address
from lanline.transport import memory
from lanline.transport.memorypair import WIRE_BYTES

from .recorder import Recorder

HUB = Address.parse("mem://hub")


class _VirtualSelector(selectors.DefaultSelector):
    """Advances a counter in place of sleeping."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout:
            self.now += timeout
        return super().select(0)


def _virtually(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    selector = _VirtualSelector()

    def make() -> asyncio.AbstractEventLoop:
        loop = asyncio.SelectorEventLoop(selector)
        loop.time = lambda: selector.now  # type: ignore[method-assign]
        return loop

    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(main())


@asynccontextmanager
async def _joined(latency: float = 0.0, *, keep_open_at_eof: bool = False) -> Any:
    server = Recorder(keep_open_at_eof=keep_open_at_eof)
    listener = await memory.listen(HUB, lambda arrival: server, latency=latency)
    client = Recorder(keep_open_at_eof=keep_open_at_eof)
    await memory.connect(HUB, lambda: client, timeout=1e6)
    await server.until_event("made")
    yield client, server
    await listener.close()


def test_bytes_arrive_after_the_latency_to_the_microsecond() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with _joined(latency=3.0) as (client, server):
            begun = loop.time()
            client.transport.write(b"x")
            await server.until_received(1)
            assert loop.time() - begun == pytest.approx(3.0)
            begun = loop.time()
            client.transport.close()
            await server.until_event("lost")
            assert loop.time() - begun == pytest.approx(3.0)

    _virtually(main)


def test_order_holds_when_many_bytes_are_due_at_one_moment() -> None:
    pieces = [bytes([number % 256]) * random.randint(1, 2000) for number in range(500)]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with _joined(latency=1.0) as (client, server):
            sent: list[bytes] = []

            def send(piece: bytes) -> None:
                sent.append(piece)  # the loop itself keeps no order among equal times
                client.transport.write(piece)

            for number, piece in enumerate(pieces):
                loop.call_at(loop.time() + number // 100, send, piece)
            await server.until_received(sum(map(len, pieces)))
            assert bytes(server.received) == b"".join(sent)
            await client.end()
            await server.end()

    _virtually(main)


def test_the_wire_holds_so_much_and_the_rest_waits_with_the_writer() -> None:
    async def main() -> None:
        async with _joined() as (client, server):
            server.transport.pause_reading()
            client.transport.write(bytes(WIRE_BYTES))
            assert client.transport.get_write_buffer_size() == 0
            client.transport.write(bytes(1000))
            assert client.transport.get_write_buffer_size() == 1000
            assert "paused" not in client.events
            client.transport.write(bytes(65536))
            assert "paused" in client.events
            server.transport.resume_reading()
            await server.until_received(WIRE_BYTES + 1000 + 65536)
            assert client.transport.get_write_buffer_size() == 0
            assert client.events.count("resumed") == 1
            await client.end()
            await server.end()

    asyncio.run(main())


def test_the_limits_of_the_buffer_follow_asyncios_rules() -> None:
    async def main() -> None:
        async with _joined() as (client, server):
            transport = client.transport
            assert transport.get_write_buffer_limits() == (16384, 65536)
            transport.set_write_buffer_limits(low=10)
            assert transport.get_write_buffer_limits() == (10, 40)
            transport.set_write_buffer_limits(high=0)
            assert transport.get_write_buffer_limits() == (0, 0)
            with pytest.raises(ValueError, match="must be >="):
                transport.set_write_buffer_limits(high=1, low=2)
            await client.end()
            await server.end()

    asyncio.run(main())


def test_a_paused_reader_gets_nothing_until_it_resumes() -> None:
    async def main() -> None:
        async with _joined() as (client, server):
            server.transport.pause_reading()
            assert not server.transport.is_reading()
            client.transport.write(b"x")
            client.transport.write_eof()
            for _ in range(5):
                await asyncio.sleep(0)
            assert server.events == ["made"]
            server.transport.resume_reading()
            server.transport.resume_reading()
            await server.until_event("lost")
            assert server.events == ["made", "data", "eof", "lost"]

    asyncio.run(main())


def test_a_reader_that_pauses_in_the_middle_loses_nothing() -> None:
    whole = random.randbytes(3 * WIRE_BYTES)

    class Sipping(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self.transport.resume_reading)

    async def main() -> None:
        server = Sipping()
        listener = await memory.listen(HUB, lambda arrival: server)
        client = Recorder()
        await memory.connect(HUB, lambda: client, timeout=1)
        client.transport.write(whole)
        client.transport.close()
        await server.until_event("lost")
        assert bytes(server.received) == whole
        await listener.close()

    asyncio.run(main())


def test_an_abort_is_a_reset_for_the_peer() -> None:
    async def main() -> None:
        async with _joined() as (client, server):
            client.transport.write(b"never seen")
            client.transport.abort()
            client.transport.abort()
            await server.until_event("lost")
            assert isinstance(server.error, ConnectionResetError)
            assert client.error is None
            assert server.events == ["made", "lost"]

    asyncio.run(main())


def test_writing_to_a_peer_that_closed_ends_in_a_reset() -> None:
    async def main() -> None:
        async with _joined(keep_open_at_eof=True) as (client, server):
            server.transport.close()
            await client.until_event("eof")
            await server.until_event("lost")
            client.transport.write(b"into the void")
            await client.until_event("lost")
            assert isinstance(client.error, ConnectionResetError)

    asyncio.run(main())


def test_closing_with_bytes_unread_is_a_reset_for_their_sender() -> None:
    async def main() -> None:
        async with _joined(keep_open_at_eof=True) as (client, server):
            server.transport.pause_reading()
            server.transport.write(b"last words")
            client.transport.write(b"unread")
            server.transport.close()
            await client.until_event("lost")
            assert bytes(client.received) == b"last words"
            assert isinstance(client.error, ConnectionResetError)

    asyncio.run(main())


def test_writing_after_the_end_of_a_half_is_a_mistake_and_after_close_is_nothing() -> None:
    async def main() -> None:
        async with _joined(keep_open_at_eof=True) as (client, server):
            client.transport.write_eof()
            client.transport.write_eof()
            with pytest.raises(RuntimeError, match="after write_eof"):
                client.transport.write(b"x")
            client.transport.close()
            client.transport.write(b"x")
            await client.until_event("lost")
            await server.until_event("eof")
            assert server.received == b""
            await server.end()

    asyncio.run(main())


def test_its_repr_tells_the_state() -> None:
    async def main() -> None:
        async with _joined() as (client, server):
            assert repr(client.transport) == "<MemoryTransport to mem://hub open, 0 bytes unsent>"
            client.transport.close()
            assert "closing" in repr(client.transport)
            await client.until_event("lost")
            assert "lost" in repr(client.transport)
            await server.until_event("lost")

    asyncio.run(main())
