"""Connections: requests after one another, in pieces and ahead of their answers, and faults of ours."""

from __future__ import annotations

import logging

import pytest

from tests.http.conftest import Contexts, Run
from tests.http.raw import connected, request, serving


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


def test_a_fault_of_ours_is_500_for_them_and_one_traceback_for_us(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving() as server, connected(server) as raw:
            answer = await raw.ask(request("/fail"))
            assert answer.status == 500
            assert b"secret" not in answer.body and b"Traceback" not in answer.body
            assert (await raw.ask(request("/after"))).status == 200

    with caplog.at_level(logging.DEBUG, logger="lanline.http"):
        run(main())
    [record] = caplog.records
    assert record.getMessage() == "GET /fail failed: ValueError: a fault of ours with a secret"
    assert record.exc_info is not None


def test_everything_holds_over_tls(run: Run, contexts: Contexts) -> None:
    async def main() -> None:
        async with serving(tls=contexts.server) as server, connected(server, tls=contexts.client) as raw:
            assert (await raw.ask(request("/", "Connection: keep-alive"))).status == 200
            assert (await raw.ask(request("/up", method="PUT", body=b"x" * 300_000))).body == b"x" * 300_000
            await raw.send(request("/refuse", "Content-Length: 5000000", method="PUT"))
            await raw.send(b"x" * 5_000_000)
            assert (await raw.answer()).status == 403

    run(main())
