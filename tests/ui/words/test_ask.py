"""`lanline ask`: what is sent, what is printed, and the exit code."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.ui.peers import free_port, keeping, tcp_peer
from tests.ui.recording import Recording
from tests.ui.terminal import environment

from lanline.errors import ConnectFailed, MessageTooLarge, UsageError
from lanline.room.paths import StateFolder
from lanline.ui.asker import NoAnswer
from lanline.ui.words.ask import ask

FOLDER = StateFolder(Path("/nonexistent"))


def _ask(*arguments: str, console: Recording | None = None) -> Recording:
    console = console or Recording()
    assert ask(list(arguments), console, FOLDER) == 0
    return console


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (["hello"], b"hello\n"),
        (["hello\n"], b"hello\n"),
        (["hello", "-n"], b"hello"),
        (["hello", "--framing", "raw"], b"hello"),
        (["hello", "--framing", "lines"], b"hello\n"),
        (["hello", "--framing", r"lines:\r\n"], b"hello\r\n"),
        (["hello", "--framing", "netstring"], b"5:hello,"),
        (["hello", "--framing", "length"], b"\0\0\0\5hello"),
        (["--hex", "00 ff 41"], b"\x00\xff\x41"),
        (["你好"], "你好\n".encode()),
        ([""], b"\n"),
    ],
)
def test_what_is_sent_byte_for_byte(arguments: list[str], sent: bytes) -> None:
    seen: list[bytes] = []
    with tcp_peer(keeping(seen)) as address:
        _ask(address, *arguments)
    assert seen == [sent]


def test_standard_input_is_sent_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one\ntwo")))
    with tcp_peer(keeping(seen)) as address:
        _ask(address, "-")
    assert seen == [b"one\ntwo"]


def test_into_a_pipe_answers_go_as_they_came_each_ended_with_a_newline() -> None:
    with tcp_peer(lambda data: b"\x1b[31m\xff") as address:
        assert _ask(address, "x").out == "\x1b[31m\xff\n"
        assert _ask(address, "x", "--raw").out == "\x1b[31m\xff"


def test_on_a_terminal_an_answer_is_a_line_of_text() -> None:
    with tcp_peer(lambda data: b"2026\r\n") as address:
        assert _ask(address, "%Y", console=Recording(is_terminal=True)).out == "2026\n"


def test_hexadecimal_in_and_out() -> None:
    with tcp_peer(lambda data: data) as address:
        assert _ask(address, "--hex", "00ff41").out == "00 ff 41\n"


def test_json_says_who_answered_how_fast_and_how_bytes_are_written() -> None:
    with tcp_peer(lambda data: data) as address:
        console = Recording(wants_json=True)
        _ask(address, "hi", console=console)
        _ask(address, "--hex", "ff", console=console)
    first, second = console.values
    assert isinstance(first, dict)
    assert first.keys() == {"answer", "encoding", "round_trip_ms", "from"}
    assert (first["answer"], first["encoding"], first["from"]) == ("hi\n", "utf-8", address)
    assert isinstance(second, dict)
    assert (second["answer"], second["encoding"]) == ("ff", "hex")


def test_json_carries_bytes_that_are_no_text_in_base64() -> None:
    with tcp_peer(lambda data: b"\xff\xfe") as address:
        console = _ask(address, "x", console=Recording(wants_json=True))
    (answer,) = console.values
    assert isinstance(answer, dict)
    assert (answer["answer"], answer["encoding"]) == ("//4=", "base64")


def test_fewer_answers_than_wanted_is_a_failure_that_says_how_many_came() -> None:
    with tcp_peer(lambda data: data) as address, pytest.raises(NoAnswer, match="1 of 2 answers") as caught:
        ask([address, "x", "--count", "2", "--wait", "0.05", "--framing", "lines"], Recording(), FOLDER)
    assert caught.value.exit_code == 1


def test_polling_survives_refusals_and_says_each() -> None:
    console = Recording()
    address = f"tcp://127.0.0.1:{free_port()}"
    assert ask([address, "x", "--every", "0.01", "--times", "3"], console, FOLDER) == 1
    assert console.err.count("nothing listens at") == 3
    assert "3 asked, 0 answered" in console.err


def test_polling_without_wanting_answers_says_how_often_it_sent() -> None:
    console = Recording()
    with tcp_peer(lambda data: None) as address:
        assert ask([address, "x", "--every", "0.01", "--times", "3", "--count", "0"], console, FOLDER) == 0
    assert (console.out, console.err) == ("", "3 sent\n")


def test_polling_prints_a_line_with_the_time_the_answer_and_the_round_trip() -> None:
    console = Recording()
    with tcp_peer(lambda data: b"12:00\n") as address:
        assert ask([address, "%H:%M", "--every", "0.01", "--times", "3"], console, FOLDER) == 0
    for line in console.out.splitlines():
        clock, answer, trip, unit = line.split()
        assert (len(clock), answer, unit) == (8, "12:00", "ms")
        assert float(trip) > 0
    assert len(console.out.splitlines()) == 3
    assert "3 asked, 3 answered; round trip" in console.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mem://x", "x"], "within one program"),
        (["tcp://*:9000", "x"], "stands for every interface"),
        (["tcp://127.0.0.1:0", "x"], "port 0 is for listening"),
        (["tcp://127.0.0.1:9000"], "TEXT"),
        (["tcp://127.0.0.1:9000", "xyz", "--hex"], "not hexadecimal"),
        (["tcp://127.0.0.1:9000", "x", "--times", "3"], "--times goes with --every"),
        (["tcp://127.0.0.1:9000", "x", "--every", "0"], "more than 0 seconds"),
        (["tcp://127.0.0.1:9000", "x", "--every", "soon"], "no length of time"),
        (["tcp://127.0.0.1:9000", "x", "--framing", "line"], "no framing"),
        (["tcp://127.0.0.1:9000", "x", "--tls-ca", "x.pem"], "for tls:// addresses"),
        (["/tmp/x.sock", "x"], "has no scheme"),
    ],
)
def test_what_makes_no_sense_is_answered_before_anything_is_sent(arguments: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        ask(arguments, Recording(), FOLDER)


def test_a_name_that_does_not_resolve_is_said() -> None:
    with pytest.raises(ConnectFailed, match=r"does not resolve|could not be resolved"):
        ask(["tcp://nobody.invalid:9000", "x"], Recording(), FOLDER)


@pytest.mark.parametrize("size", [65_508, 70_000])
def test_what_fits_into_no_datagram_is_told_with_an_advice_that_helps(size: int) -> None:
    with pytest.raises(MessageTooLarge, match=f"datagram of {size} bytes, limit 65507 bytes") as refused:
        _ask("udp://127.0.0.1:1", "x" * size)
    assert refused.value.advice == "send it in parts (1,200 bytes pass every network), or over tcp."


def test_what_is_said_of_a_datagram_or_a_silence_is_said_in_the_readers_language() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        for words, english in (
            (("udp://127.0.0.1:1", "x" * 70_000), "limit 65507 bytes"),
            ((f"udp://127.0.0.1:{silent.getsockname()[1]}", "x", "--wait", "0"), "no answer from"),
        ):
            command = [sys.executable, "-P", "-m", "lanline", "ask", *words]
            for language, is_english in (("en", True), ("zh_CN", False)):
                settings = environment(HOME=os.environ["HOME"], LANGUAGE=language, LC_ALL="C.UTF-8")
                done = subprocess.run(command, capture_output=True, text=True, env=settings, timeout=30, check=False)
                assert done.returncode == 1
                assert (english in done.stderr, "bytes" in done.stderr or "no answer" in done.stderr) == (
                    is_english,
                ) * 2
