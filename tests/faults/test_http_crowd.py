"""Crowds at an HTTP server: slow, idle, greedy or too many, and everybody else is served meanwhile."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web
from tests.http.raw import Raw, connected, request, serving, until

from lanline.http.limits import WEB
from lanline.http.sending import FileResponse, send_bytes_of
from lanline.http.server import HttpServer

IDLE = 1000
SLOW = 100


@contextmanager
def _descriptors() -> Iterator[None]:
    """As many as this system lets a process have: both sides of every connection are in this one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _clients(server: HttpServer, count: int, first: bytes) -> list[socket.socket]:
    """Connections that have sent these bytes and read nothing; ended by a reset when they are closed."""
    made = []
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", server.addresses[0].port))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.settimeout(20)
        if first:
            sock.sendall(first)
        made.append(sock)
    return made


def _close(clients: list[socket.socket]) -> None:
    for sock in clients:
        sock.close()


async def _is_served(server: HttpServer) -> bool:
    async with connected(server) as raw:
        return (await raw.ask(request("/hello"))).body == b"/hello"


def test_a_thousand_idle_connections_cost_little_and_harm_nobody() -> None:
    async def main() -> None:
        async with serving() as server:
            assert await _is_served(server)
            before = _resident_bytes()
            clients = await asyncio.to_thread(_clients, server, IDLE, b"")
            try:
                await until(lambda: len(server.connections) >= IDLE)
                grown = _resident_bytes() - before
                assert await _is_served(server)
                for sock in clients[::100]:
                    sock.sendall(request("/still-here"))
                    # Blocking: the answer is made by this very loop, so the loop is asked for it.
                    got = await asyncio.to_thread(sock.recv, 4096)
                    assert got.endswith(b"/still-here")
                assert grown < 32 << 20, f"{grown} bytes for {IDLE} connections"
            finally:
                _close(clients)

    with _descriptors():
        asyncio.run(main())


def test_headers_that_never_end_keep_nobody_from_being_served() -> None:
    async def main() -> None:
        async with serving(limits=WEB._replace(max_connections=200)) as server:
            # Half as many again as may be connected: those whose headers do not end make room for each other.
            clients = await asyncio.to_thread(_clients, server, 300, b"GET / HTTP/1.1\r\nHost: x\r\nX-a: b\r\n")
            try:
                await until(lambda: sum("HEADER" in repr(one) for one in server.connections) >= 150)
                for _ in range(20):
                    assert await _is_served(server)
            finally:
                _close(clients)

    asyncio.run(main())


def test_bodies_that_trickle_keep_nobody_from_being_served() -> None:
    async def main() -> None:
        async with serving() as server:
            clients = await asyncio.to_thread(
                _clients, server, 100, request("/up", "Content-Length: 1000000", method="PUT") + b"x"
            )
            try:
                await until(lambda: sum("BUSY" in repr(one) for one in server.connections) == 100)
                for _ in range(20):
                    assert await _is_served(server)
                    for sock in clients[::10]:
                        sock.sendall(b"x")
            finally:
                _close(clients)

    asyncio.run(main())


def test_a_hundred_slow_downloads_cost_little_and_keep_nobody_waiting(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.touch()
    os.truncate(large, 1 << 30)

    async def site(asked: web.BaseRequest) -> web.StreamResponse:
        if asked.path == "/hello":
            return web.Response(text="/hello")
        fd = os.open(large, os.O_RDONLY)
        try:
            response = FileResponse(headers={"Content-Length": str(1 << 30)})
            await response.prepare(asked)
            await send_bytes_of(response, fd, 0, 1 << 30)
        finally:
            os.close(fd)
        return response

    async def main() -> None:
        async with serving(site) as server:
            assert await _is_served(server)
            before = _resident_bytes()
            clients = await asyncio.to_thread(_clients, server, SLOW, request("/large"))
            try:
                await until(lambda: sum(one.sending is not None for one in server.connections) == SLOW)
                for _ in range(20):
                    assert await _is_served(server)
                    for sock in clients:
                        sock.recv(4096)
                grown = _resident_bytes() - before
                assert grown < 64 << 20, f"{grown} bytes for {SLOW} downloads"
            finally:
                _close(clients)
            await until(lambda: not server.connections)

    with _descriptors():
        asyncio.run(main())


def test_a_flood_is_told_503_and_those_being_served_stay() -> None:
    async def main() -> None:
        go_on = asyncio.Event()

        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            await go_on.wait()
            return web.Response(text=asked.path)

        async with serving(site, limits=WEB._replace(max_connections=20)) as server:
            served = [await _opened(server) for _ in range(20)]
            for number, raw in enumerate(served):
                await raw.send(request(f"/{number}"))
            await until(lambda: sum("BUSY" in repr(one) for one in server.connections) == 20)
            statuses = []
            for _ in range(100):
                async with connected(server) as raw:
                    answer = await raw.ask(request("/"))
                    statuses.append(answer.status)
                    assert answer.fields["retry-after"].isdigit()
            assert statuses == [503] * 100
            go_on.set()
            for number, raw in enumerate(served):
                assert (await raw.answer()).body == f"/{number}".encode()
                await raw.close()
            assert await _is_served(server)

    asyncio.run(main())


async def _opened(server: HttpServer) -> Raw:
    at = server.addresses[0]
    return Raw(*await asyncio.open_connection(at.host, at.port))
