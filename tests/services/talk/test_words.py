"""The word `talk`, as a person or a script types it: whole processes with pipes, with each other."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from tests.services.talk.talker import Talker


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_two_of_them_talk_until_one_says_q() -> None:
    with Talker("-l", "tcp://:0") as one, Talker(one.address) as two:
        assert two.notes("talking with")
        one.type("你好\n".encode())
        assert two.says("你好\n")
        two.type(b"hi\n\x1b[2J\n")
        assert one.says("hi\n\\x1b[2J\n")
        two.type(b"q\n")
        assert (two.ends(), one.ends()) == ("你好\n", "hi\n\\x1b[2J\n")
        assert b"you have ended the talk" in two.err and b"has ended the talk" in one.err
        assert f"talking with {one.address}; q alone ends it" in two.err.decode()


def test_with_keep_one_talk_follows_another_and_ctrl_c_ends_the_waiting() -> None:
    with Talker("-l", "tcp://:0", "--keep") as one:
        for number in range(2):
            with Talker(one.address) as two:
                two.type(b"hello %d\nq\n" % number)
                two.ends()
            assert one.says(f"hello {number}\n")
            assert one.notes("waiting at", times=number + 2)
        one.signal(signal.SIGINT)
        assert one.ends(130) == "hello 0\nhello 1\n"


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_during_a_talk_ends_it_with_a_word(number: signal.Signals, word: str) -> None:
    with Talker("-l", "tcp://:0") as one, Talker(one.address) as two:
        assert one.notes("talking with")
        assert two.notes("talking with")
        one.signal(number)
        one.ends()
        assert f"the talk is over: {word}" in one.err.decode()
        two.ends()
        assert b"has closed the connection: the talk is over" in two.err


def test_the_other_process_killed_ends_it_with_a_word() -> None:
    with Talker("-l", "tcp://:0") as one, Talker(one.address) as two:
        assert one.notes("talking with") and two.notes("talking with")
        one.signal(signal.SIGKILL)
        two.ends()
        assert b"has closed the connection: the talk is over" in two.err


def test_a_file_is_sent_and_the_answer_still_heard(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_bytes(b"line\n" * 20_000)
    with Talker("-l", "tcp://:0") as one, file.open("rb") as opened, Talker(one.address, stdin=opened) as two:
        assert one.says("line\n" * 20_000)
        one.type(b"all of it\n")
        assert two.ends() == "all of it\n"
        one.ends()
        assert b"has closed the connection" in one.err


@pytest.mark.parametrize("line", [b"x" * 65508, b"x" * 200_000])
def test_a_line_of_a_pipe_that_fits_into_no_datagram_makes_it_1(line: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bare:
        bare.bind(("127.0.0.1", 0))
        bare.settimeout(10)
        with Talker(f"udp://127.0.0.1:{bare.getsockname()[1]}") as one:
            one.type(line + b"\nshort\nq\n")
            assert bare.recv(65536) == b"short\n"
            one.ends(1)
            assert b"not sent: datagram of " in one.err


def test_a_line_of_a_pipe_that_the_framing_cannot_carry_makes_it_1() -> None:
    with Talker("-l", "tcp://:0", "--framing", "lines") as one:
        with Talker(one.address, "--framing", "lines") as two:
            two.type(b"hello\r\nq\n")
            two.ends(1)
            assert b"not sent: the message ends with CR" in two.err
        one.ends()


def test_in_a_pipe_no_line_editor_is_loaded() -> None:
    with Talker("-l", "tcp://:0", PYTHONPROFILEIMPORTTIME="1") as one, Talker(one.address) as two:
        two.type(b"q\n")
        two.ends()
        one.ends()
        assert b"lanline.services.talk.talking" in one.err and b"prompt_toolkit" not in one.err


def test_nobody_there_is_1_and_says_to_start_the_server_first() -> None:
    with Talker(f"tcp://127.0.0.1:{free_port()}") as one:
        one.ends(1)
        assert b"nothing listens at" in one.err and b"start the server first" in one.err and b"--retry" in one.err


def test_retry_waits_for_the_other_side() -> None:
    port = free_port()
    with Talker(f"tcp://127.0.0.1:{port}", "--retry", "15") as one:
        assert one.notes("trying again for 15 s")
        with Talker("-l", f"tcp://127.0.0.1:{port}") as two:
            assert two.notes("talking with")
            two.type(b"q\n")
            two.ends()
        assert one.ends() == ""


def test_for_programs_events_are_json_lines() -> None:
    with Talker("-l", "tcp://:0", "--json") as one:
        assert one.says("waiting")
        address = json.loads(one.out.splitlines()[0])["addresses"][0]
        with Talker(address) as two:
            two.type("hé\nq\n".encode())
            two.ends()
        events = [json.loads(line) for line in one.ends().splitlines()]
        assert [event["event"] for event in events] == ["waiting", "talking", "received", "ended"]
        assert events[2]["text"] == "hé" and events[3]["how"] == "partner-q"
        assert one.err == b""


def test_a_framing_keeps_messages_apart() -> None:
    with (
        Talker("-l", "tcp://:0", "--framing", "length") as one,
        Talker(one.address, "--framing", "length") as two,
    ):
        two.type(b"one\ntwo\n\nq\n")
        two.ends()
        assert one.ends() == "one\ntwo\n\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "required"),
        (["nowhere"], "has no port"),
        (["tcp://*:9000"], "is for listening"),
        (["mem://x"], "mem addresses are within one program"),
        (["tcp://127.0.0.1:1", "--keep"], "--keep goes with -l"),
        (["-l", "tcp://127.0.0.1:0", "--retry", "5"], "--retry is for connecting"),
        (["udp://127.0.0.1:0"], "port 0 is for listening"),
        (["-l", "tls://127.0.0.1:0"], "talk does not listen with TLS"),
        (["udp://127.0.0.1:9", "--framing", "lines"], "a datagram is a message already"),
        (["tcp://127.0.0.1:1", "--newline", "sometimes"], "invalid choice"),
    ],
)
def test_what_makes_no_sense_is_refused_with_2(arguments: list[str], sentence: str) -> None:
    with Talker(*arguments, stdin=subprocess.DEVNULL) as one:
        one.ends(2)
        assert sentence in one.err.decode()


def test_a_stale_socket_file_is_replaced_and_a_live_one_is_not(home: Path) -> None:
    path = home / "talk.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    with Talker("-l", f"unix://{path}") as one:
        assert one.notes("mode 0600: this user and root may connect")
        with Talker("-l", f"unix://{path}") as second:
            second.ends(1)
            assert b"is in use: another server listens there" in second.err
        with Talker(f"unix://{path}") as two:
            two.type(b"hello\nq\n")
            two.ends()
        assert one.ends() == "hello\n"
    assert not path.exists()
    path.write_text("precious")
    with Talker("-l", f"unix://{path}") as one:
        one.ends(1)
        assert b"a file that is not a socket is in the way" in one.err
    assert path.read_text() == "precious"


def test_a_caller_that_hangs_up_at_once_does_not_end_the_waiting() -> None:
    with Talker("-l", "tcp://:0", stdin=subprocess.DEVNULL) as one:
        socket.create_connection(("127.0.0.1", one.port)).close()
        assert one.notes("has called and hung up")
        assert one.notes("waiting at", times=2)
        with Talker(one.address) as two:
            two.type(b"hello\nq\n")
            two.ends()
        assert one.ends() == "hello\n"


def test_a_closed_standard_input_is_an_input_that_has_ended() -> None:
    with Talker("-l", "tcp://:0") as one:
        command = ["sh", "-c", 'exec "$0" "$@" <&-', *_command(one.address)]
        closed = subprocess.run(command, capture_output=True, timeout=15, check=False, env=_environment())
        assert closed.returncode == 0, closed.stderr
        assert b"the talk is over" in closed.stderr or b"has closed the connection" in closed.stderr
        assert one.notes("has called and hung up")


def test_a_reader_that_has_gone_ends_it_quietly() -> None:
    with Talker("-l", "tcp://:0") as one, Talker(one.address) as two:
        assert two.notes("talking with")
        one.close_output()
        two.type(b"hello\n")
        assert one.process.wait(timeout=15) == 141
        two.ends()


def _command(address: str) -> list[str]:
    import sys

    return [sys.executable, "-m", "lanline", "talk", address]


def _environment() -> dict[str, str]:
    from tests.ui.terminal import environment

    return environment(HOME=os.environ["HOME"])
