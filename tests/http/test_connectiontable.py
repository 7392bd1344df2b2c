"""What connections share: who rests, who makes room, and the end of all."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from aiohttp import web

from lanline.http.limits import WEB
from tests.http.raw import connected, request, serving, until


def test_the_one_that_has_rested_longest_makes_room() -> None:
    async def main() -> None:
        async with serving(limits=WEB._replace(max_connections=3)) as server:
            async with connected(server) as first, connected(server) as second, connected(server) as third:
                for raw in (first, second, third, first):
                    assert (await raw.ask(request("/"))).status == 200
                async with connected(server) as fourth:
                    assert (await fourth.ask(request("/"))).status == 200
                    assert await second.rest() == b""
                    for raw in (first, third):
                        assert (await raw.ask(request("/"))).status == 200

    asyncio.run(main())


def test_a_header_that_does_not_end_makes_room_as_well() -> None:
    async def main() -> None:
        async with serving(limits=WEB._replace(max_connections=1)) as server, connected(server) as slow:
            await slow.send(b"GET / HTTP/1.1\r\nX: ")
            await until(lambda: server.connections and "HEADER" in repr(server.connections[0]))
            async with connected(server) as other:
                assert (await other.ask(request("/"))).status == 200
                assert b"HTTP/1.1 200" not in await slow.rest()

    asyncio.run(main())


def test_a_silent_newcomer_beyond_the_limit_is_closed_in_time() -> None:
    async def main() -> None:
        go_on, asked_for = asyncio.Event(), list[str]()

        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            asked_for.append(asked.path)
            await go_on.wait()
            return web.Response()

        async with serving(site, limits=WEB._replace(max_connections=1, header=0.05)) as server:
            async with connected(server) as busy:
                await busy.send(request("/"))
                await until(lambda: asked_for)
                async with connected(server) as silent:
                    assert await silent.rest() == b""
                go_on.set()
                assert (await busy.answer()).status == 200

    asyncio.run(main())


def test_who_has_most_connections_gives_one_up_to_somebody_else_and_never_to_himself() -> None:
    async def main() -> None:
        asked_for = list[str]()

        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            asked_for.append(asked.path)
            if asked.path == "/slow":
                await asked.content.readany()  # its client's doing: nothing comes
            return web.Response()

        async with serving(site, limits=WEB._replace(max_connections=4)) as server, AsyncExitStack() as stack:
            greedy = [await stack.enter_async_context(connected(server)) for _ in range(4)]
            for raw in greedy:
                await raw.send(request("/slow", "Content-Length: 5", method="PUT"))
            await until(lambda: len(asked_for) == 4)
            async with connected(server) as one_more:
                assert (await one_more.ask(request("/mine"))).status == 503
            other = await stack.enter_async_context(connected(server, host="127.0.0.2"))
            assert (await other.ask(request("/"))).status == 200
            assert await greedy[0].rest() == b""
            assert len(server.connections) == 4

    asyncio.run(main())
