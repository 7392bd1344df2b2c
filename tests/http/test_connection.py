"""Connections: requests after one another, ends, and what happens to input that is too slow, too large or left over."""

from __future__ import annotations

import asyncio
import logging

import pytest
from aiohttp import web
from tests.http.conftest import Contexts, Run
from tests.http.raw import connected, echo, request, serving, until

from lanline.http.body import body_of
from lanline.http.exchange import CUT_OFF, Exchange
from lanline.http.limits import WEB
from lanline.http.refusal import Refusal


def test_one_connection_carries_many_requests(run: Run) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            for number in range(5):
                answer = await raw.ask(request(f"/{number}"))
                assert (answer.status, answer.body) == (200, f"/{number}".encode())
                assert "connection" not in answer.fields

    run(main())


def test_requests_sent_ahead_are_answered_in_order(run: Run) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            # 100: more than the parser takes before somebody answers.
            await raw.send(b"".join(request(f"/{number}") for number in range(100)))
            assert [(await raw.answer()).body for _ in range(100)] == [f"/{number}".encode() for number in range(100)]

    run(main())


def test_a_request_may_come_byte_by_byte(run: Run) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            for byte in b"\r\n" + request("/slow", "X: y"):
                await raw.send(bytes([byte]))
            assert (await raw.answer()).body == b"/slow"

    run(main())


@pytest.mark.parametrize(
    ("version", "field", "kept"),
    [
        ("1.1", "X: y", True),
        ("1.1", "Connection: close", False),
        ("1.0", "X: y", False),
        ("1.0", "Connection: keep-alive", True),
    ],
)
def test_a_connection_is_kept_as_version_and_field_say(run: Run, version: str, field: str, kept: bool) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            answer = await raw.ask(request("/", field, version=version))
            assert answer.status == 200
            if kept:
                assert (await raw.ask(request("/again"))).body == b"/again"
            else:
                assert await raw.rest() == b""
            if version == "1.0":
                assert (answer.fields.get("connection") == "keep-alive") == kept

    run(main())


def test_head_has_the_fields_of_get_and_no_body(run: Run) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            await raw.send(request("/seven77", method="HEAD") + request("/next"))
            head = await raw.answer(method="HEAD")
            assert head.fields["content-length"] == "8"
            assert (await raw.answer()).body == b"/next"

    run(main())


def test_every_answer_is_dated_and_says_no_version(run: Run) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            for target in ("/", "/refuse"):
                answer = await raw.ask(request(target))
                assert answer.fields["server"] == "lanline"
                assert answer.fields["date"].endswith(" GMT")

    run(main())


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
                assert answer.fields["connection"] == "close"
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


def test_a_fault_of_ours_is_500_for_them_and_one_traceback_for_us(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            answer = await raw.ask(request("/fail"))
            assert answer.status == 500
            assert b"secret" not in answer.body and b"Traceback" not in answer.body
            assert (await raw.ask(request("/after"))).status == 200

    with caplog.at_level(logging.DEBUG, logger="lanline.http"):
        run(main())
    assert [record.getMessage() for record in caplog.records] == ["GET /fail failed"]
    assert "a fault of ours" in caplog.text


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


def test_everything_holds_over_tls(run: Run, contexts: Contexts) -> None:
    async def main() -> None:
        async with serving(tls=contexts.server) as server, connected(server, tls=contexts.client) as raw:
            assert (await raw.ask(request("/", "Connection: keep-alive"))).status == 200
            assert (await raw.ask(request("/up", method="PUT", body=b"x" * 300_000))).body == b"x" * 300_000
            await raw.send(request("/refuse", "Content-Length: 5000000", method="PUT"))
            await raw.send(b"x" * 5_000_000)
            assert (await raw.answer()).status == 403

    run(main())
