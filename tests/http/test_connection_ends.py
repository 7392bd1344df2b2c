"""Connections: how they end, and what is heard of each request."""

from __future__ import annotations

import asyncio

from aiohttp import web

from lanline.http.body import body_of
from lanline.http.exchange import CUT_OFF, Exchange
from lanline.http.limits import WEB
from tests.http.conftest import Run
from tests.http.raw import connected, echo, request, serving, until


def test_a_small_body_that_nobody_read_is_read_away(run: Run) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            await raw.send(request("/refuse", "Content-Length: 1000", method="PUT"))
            assert (await raw.answer()).status == 403
            await raw.send(b"x" * 1000)
            assert (await raw.ask(request("/next"))).body == b"/next"

    run(main())


def test_a_large_body_that_nobody_read_ends_the_connection_but_not_the_answer(run: Run) -> None:
    async def main() -> None:
        count = 20_000_000
        async with serving() as server, connected(server) as raw:
            await raw.send(request("/refuse", f"Content-Length: {count}", method="PUT"))
            # All of it is sent before a byte is read: a server that closed at once would reset, and the answer be lost.
            await raw.send(b"x" * count)
            answer = await raw.answer()
            assert (answer.status, answer.fields["connection"]) == (403, "close")
            raw.writer.write_eof()
            assert await raw.rest() == b""

    run(main())


def test_lingering_ends_when_its_time_is_over(run: Run) -> None:
    async def main() -> None:
        async with serving(limits=WEB._replace(linger=0.05)) as server, connected(server) as raw:
            answer = await raw.ask(request("/refuse", "Content-Length: 99999999", method="PUT"))
            assert answer.status == 403
            assert await raw.rest() == b""
            await until(lambda: "0 connections" in repr(server))

    run(main())


def test_who_sends_no_more_still_gets_the_answer(run: Run) -> None:
    async def main() -> None:
        go_on = asyncio.Event()

        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            await go_on.wait()
            return await echo(asked)

        async with serving(site) as server, connected(server) as raw:
            await raw.send(request("/1") + request("/2"))
            raw.writer.write_eof()
            asyncio.get_running_loop().call_soon(go_on.set)
            assert (await raw.answer()).body == b"/1"
            answer = await raw.answer()
            assert answer.body == b"/2"
            assert await raw.rest() == b""

    run(main())


def test_every_request_is_heard_once(run: Run) -> None:
    heard: list[Exchange] = []

    async def main() -> None:
        async with serving(heard=heard.append) as server, connected(server) as raw:
            await raw.ask(request("/a?b=%20", "User-Agent: test/1"))
            await raw.ask(request("/up", method="PUT", body=b"12345"))
            await raw.ask(request("/refuse"))
            await raw.ask(b"nonsense\r\n\r\n")

    run(main())
    said = [(one.method, one.target, one.status, one.received_bytes, one.user_agent) for one in heard]
    assert said == [
        ("GET", "/a?b=%20", 200, 0, "test/1"),
        ("PUT", "/up", 200, 5, ""),
        ("GET", "/refuse", 403, 0, ""),
        ("-", "-", 400, 0, ""),
    ]
    assert all(one.peer.startswith("tcp://127.0.0.1:") and one.sent_bytes > 100 for one in heard)


def test_a_client_that_leaves_before_its_answer_is_heard_as_499(run: Run) -> None:
    heard: list[Exchange] = []

    async def main() -> None:
        has_begun, go_on = asyncio.Event(), asyncio.Event()

        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            has_begun.set()
            await go_on.wait()
            return await echo(asked)

        async with serving(site, heard=heard.append) as server:
            async with connected(server) as raw:
                await raw.send(request("/left"))
                await has_begun.wait()
                raw.reset()
            connection = next(iter(server.connections))
            await until(lambda: connection.transport is None)
            go_on.set()
            await until(lambda: heard)

    run(main())
    assert [(one.target, one.status) for one in heard] == [("/left", CUT_OFF)]


def test_a_client_that_leaves_within_its_body_is_heard_once(run: Run) -> None:
    heard: list[Exchange] = []

    async def main() -> None:
        has_begun = asyncio.Event()

        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            async for _ in body_of(asked, limit=None):
                has_begun.set()
            return web.Response()

        async with serving(site, heard=heard.append) as server, connected(server) as raw:
            await raw.send(request("/up", "Content-Length: 100", method="PUT") + b"begun")
            await has_begun.wait()
            raw.reset()
            await until(lambda: heard)

    run(main())
    assert [(one.target, one.received_bytes) for one in heard] == [("/up", 5)]
    assert heard[0].status in (CUT_OFF, 400)
