"""The fault proxy does each fault it promises, and nothing else, the same way for the same seed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from lanline.testing.proxy import FaultProxy, Faults
from lanline.testing.room import until

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MESSAGE = bytes(range(256)) * 40


@asynccontextmanager
async def through(serve: Serve, faults: Faults, seed: int = 1) -> AsyncIterator[FaultProxy]:
    """A server and the proxy before it."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, FaultProxy("127.0.0.1", port, faults=faults, seed=seed) as proxy, asyncio.timeout(10):
        yield proxy


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends back what comes, until the end."""
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
        writer.write_eof()
    except ConnectionError:
        writer.transport.abort()
    finally:
        writer.close()


async def ask(proxy: FaultProxy, message: bytes = MESSAGE) -> bytes:
    """What comes back of a message, until the end of the stream."""
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    try:
        writer.write(message)
        writer.write_eof()
        return await reader.read()
    finally:
        writer.close()


def test_without_faults_every_byte_passes_in_both_directions_and_the_end_too() -> None:
    async def main() -> None:
        async with through(echo, Faults()) as proxy:
            assert await ask(proxy) == MESSAGE
            assert (proxy.figures.bytes_forth, proxy.figures.bytes_back) == (len(MESSAGE), len(MESSAGE))

    asyncio.run(main())


def test_slices_change_no_byte_and_are_the_same_for_the_same_seed() -> None:
    async def sizes(seed: int) -> list[int]:
        seen: list[int] = []

        async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            whole = b""
            while chunk := await reader.read(65536):
                seen.append(len(chunk))
                whole += chunk
            writer.write(whole)
            writer.close()

        async with through(count, Faults(slice_bytes=7), seed) as proxy:
            assert await ask(proxy, MESSAGE[:200]) == MESSAGE[:200]
        return seen

    first, again, other = (asyncio.run(sizes(seed)) for seed in (5, 5, 6))
    # The kernel may join two segments that nobody has read yet; never split one.
    assert len(first) > 20
    assert _boundaries(first) & _boundaries(again)
    assert _boundaries(first) != _boundaries(other)


def _boundaries(sizes: list[int]) -> set[int]:
    return {sum(sizes[:count]) for count in range(1, len(sizes))}


@pytest.mark.parametrize("after", [0, 1, 1000])
def test_a_cut_passes_exactly_so_many_bytes_and_then_ends(after: int) -> None:
    async def main() -> None:
        async with through(echo, Faults(cut_after=after)) as proxy:
            reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
            writer.write(MESSAGE)
            received = b""
            try:
                received = await reader.read()
            except ConnectionResetError:
                assert after == 0, "with unread bytes the kernel may say reset instead of end"
            assert len(received) <= after
            assert proxy.figures.bytes_forth == after
            writer.close()

    asyncio.run(main())


def test_a_reset_is_a_reset_for_both_ends() -> None:
    async def main() -> None:
        far_end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.readexactly(10**6)
            except (ConnectionResetError, asyncio.IncompleteReadError) as error:
                far_end.set_result(type(error).__name__)
            writer.close()

        async with through(listen, Faults(is_resetting=True)) as proxy:
            reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
            writer.write(b"hello")
            await until(lambda: proxy.figures.bytes_forth == 5)
            proxy.break_all()
            with pytest.raises(ConnectionResetError):
                await reader.read()
            assert await far_end == "ConnectionResetError"
            writer.close()

    asyncio.run(main())


def test_what_is_swallowed_is_told_to_nobody_not_even_the_end() -> None:
    async def main() -> None:
        async with through(echo, Faults()) as proxy:
            reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
            writer.write(b"before")
            assert await reader.readexactly(6) == b"before"
            proxy.faults = Faults(is_swallowing=True)
            writer.write(b"after")
            writer.write_eof()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await reader.read(1)
            assert proxy.figures.open == 1
            writer.close()

    asyncio.run(main())


def test_a_delay_holds_each_piece_back_and_keeps_their_order() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with through(echo, Faults(delay=0.03, jitter=0.02)) as proxy:
            began = loop.time()
            assert await ask(proxy) == MESSAGE
            assert loop.time() - began >= 0.05

    asyncio.run(main())


def test_a_rate_is_kept() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with through(echo, Faults(bytes_per_second=100_000)) as proxy:
            began = loop.time()
            assert await ask(proxy) == MESSAGE
            assert loop.time() - began >= 0.9 * len(MESSAGE) / 100_000

    asyncio.run(main())


def test_a_refused_visitor_is_reset_and_a_target_that_is_away_looks_the_same() -> None:
    async def main() -> None:
        async with through(echo, Faults(is_refusing=True)) as proxy:
            with pytest.raises(ConnectionError):
                assert await ask(proxy) == b"nothing"
                raise ConnectionResetError("closed without a byte")
        async with FaultProxy("127.0.0.1", 1) as proxy:
            with pytest.raises(ConnectionError):
                await ask(proxy)

    asyncio.run(main())
