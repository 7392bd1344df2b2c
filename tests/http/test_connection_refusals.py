"""Connections: input that is not understood, too large, or asks for another protocol."""

from __future__ import annotations

import pytest
from aiohttp import web

from lanline.http.refusal import Refusal
from tests.http.conftest import Run
from tests.http.raw import connected, request, serving


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /a\x00b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"PUT / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"secret-looking garbage\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X%d: %s\r\n" % (n, b"a" * 4000) for n in range(12)), 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n", 417),
    ],
)
def test_what_is_not_understood_is_refused_without_repeating_it(run: Run, sent: bytes, status: int) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            answer = await raw.ask(sent)
            assert answer.status == status
            assert len(answer.body) < 120 and b"secret" not in answer.body and b"aaa" not in answer.body
            if status != 417 and status != 501:
                assert answer.fields.get("connection", "close") == "close"  # HTTP/1.0 closes without saying so
                raw.writer.write_eof()
                assert await raw.rest() == b""

    run(main())


def test_a_large_header_is_refused_however_it_is_cut(run: Run) -> None:
    async def main() -> None:
        sent = request("/", *(f"X{number}: {'a' * 3000}" for number in range(12)))
        async with serving() as server:
            for size in (len(sent), 1000, 17_001):
                async with connected(server) as raw:
                    for start in range(0, len(sent), size):
                        await raw.send(sent[start : start + size])
                    assert (await raw.answer()).status == 431

    run(main())


def test_a_large_header_behind_many_requests_is_refused_after_their_answers(run: Run) -> None:
    async def main() -> None:
        large = request("/large", *(f"X{number}: {'a' * 3000}" for number in range(12)))
        async with serving() as server, connected(server) as raw:
            await raw.send(b"".join(request(f"/{number}") for number in range(80)) + large)
            assert [(await raw.answer()).status for _ in range(81)] == [200] * 80 + [431]

    run(main())


def test_absolute_targets_and_the_asterisk_reach_the_site(run: Run) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            assert (await raw.ask(request("http://x/a?b"))).body == b"http://x/a?b"
            assert (await raw.ask(request("*", method="OPTIONS"))).body == b"*"
            assert (await raw.ask(request("/t", method="TRACE"))).body == b"/t"

    run(main())


def test_connect_reaches_the_site_and_is_the_last_request(run: Run) -> None:
    async def main() -> None:
        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            raise Refusal(405, "no tunnels here", headers={"Allow": "GET"})

        async with serving(site) as server, connected(server) as raw:
            answer = await raw.ask(b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (answer.status, answer.fields["allow"]) == (405, "GET")
            assert answer.fields["connection"] == "close"
            raw.writer.write_eof()
            assert await raw.rest() == b""

    run(main())


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
def test_an_upgrade_is_ignored_and_the_connection_goes_on(run: Run, protocol: str) -> None:
    async def main() -> None:
        fields = ("Connection: Upgrade", f"Upgrade: {protocol}")
        async with serving() as server, connected(server) as raw:
            assert (await raw.ask(request("/1", *fields))).body == b"/1"
            assert (await raw.ask(request("/2", *fields, method="PUT", body=b"12345"))).body == b"12345"
            await raw.send(request("/3", *fields, "Content-Length: 4", method="PUT") + b"ab")
            await raw.send(b"cd")
            assert (await raw.answer()).body == b"abcd"
            assert (await raw.ask(request("/4"))).body == b"/4"

    run(main())


def test_a_websocket_request_sent_ahead_of_others_loses_none_of_them(run: Run) -> None:
    async def main() -> None:
        asking = request("/1", "Connection: Upgrade", "Upgrade: websocket")
        async with serving() as server, connected(server) as raw:
            await raw.send(asking + request("/2") + asking + request("/4"))
            assert [(await raw.answer()).body for _ in range(4)] == [b"/1", b"/2", b"/1", b"/4"]

    run(main())


def test_a_request_in_one_piece_behind_an_offer_of_http_2_is_lost_and_the_connection_goes_on(run: Run) -> None:
    """Decision 0090: the parser drops it. Should this fail, it no longer does, and the decision is out of date."""

    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            await raw.send(request("/1", "Connection: Upgrade", "Upgrade: h2c") + request("/lost"))
            assert (await raw.answer()).body == b"/1"
            assert (await raw.ask(request("/3"))).body == b"/3"

    run(main())
