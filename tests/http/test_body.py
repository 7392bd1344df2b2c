"""Bodies: asked for when they are wanted, up to their limit, at their pace, and whole or not at all."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from lanline.http.body import body_of
from lanline.http.exchange import Exchange
from lanline.http.limits import WEB
from tests.http.conftest import Contexts, Run
from tests.http.raw import connected, request, serving, until


@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_000])
@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_a_body_arrives_as_it_was_sent(run: Run, contexts: Contexts, is_tls: bool, size: int) -> None:
    server_tls, client_tls = contexts if is_tls else (None, None)

    async def main() -> None:
        async with serving(tls=server_tls) as server, connected(server, tls=client_tls) as raw:
            body = bytes(range(256)) * (size // 256 + 1)
            await raw.send(request("/", f"Content-Length: {size}", method="PUT") + body[:size])
            assert (await raw.answer()).body == body[:size]

    run(main())


def test_a_chunked_body_arrives_without_its_chunks(run: Run) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            await raw.send(request("/", "Transfer-Encoding: chunked", method="PUT"))
            for piece in (b"3\r\nabc\r\n", b"2;x=y\r\nde\r\n", b"0\r\nTrailer: z\r\n\r\n"):
                await raw.send(piece)
            assert (await raw.answer()).body == b"abcde"
            assert (await raw.ask(request("/next"))).body == b"/next"

    run(main())


def test_100_continue_comes_when_the_body_is_asked_for(run: Run) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            await raw.send(request("/", "Expect: 100-continue", "Content-Length: 5", method="PUT"))
            assert (await raw.header()).status == 100
            await raw.send(b"12345")
            assert (await raw.answer()).body == b"12345"
            assert (await raw.ask(request("/next"))).status == 200

    run(main())


def test_no_continue_for_a_body_that_has_begun_or_a_client_of_http_1_0(run: Run) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            asked = request("/", "Expect: 100-continue", "Content-Length: 5", method="PUT")
            await raw.send(asked + b"12345")
            assert (await raw.header()).status == 200
            assert await raw.reader.readexactly(5) == b"12345"
            old = request("/", "Expect: 100-continue", "Content-Length: 5", method="PUT", version="1.0")
            await raw.send(old)
            await raw.send(b"12345")
            assert (await raw.header()).status == 200

    run(main())


@pytest.mark.parametrize("target", ["/refuse", "/up?limit=4"])
def test_a_refusal_before_100_continue_ends_the_connection_without_the_body(run: Run, target: str) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            await raw.send(request(target, "Expect: 100-continue", "Content-Length: 5", method="PUT"))
            answer = await raw.answer()
            assert answer.status in (403, 413)
            assert answer.fields["connection"] == "close"
            raw.writer.write_eof()
            assert await raw.rest() == b""

    run(main())


def test_a_body_over_its_limit_is_refused_before_its_first_byte(run: Run) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            await raw.send(request("/?limit=4", "Content-Length: 5", method="PUT"))
            answer = await raw.answer()
            assert (answer.status, answer.body) == (413, b"A body may have 4 B here at most.\n")

    run(main())


def test_a_chunked_body_over_its_limit_is_refused_where_it_is_over(run: Run) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            await raw.send(
                request("/?limit=4", "Transfer-Encoding: chunked", method="PUT") + b"3\r\nabc\r\n3\r\ndef\r\n"
            )
            assert (await raw.answer()).status == 413

    run(main())


def test_a_compressed_body_is_refused(run: Run) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            answer = await raw.ask(request("/", "Content-Encoding: gzip", method="PUT", body=b"12345"))
            assert (answer.status, answer.fields["accept-encoding"]) == (415, "identity")

    run(main())


def test_a_body_that_stops_is_answered_with_408(run: Run) -> None:
    async def main() -> None:
        async with serving(limits=WEB._replace(stall=0.05)) as server, connected(server) as raw:
            await raw.send(request("/", "Content-Length: 5", method="PUT") + b"1")
            answer = await raw.answer()
            assert (answer.status, answer.fields["connection"]) == (408, "close")

    run(main())


def test_a_body_that_trickles_is_answered_with_408(run: Run) -> None:
    async def main() -> None:
        # Each byte comes in time, and all of them too slowly: no pace is fast enough here.
        limits = WEB._replace(stall=0.1, body_bytes_per_second=1 << 40, linger=0.1)
        async with serving(limits=limits) as server, connected(server) as raw:
            await raw.send(request("/", "Content-Length: 1000000", method="PUT"))
            answered = asyncio.get_running_loop().create_task(raw.answer())
            while not answered.done():
                await raw.send(b"x")
                await asyncio.sleep(0)
            assert answered.result().status == 408

    run(main())


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ("Transfer-Encoding: chunked", b"3\r\nabc\r\nzzz\r\n"),
        ("Transfer-Encoding: chunked", b"3\r\nabcde\r\n"),
    ],
)
def test_a_malformed_body_is_answered_with_400(run: Run, fields: str, sent: bytes) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            await raw.send(request("/", fields, method="PUT"))
            await raw.send(sent)
            answer = await raw.answer()
            assert (answer.status, answer.fields["connection"]) == (400, "close")

    run(main())


def test_a_body_that_is_cut_off_is_refused_with_what_came(run: Run) -> None:
    heard: list[Exchange] = []

    async def main() -> None:
        async with serving(heard=heard.append) as server, connected(server) as raw:
            await raw.send(request("/", "Content-Length: 10", method="PUT") + b"1234")
            raw.writer.write_eof()
            answer = await raw.answer()
            assert answer.status == 400
            assert answer.body == b"The body was cut off: 4 bytes of 10 bytes came.\n"

    run(main())
    assert [(one.status, one.received_bytes) for one in heard] == [(400, 4)]


def test_a_sender_waits_while_nobody_reads(run: Run) -> None:
    async def main() -> None:
        go_on = asyncio.Event()
        received: list[int] = []

        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            await go_on.wait()
            received.extend([len(piece) async for piece in body_of(asked, limit=None)])
            return web.Response()

        async with serving(site) as server, connected(server) as raw:
            await raw.send(request("/", "Content-Length: 20000000", method="PUT"))
            raw.writer.write(b"x" * 20_000_000)
            await until(lambda: server.connections and server.connections[0]._reading_paused)
            go_on.set()
            await raw.writer.drain()
            assert (await raw.answer()).status == 200
            assert sum(received) == 20_000_000
            # Twice read_bytes may wait, and one read of the loop's may come on top.
            assert max(received) <= 2 * WEB.read_bytes + 256 * 1024

    run(main())
