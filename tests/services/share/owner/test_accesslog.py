"""Claims about the lines for requests: readable, harmless, without secrets, and never in anybody's way."""

from __future__ import annotations

import asyncio
import json
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ui.recording import Recording

from lanline.http.exchange import Exchange
from lanline.services.share.owner.accesslog import MAX_WAITING, AccessLog, is_file, json_of, text_of

GET = Exchange("tcp://192.168.1.9:51234", "GET", "/photos/a%20b.jpg", 200, 1_300_000, 0, 0.034, "", "curl/8.5.0")
NOON = 1_795_000_000_000_000_000


def test_a_line_says_who_what_how_much_and_how_long() -> None:
    line = text_of(GET, NOON)
    assert line[8:] == " 192.168.1.9     GET  200 ->  1.2 MiB   0.03 s  /photos/a%20b.jpg  (curl/8.5.0)"
    upload = GET._replace(method="PUT", status=201, sent_bytes=90, received_bytes=5 << 20, user="anna", user_agent="")
    assert text_of(upload, NOON)[8:] == " anna@192.168.1.9 PUT  201 <-  5.0 MiB   0.03 s  /photos/a%20b.jpg"
    assert " [fd00::2] " in text_of(GET._replace(peer="tcp://[fd00::2]:4"), NOON)


def test_an_arrow_points_to_where_the_content_went() -> None:
    for method, received, sent, shown in (
        ("PUT", 5, 250, "<-      5 B"),
        ("PATCH", 1, 250, "<-      1 B"),
        ("POST", 30, 250, "<-     30 B"),
        ("PUT", 0, 250, "->    250 B"),
        ("GET", 500, 250, "->    250 B"),
    ):
        line = text_of(GET._replace(method=method, received_bytes=received, sent_bytes=sent), NOON)
        assert f" 200 {shown} " in line, method


def test_a_program_gets_one_object_a_line() -> None:
    document = json.loads(json_of(GET._replace(user="anna"), NOON))
    assert document == {
        "time": "2026-11-18T11:06:40.000Z",
        "peer": "tcp://192.168.1.9:51234",
        "user": "anna",
        "method": "GET",
        "target": "/photos/a%20b.jpg",
        "status": 200,
        "sent_bytes": 1_300_000,
        "received_bytes": 0,
        "seconds": 0.034,
        "program": "curl/8.5.0",
    }


def test_bytes_that_are_no_text_do_not_break_a_strict_reader_of_json() -> None:
    line = json_of(GET._replace(target="/\udcff", user_agent="\udc9b31m", user="\ud800", method="\udcfe"), NOON)
    document = json.loads(line)
    assert [document[key] for key in ("target", "program", "user", "method")] == [
        "/\ufffd",
        "\ufffd31m",
        "\ufffd",
        "\ufffd",
    ]
    assert "\\ud" not in line


def test_a_password_in_an_address_is_not_shown() -> None:
    for make in (text_of, json_of):
        line = make(GET._replace(target="http://anna:open@sesame@desk/a@b"), NOON)
        assert "sesame" not in line and "http://desk/a@b" in line


@given(st.text(), st.text(), st.text(max_size=30), st.text())
def test_whatever_a_visitor_sends_stays_one_harmless_line(target: str, program: str, method: str, user: str) -> None:
    exchange = GET._replace(target=target, user_agent=program, method=method, user=user)
    line = text_of(exchange, NOON)
    assert not any(one in line for one in "\n\r\x1b\u202e\u2028") and len(line) < 8000
    assert json.loads(json_of(exchange, NOON))["status"] == 200 and json_of(exchange, NOON).isascii()


@pytest.mark.parametrize(
    ("target", "method", "status", "expected"),
    [
        ("/a.txt", "GET", 200, True),
        ("/a.txt", "GET", 206, False),
        ("/a.txt", "HEAD", 200, False),
        ("/a.txt", "GET", 404, False),
        ("/photos/", "GET", 200, False),
        ("/photos/?zip", "GET", 200, True),
        ("/photos/?tar&name=a", "GET", 200, True),
        ("/.lanline/page.js", "GET", 200, False),
    ],
)
def test_what_counts_as_a_file_is_a_whole_one(target: str, method: str, status: int, expected: bool) -> None:
    assert is_file(GET._replace(target=target, method=method, status=status)) is expected


def test_lines_wait_while_the_output_takes_none_and_beyond_a_number_are_counted() -> None:
    async def main() -> None:
        console, takes_more = Recording(), [False]
        log = AccessLog(console, "text", takes_more=lambda: takes_more[0])
        for _ in range(MAX_WAITING + 7):
            log.heard(GET)
        assert console.err == "" and log.requests == MAX_WAITING + 7
        takes_more[0] = True
        log.close()
        lines = console.err.splitlines()
        assert len(lines) == MAX_WAITING + 1
        assert lines[-1] == "7 lines were not shown: the output takes them too slowly"

    asyncio.run(main())


@pytest.mark.parametrize("style", ["text", "json", "none"])
def test_a_warning_waits_in_the_same_line_and_is_cut_and_bounded(style: str) -> None:
    async def main() -> None:
        console, takes_more = Recording(), [False]
        log = AccessLog(console, style, takes_more=lambda: takes_more[0])
        log.heard(GET)
        log.say("a fault\nTraceback of it:\n" + 9000 * "\U0001f3d6")
        assert console.err == ""
        takes_more[0] = True
        log.close()
        lines = console.err.splitlines()
        assert len(lines) == 3 + (style != "none")
        said = [json.loads(line)["note"] if style == "json" else line for line in lines[-3:]]
        assert said[:2] == ["a fault", "Traceback of it:"] and max(map(len, lines)) < 4096
        takes_more[0] = False
        for _ in range(MAX_WAITING):
            log.say("one\ntwo")
        takes_more[0] = True
        log.close()
        assert f"{MAX_WAITING} lines were not shown" in console.err.splitlines()[-1]

    asyncio.run(main())


def test_lines_are_written_by_themselves_soon_after() -> None:
    async def main() -> None:
        written = asyncio.Event()

        class Told(Recording):
            def flush(self) -> None:
                written.set()

        console = Told()
        log = AccessLog(console, "text", takes_more=lambda: True)
        log.heard(GET)
        log.heard(GET._replace(target="/second"))
        await asyncio.wait_for(written.wait(), 30)
        assert [line.split()[-2] for line in console.err.splitlines()] == ["/photos/a%20b.jpg", "/second"]

    asyncio.run(main())


def test_none_writes_nothing_and_counts_all_the_same() -> None:
    log = AccessLog(Recording(), "none")
    log.heard(GET)
    log.heard(GET._replace(method="PUT", received_bytes=7))
    assert (log.requests, log.files, log.sent_bytes, log.received_bytes) == (2, 1, 2_600_000, 7)


def test_an_output_that_nobody_reads_any_more_stops_the_server_as_a_signal_does() -> None:
    async def main() -> None:
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)

        class Gone(Recording):
            def flush(self) -> None:
                raise SystemExit(141)

        log = AccessLog(Gone(), "text", takes_more=lambda: True)
        log.heard(GET)
        await asyncio.wait_for(told.wait(), 30)
        log.heard(GET)
        with pytest.raises(SystemExit):
            log.close()

    asyncio.run(main())
