"""`lanline serve` and `lanline ask` with programs that know nothing of lanline: nc, ncat, socat and bare sockets."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ui.peers import free_port, tcp_peer
from tests.ui.served import Served, served
from tests.ui.terminal import environment

GREETING = "你好, 客户端!"
REPLY = "服务端已收到: {}"
SECONDS = 10.0
PACKAGES = {"nc": "netcat-openbsd", "ncat": "ncat", "socat": "socat"}


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install {PACKAGES[name]}")
    return found


def _says(command: list[str], data: bytes) -> bytes:
    """What a program prints that is given this to send."""
    done = subprocess.run(command, input=data, capture_output=True, timeout=30, check=False)
    return done.stdout


def _lanline(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "lanline", *words],
        input=stdin,
        capture_output=True,
        timeout=60,
        env=environment(HOME=os.environ["HOME"]),
        check=False,
    )


def _client(program: str, server: Served, scheme: str) -> list[str]:
    """The program's own command line for a client that ends once the server has."""
    place = server.address(scheme).partition("://")[2]
    if program == "socat":
        kind = {"tcp": f"TCP:{place}", "unix": f"UNIX-CONNECT:{place}"}[scheme]
        return [_program(program), "-t", "5", "-", kind]
    unix = ["-U", place] if scheme == "unix" else place.split(":")
    return [_program(program), *(["-N"] if program == "nc" else []), *unix]


@pytest.mark.parametrize("program", ["nc", "ncat", "socat"])
@pytest.mark.parametrize("scheme", ["tcp", "unix"])
def test_a_foreign_client_is_greeted_answered_and_ended_by_quit(program: str, scheme: str, home: Path) -> None:
    where = "tcp://127.0.0.1:0" if scheme == "tcp" else f"unix://{home}/e.sock"
    words = ("--on", where, "--greeting", GREETING, "--reply", REPLY, "--framing", "lines")
    with served("echo", *words) as server:
        said = _says(_client(program, server, scheme), "在吗\nquit\nnever read\n".encode())
        assert said.decode() == f"{GREETING}\n服务端已收到: 在吗\n服务端已收到: quit\n"
        assert server.wait("left")["reason"] == "it said quit"


@pytest.mark.parametrize("program", ["nc", "ncat", "socat"])
def test_a_foreign_client_that_sends_its_end_first_gets_all_its_answers(program: str) -> None:
    with served("echo", "--on", "tcp://127.0.0.1:0") as server:
        data = b"".join(b"line %d\n" % number for number in range(2000))
        assert _says(_client(program, server, "tcp"), data) == data
        assert server.wait("left")["why"] == "ChannelEnded"


def test_datagrams_of_foreign_programs_are_answered() -> None:
    with served("echo", "--on", "udp://127.0.0.1:0", "--reply", "<{}>") as server:
        port = str(server.port("udp"))
        assert _says([_program("nc"), "-u", "-w", "1", "127.0.0.1", port], b"hello") == b"<hello>"
        socat = [_program("socat"), "-t", "1", "-", f"UDP:127.0.0.1:{port}"]
        assert _says(socat, b"again") == b"<again>"


def test_glued_messages_and_a_character_in_two_segments_come_back_as_lines() -> None:
    with served("echo", "--on", "tcp://127.0.0.1:0", "--framing", "lines") as server:
        with socket.create_connection(("127.0.0.1", server.port()), timeout=SECONDS) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            text = "一\n二\n三\n".encode()
            sock.sendall(text[:5])
            assert sock.recv(100) == "一\n".encode()
            sock.sendall(text[5:])
            sock.shutdown(socket.SHUT_WR)
            rest = b""
            while data := sock.recv(100):
                rest += data
            assert rest == "二\n三\n".encode()


@pytest.mark.parametrize("program", ["ncat", "socat"])
def test_ask_has_an_answer_from_a_foreign_server(program: str) -> None:
    port = free_port()
    found = _program(program)
    command = (
        [found, "-l", "127.0.0.1", str(port), "--exec", "/bin/cat"]
        if program == "ncat"
        else [found, f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr", "EXEC:cat"]
    )
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as peer:
        done = _lanline("ask", f"tcp://127.0.0.1:{port}", "hello", "--retry", "20")
        peer.wait(SECONDS)
    assert (done.returncode, done.stdout) == (0, b"hello\n"), done.stderr


def test_ask_has_an_answer_from_a_script_that_receives_once_without_newlines() -> None:
    with tcp_peer(lambda data: b"got " + data) as address:
        done = _lanline("ask", address, "hello", "--no-newline")
        assert (done.returncode, done.stdout) == (0, b"got hello\n")
        assert _lanline("ask", address, "hello", "-n", "--raw").stdout == b"got hello"


def test_ask_over_datagrams_gets_what_serve_answers_an_empty_question_too() -> None:
    with served("echo", "--on", "udp://127.0.0.1:0", "--reply", "<{}>") as server:
        address = server.address("udp")
        assert _lanline("ask", address, "hello").stdout == b"<hello>\n"
        assert _lanline("ask", address, "").stdout == b"<>\n"
        assert _lanline("ask", address, "quiet", "--count", "0").returncode == 0


def test_ask_survives_a_refused_datagram_and_says_it() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    done = _lanline("ask", f"udp://127.0.0.1:{port}", "x", "--every", "0.05", "--times", "3", "--wait", "2")
    assert done.returncode == 1
    assert done.stderr.count(b"nobody listens") + done.stderr.count(b"nothing listens") == 3, done.stderr
