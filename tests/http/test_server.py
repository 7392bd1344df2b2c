"""Servers: where they listen, and how they stop."""

from __future__ import annotations

import asyncio
import resource
import socket
from pathlib import Path

import pytest
from aiohttp import web

from lanline.address import Address
from lanline.errors import ListenFailed
from lanline.http.exchange import CUT_OFF, Exchange
from lanline.http.server import HttpServer
from tests.http.conftest import Run
from tests.http.raw import Raw, connected, echo, request, serving, until


def test_several_addresses_are_served_at_once(home: Path) -> None:
    async def main() -> None:
        path = home / "x.sock"
        places = (Address("tcp", "127.0.0.1", 0), Address("tcp", "127.0.0.2", 0), Address("unix", path=str(path)))
        async with HttpServer(echo, *places) as server:
            assert [one.host for one in server.addresses] == ["127.0.0.1", "127.0.0.2", ""]
            for one in server.addresses[:2]:
                raw = Raw(*await asyncio.open_connection(one.host, one.port))
                assert (await raw.ask(request("/"))).status == 200
                await raw.close()
            raw = Raw(*await asyncio.open_unix_connection(path))
            assert (await raw.ask(request("/"))).status == 200
            await raw.close()

    asyncio.run(main())


def test_a_socket_that_listens_already_is_served(run: Run) -> None:
    async def main() -> None:
        sock = socket.create_server(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        async with HttpServer(echo, sock) as server, connected(server) as raw:
            assert server.addresses[0].port == port
            assert (await raw.ask(request("/"))).status == 200

    run(main())


def test_a_port_in_use_is_an_error_and_leaves_no_other_address_open() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            free = Address("tcp", "127.0.0.1", 0)
            server = HttpServer(echo, free, Address("tcp", "127.0.0.1", taken.getsockname()[1]))
            with pytest.raises(ListenFailed):
                await server.__aenter__()
            at = server.addresses[0]
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(at.host, at.port)

    asyncio.run(main())


def test_closing_lets_the_answer_under_way_finish_and_ends_idle_connections(run: Run) -> None:
    async def main() -> None:
        go_on, asked_for = asyncio.Event(), list[str]()

        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            asked_for.append(asked.path)
            await go_on.wait()
            return await echo(asked)

        async with serving(site) as server, connected(server) as idle, connected(server) as busy:
            await busy.send(request("/slow"))
            await until(lambda: asked_for)
            at = server.addresses[0]
            closing = asyncio.get_running_loop().create_task(server.close(60))
            assert await idle.rest() == b""
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(at.host, at.port)
            assert not closing.done()
            go_on.set()
            answer = await busy.answer()
            assert (answer.body, answer.fields["connection"]) == (b"/slow", "close")
            assert await busy.rest() == b""
            await closing

    run(main())


def test_closing_cuts_what_does_not_finish_in_time(run: Run) -> None:
    heard: list[Exchange] = []

    async def main() -> None:
        has_ended = list[str]()

        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            try:
                await asyncio.Event().wait()
            finally:
                has_ended.append(asked.path)
            raise AssertionError

        async with serving(site, heard=heard.append) as server, connected(server) as raw:
            await raw.send(request("/forever"))
            await until(lambda: server.connections and "BUSY" in repr(server.connections[0]))
            await server.close(0.01)
            assert has_ended == ["/forever"]
            assert not server.connections
            await server.close()

    run(main())
    assert [one.status for one in heard] == [CUT_OFF]


def test_a_close_that_is_cancelled_cuts_everybody_off_and_the_next_one_waits_for_them(run: Run) -> None:
    heard: list[Exchange] = []

    async def main() -> None:
        has_ended, may_end = asyncio.Event(), asyncio.Event()

        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            try:
                await asyncio.Event().wait()
            finally:
                has_ended.set()
                await may_end.wait()  # as for a disk, while being cancelled
            raise AssertionError

        async with serving(site, heard=heard.append) as server, connected(server) as raw:
            await raw.send(request("/forever"))
            await until(lambda: server.connections and "BUSY" in repr(server.connections[0]))
            closing = asyncio.get_running_loop().create_task(server.close(60))
            await until(lambda: server._table is not None and server._table._is_closing)
            closing.cancel()
            await has_ended.wait()
            assert len(server.connections) == 1
            again = asyncio.get_running_loop().create_task(server.close(60))
            may_end.set()
            await again
            assert not server.connections
            assert closing.cancelled()
            assert [one.status for one in heard] == [CUT_OFF]

    run(main())


def test_a_body_under_way_is_finished_while_the_server_closes(run: Run) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            await raw.send(request("/", "Content-Length: 6", method="PUT") + b"abc")
            await until(lambda: server.connections and "BUSY" in repr(server.connections[0]))
            closing = asyncio.get_running_loop().create_task(server.close(60))
            await raw.send(b"def")
            assert (await raw.answer()).body == b"abcdef"
            await closing

    run(main())


def test_few_descriptors_mean_few_connections() -> None:
    async def main() -> None:
        async with serving() as server:
            assert server._table is not None
            assert "limit 135" in repr(server._table)

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        asyncio.run(main())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
