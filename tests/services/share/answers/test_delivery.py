"""Claims about answers that have arrived, or have not. What a reset and a closed connection come to is in test_once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from lanline.address import Address
from lanline.http.server import HttpServer
from lanline.services.share.answers import delivery
from lanline.services.share.answers.delivery import deliver

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def _delivered(size: int, visit: Callable[[socket.socket, asyncio.Event], Awaitable[None]]) -> str:
    """What became of the delivery of so many bytes to a visitor with a small window."""
    became: list[str] = []

    async def main() -> None:
        done = asyncio.Event()

        async def site(request: web.BaseRequest) -> web.StreamResponse:
            response = web.Response(body=bytes(size))
            try:
                await deliver(request, response)
                became.append("arrived")
            except ConnectionError as error:
                became.append(str(error))
                raise
            finally:
                done.set()
            return response

        async with HttpServer(site, Address("tcp", "127.0.0.1", 0)) as server:
            with socket.socket() as visitor:
                visitor.setblocking(False)
                visitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(visitor, ("127.0.0.1", server.addresses[0].port))
                await loop.sock_sendall(visitor, REQUEST)
                await asyncio.wait_for(visit(visitor, done), 60)
            await server.close(0)

    asyncio.run(main())
    return became[0]


def test_what_is_read_to_its_end_has_arrived_and_not_before() -> None:
    async def visit(visitor: socket.socket, done: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        left = 200_000
        while left > 50_000:
            left -= len(await loop.sock_recv(visitor, 1000))
        assert not done.is_set()

        async def read_on() -> None:
            while await loop.sock_recv(visitor, 65536):
                pass

        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read_on())
            await done.wait()
            reading.cancel()

    assert _delivered(200_000, visit) == "arrived"


def test_a_visitor_who_takes_nothing_more_counts_as_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "PATIENCE", 0.2)

    async def visit(visitor: socket.socket, done: asyncio.Event) -> None:
        await done.wait()

    # It fits into what this side's kernel holds, and not into the visitor's.
    assert _delivered(60_000, visit) == "the peer confirms nothing any more"
