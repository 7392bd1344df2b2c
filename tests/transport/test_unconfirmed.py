"""Claims about what a peer has not confirmed yet, over real sockets and both loops."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest

from lanline.transport.unconfirmed import Unconfirmed

SIZE = 8 * 1024 * 1024
"""More than both kernels hold of one connection."""

Test = Callable[[asyncio.Transport, socket.socket], Awaitable[None]]


def _with_peer(test: Test, loop: str) -> None:
    async def main() -> None:
        made: asyncio.Future[asyncio.Transport] = asyncio.get_running_loop().create_future()

        class Server(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                made.set_result(transport)  # type: ignore[arg-type]  # a stream's

        server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
        async with server:
            with socket.create_connection(server.sockets[0].getsockname(), timeout=30) as peer:
                peer.setblocking(False)
                transport = await made
                await test(transport, peer)
                transport.abort()

    factory = asyncio.new_event_loop if loop == "asyncio" else pytest.importorskip("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


async def _read(peer: socket.socket, count: int) -> None:
    while count:
        data = await asyncio.get_running_loop().sock_recv(peer, min(count, 1 << 20))
        assert data
        count -= len(data)


async def _until_none(left: Unconfirmed) -> None:
    while left.bytes_left():  # noqa: ASYNC110  # the kernel tells nobody when it has heard
        await asyncio.sleep(0)


both_loops = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


@both_loops
def test_what_nobody_reads_is_not_confirmed_and_what_is_read_is(loop: str) -> None:
    async def test(transport: asyncio.Transport, peer: socket.socket) -> None:
        with Unconfirmed(transport) as left:
            transport.write(bytes(SIZE))
            assert left.bytes_left() > 0
            assert left.written_bytes() == SIZE, "what is confirmed, in the kernel or held here"
            await _read(peer, SIZE)
            await asyncio.wait_for(_until_none(left), 30)
            assert left.confirmed_bytes() == SIZE

    _with_peer(test, loop)


@both_loops
def test_a_peer_that_has_all_and_closes_has_confirmed_it(loop: str) -> None:
    async def test(transport: asyncio.Transport, peer: socket.socket) -> None:
        with Unconfirmed(transport) as left:
            transport.write(b"all of it")
            await _read(peer, 9)
            peer.close()
            while not transport.is_closing():  # noqa: ASYNC110  # the transport tells its protocol alone
                await asyncio.sleep(0)
            assert left.bytes_left() == 0

    _with_peer(test, loop)


@both_loops
def test_a_peer_that_breaks_off_never_will(loop: str) -> None:
    async def test(transport: asyncio.Transport, peer: socket.socket) -> None:
        with Unconfirmed(transport) as left:
            transport.write(bytes(SIZE))
            await _read(peer, 1000)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
            with pytest.raises(ConnectionResetError, match="before all of it had arrived"):
                await asyncio.wait_for(_until_none(left), 30)
            confirmed = left.confirmed_bytes()
            assert confirmed is not None and 1000 <= confirmed < SIZE, "told when it is over, too"

    _with_peer(test, loop)


def test_a_connection_that_is_gone_is_refused() -> None:
    with pytest.raises(ConnectionResetError, match="lost"):
        Unconfirmed(None)
