"""Large bodies past the parser: every byte, nothing beyond the body, and an honest end where it is cut off."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from hashlib import sha256

import pytest
from aiohttp import web

from lanline.http.body import blocks_of
from lanline.http.buffers import BUFFER_BYTES, MAX_BUFFERS, SMALL_BYTES
from lanline.http.exchange import Exchange, Request
from lanline.http.limits import WEB
from lanline.http.refusal import Refusal
from lanline.http.server import HttpServer
from tests.http.conftest import Contexts, Run
from tests.http.raw import Raw, connected, no_descriptor_left, request, serving, until

LARGE = random.Random(5).randbytes(7_654_321)


class Taker:
    """A site that tells the hash of what came, and remembers how it came."""

    def __init__(self) -> None:
        self.views = 0
        self.pieces = 0
        self.bytes = 0

    async def __call__(self, asked: web.BaseRequest) -> web.StreamResponse:
        digest = sha256()
        async with aclosing(blocks_of(asked, limit=None)) as blocks:
            async for block in blocks:
                self.pieces += 1
                self.bytes += len(block)
                self.views += isinstance(block, memoryview)
                digest.update(block)
                if asked.path == "/enough":
                    raise Refusal(409, "no more of it")
        return web.Response(text=digest.hexdigest())


@asynccontextmanager
async def half_sent(taker: Taker, **options: object) -> AsyncIterator[tuple[HttpServer, Raw]]:
    """A server that is past the parser with a body of which half has come, and the client."""
    async with serving(taker, **options) as server, connected(server) as raw:  # type: ignore[arg-type]
        await raw.send(request("/", f"Content-Length: {len(LARGE)}", method="PUT") + LARGE[: len(LARGE) // 2])
        await until(lambda: taker.views)
        yield server, raw


@pytest.mark.parametrize("size", [0, 1, 262_143, 262_144, 262_145, len(LARGE)])
@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_a_body_comes_whole_and_the_next_request_behind_it(
    run: Run, contexts: Contexts, is_tls: bool, size: int
) -> None:
    server_tls, client_tls = contexts if is_tls else (None, None)
    heard: list[Exchange] = []

    async def main() -> None:
        async with (
            serving(Taker(), tls=server_tls, heard=heard.append) as server,
            connected(server, tls=client_tls) as raw,
        ):
            asked = request("/", f"Content-Length: {size}", method="PUT") + LARGE[:size]
            await raw.send(asked + asked)  # the second one right behind the first
            for _ in range(2):
                answer = await raw.answer()
                assert (answer.status, answer.body.decode()) == (200, sha256(LARGE[:size]).hexdigest())

    run(main())
    assert [one.received_bytes for one in heard] == [size, size]


def test_a_large_body_passes_the_parser_and_a_chunked_one_does_not(run: Run) -> None:
    async def main() -> None:
        taker = Taker()
        async with serving(taker) as server, connected(server) as raw:
            head = request("/", f"Content-Length: {len(LARGE)}", method="PUT")
            await raw.send(head)
            await raw.send(LARGE)
            assert (await raw.answer()).body.decode() == sha256(LARGE).hexdigest()
            assert taker.views > 0
            taker.views = 0
            chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(LARGE), LARGE)
            await raw.send(request("/", "Transfer-Encoding: chunked", method="PUT") + chunk)
            assert (await raw.answer()).body.decode() == sha256(LARGE).hexdigest()
            assert (taker.views, taker.pieces > 1) == (0, True)

    run(main())


def test_the_body_is_asked_for_before_it_is_received(run: Run) -> None:
    async def main() -> None:
        async with serving(Taker()) as server, connected(server) as raw:
            await raw.send(request("/", "Expect: 100-continue", f"Content-Length: {len(LARGE)}", method="PUT"))
            assert (await raw.header()).status == 100
            await raw.send(LARGE)
            assert (await raw.answer()).status == 200

    run(main())


def test_a_body_that_is_cut_off_is_refused_with_what_came(run: Run) -> None:
    async def main() -> None:
        async with half_sent(Taker()) as (_, raw):
            raw.writer.write_eof()
            answer = await raw.answer()
            words = f"The body was cut off: {len(LARGE) // 2} bytes of {len(LARGE)} bytes came.\n"
            assert (answer.status, answer.body.decode()) == (400, words)
            assert await raw.rest() == b""

    run(main())


def test_a_body_that_stops_is_answered_with_408(run: Run) -> None:
    async def main() -> None:
        async with half_sent(Taker(), limits=WEB._replace(stall=0.05)) as (_, raw):
            answer = await raw.answer()
            assert (answer.status, answer.fields["connection"]) == (408, "close")

    run(main())


def test_a_refusal_within_a_body_arrives_and_ends_the_connection(run: Run) -> None:
    async def main() -> None:
        async with serving(Taker()) as server, connected(server) as raw:
            raw.writer.write(request("/enough", f"Content-Length: {len(LARGE)}", method="PUT") + LARGE)
            answer = await raw.answer()
            assert (answer.status, answer.fields["connection"]) == (409, "close")
            raw.writer.write_eof()
            assert await raw.rest() == b""

    run(main())


def test_senders_who_send_no_more_hold_no_buffer(run: Run) -> None:
    count = MAX_BUFFERS + 4

    async def main() -> None:
        taker = Taker()
        half = len(LARGE) // 2
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(serving(taker))
            for _ in range(count):
                raw = await stack.enter_async_context(connected(server))
                await raw.send(request("/", f"Content-Length: {len(LARGE)}", method="PUT") + LARGE[:half])
            await until(lambda: taker.bytes == count * half)
            await until(lambda: all(connection.receiving is not None for connection in server.connections))
            assert len(server.connections) == count
            assert repr(server.connections[0].buffers) == "<Buffers 1 made, 1 free, at most 16>"

    run(main())


def test_blocks_that_wait_for_a_slow_disk_share_what_there_is_and_arrive_whole(run: Run) -> None:
    count = MAX_BUFFERS + 4

    async def main() -> None:
        at_work, go_on = list[int](), asyncio.Event()

        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            digest, has_waited = sha256(), False
            async with aclosing(blocks_of(asked, limit=None)) as blocks:
                async for block in blocks:
                    if isinstance(block, memoryview) and not has_waited:
                        has_waited = True
                        at_work.append(len(block))
                        await go_on.wait()
                    digest.update(block)
            return web.Response(text=digest.hexdigest())

        async def upload(server: HttpServer, number: int) -> None:
            body = LARGE[number:]
            async with connected(server) as raw:
                raw.writer.write(request("/", f"Content-Length: {len(body)}", method="PUT") + body)
                assert (await raw.answer()).body.decode() == sha256(body).hexdigest()

        async with serving(site) as server, asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(upload(server, number))
            await until(lambda: len(at_work) == count)
            assert server.connections[0].buffers.held_bytes == MAX_BUFFERS * BUFFER_BYTES
            assert all(size <= SMALL_BYTES for size in at_work[MAX_BUFFERS:])
            go_on.set()

    run(main())


def test_without_a_descriptor_to_spare_the_parser_gives_the_body(run: Run) -> None:
    async def main() -> None:
        taker = Taker()
        async with serving(taker) as server, connected(server) as raw:
            assert (await raw.ask(request("/"))).status == 200  # the connection has been taken
            with no_descriptor_left():
                await raw.send(request("/", f"Content-Length: {len(LARGE)}", method="PUT"))
                await raw.send(LARGE)
                answer = await raw.answer()
            assert (answer.status, answer.body.decode(), taker.views) == (200, sha256(LARGE).hexdigest(), 0)

    run(main())


@pytest.mark.parametrize("leaves", ["client", "server"])
def test_whoever_leaves_in_the_middle_leaves_nothing_behind(run: Run, leaves: str) -> None:
    async def once() -> int:
        async with half_sent(Taker()) as (server, raw):
            if leaves == "client":
                raw.reset()
                await until(lambda: not server.connections)
            else:
                await server.close(0)
                assert not server.connections
        return len(os.listdir("/proc/self/fd"))

    async def main() -> None:
        before = await once()  # by then the loop has opened what it keeps
        assert await once() == before

    run(main())


def test_a_connection_that_is_cut_while_a_block_is_in_work_is_not_read_any_further(run: Run) -> None:
    async def main() -> None:
        at_work, go_on = asyncio.Event(), asyncio.Event()
        ended: list[str] = []

        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            try:
                async with aclosing(blocks_of(asked, limit=None)) as blocks:
                    async for block in blocks:
                        if isinstance(block, memoryview):
                            at_work.set()
                            await go_on.wait()
            except Refusal as refusal:
                ended.append(str(refusal))
                raise
            return web.Response()

        async with serving(site) as server, connected(server) as raw:
            raw.writer.write(request("/", f"Content-Length: {len(LARGE)}", method="PUT") + LARGE)
            await at_work.wait()
            [connection] = server.connections
            connection.cut()
            await until(lambda: connection.transport is None)
            go_on.set()
            await until(lambda: ended)
        assert "cut off" in ended[0]

    run(main())


def test_the_request_tells_what_came_past_the_parser(run: Run) -> None:
    async def main() -> None:
        seen: list[int] = []

        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            assert isinstance(asked, Request)
            async with aclosing(blocks_of(asked, limit=None)) as blocks:
                seen.extend([asked.content.total_bytes async for _ in blocks])
            assert asked.content.is_eof()
            return web.Response()

        async with serving(site) as server, connected(server) as raw:
            await raw.send(request("/", f"Content-Length: {len(LARGE)}", method="PUT") + LARGE)
            assert (await raw.answer()).status == 200
        assert seen == sorted(seen)
        assert seen[-1] == len(LARGE)

    run(main())
