"""Connections: those that are idle, too slow or too many."""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web

from lanline.http.exchange import CUT_OFF, Exchange
from lanline.http.limits import WEB
from tests.http.conftest import Run
from tests.http.raw import connected, echo, request, serving, until


def test_a_header_that_never_ends_is_answered_with_408(run: Run) -> None:
    async def main() -> None:
        async with serving(limits=WEB._replace(header=0.05)) as server, connected(server) as raw:
            await raw.send(b"GET / HTTP/1.1\r\n")
            answer = await raw.answer()
            assert (answer.status, answer.fields["connection"]) == (408, "close")

    run(main())


def test_an_idle_connection_is_closed_without_a_word(run: Run) -> None:
    async def main() -> None:
        async with serving(limits=WEB._replace(idle=0.05)) as server:
            async with connected(server) as silent:
                assert await silent.rest() == b""
            heard = b""
            while (
                not heard
            ):  # where this machine stands still before the request is sent, the connection is idle already
                async with connected(server) as used:
                    await used.send(request("/"))
                    heard = await used.rest()
            assert heard.endswith(b"\r\n\r\n/")

    run(main())


def test_beyond_the_limit_an_idle_connection_makes_room(run: Run) -> None:
    async def main() -> None:
        async with serving(limits=WEB._replace(max_connections=2)) as server:
            async with connected(server) as first, connected(server) as second:
                assert (await first.ask(request("/1"))).status == 200
                assert (await second.ask(request("/2"))).status == 200
                async with connected(server) as third:
                    assert (await third.ask(request("/3"))).status == 200
                    assert await first.rest() == b""
                    assert (await second.ask(request("/2"))).status == 200

    run(main())


def test_beyond_the_limit_a_newcomer_hears_503_and_when_to_come_again(run: Run) -> None:
    async def main() -> None:
        go_on, asked_for = asyncio.Event(), set[str]()

        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            asked_for.add(asked.path)
            await go_on.wait()
            return await echo(asked)

        async with serving(site, limits=WEB._replace(max_connections=2)) as server:
            async with connected(server) as first, connected(server) as second:
                await first.send(request("/1"))
                await second.send(request("/2"))
                await until(lambda: len(asked_for) == 2)
                async with connected(server) as third:
                    answer = await third.ask(request("/3"))
                    assert (answer.status, answer.fields["retry-after"]) == (503, "5")
                    assert await third.rest() == b""
                go_on.set()
                assert (await first.answer()).body == b"/1"
                assert (await second.answer()).body == b"/2"

    run(main())


def test_a_client_that_takes_nothing_is_cut_off(run: Run) -> None:
    heard: list[Exchange] = []

    async def main() -> None:
        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(asked)
            while True:
                await response.write(b"x" * 1_000_000)

        async with serving(site, limits=WEB._replace(stall=0.2), heard=heard.append) as server:
            async with connected(server) as raw:
                raw.writer.transport.pause_reading()  # type: ignore[attr-defined]  # its stubs know no such transport
                await raw.send(request("/"))
                await until(lambda: heard)

    run(main())
    assert heard[0].status == CUT_OFF


def test_the_system_bears_a_reader_who_rests_as_long_as_the_server_does(run: Run) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            assert (await raw.ask(request("/"))).status == 200
            transport = server.connections[0].transport
            assert transport is not None
            sock = transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == int(WEB.stall + 1) * 1000

    run(main())
