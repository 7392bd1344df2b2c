"""`lanline talk` with programs that know nothing of it: nc, ncat, socat and blocking scripts, in both roles."""

from __future__ import annotations

import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.interop import scripts
from tests.services.talk.talker import PATIENCE, Program, Talker

PACKAGES = {"nc.openbsd": "netcat-openbsd", "ncat": "ncat", "socat": "socat"}
each_program = pytest.mark.parametrize("program", PACKAGES)


def needed(program: str) -> str:
    """The program, or a skip that names what to install."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: apt-get install {PACKAGES[program]}")
    return program


def calling(program: str, where: str | int) -> list[str]:
    """The command line with which this program connects to a port or a socket file."""
    needed(program)
    if program == "socat":
        return ["socat", "-", f"TCP:127.0.0.1:{where}" if isinstance(where, int) else f"UNIX-CONNECT:{where}"]
    return [program, "127.0.0.1", str(where)] if isinstance(where, int) else [program, "-U", where]


def waiting(program: str, where: str | int) -> list[str]:
    """The command line with which this program listens."""
    needed(program)
    if program == "socat":
        listen = f"TCP-LISTEN:{where},bind=127.0.0.1,reuseaddr" if isinstance(where, int) else f"UNIX-LISTEN:{where}"
        return ["socat", "-", listen]
    return [program, "-l", "127.0.0.1", str(where)] if isinstance(where, int) else [program, "-l", "-U", where]


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def wait_bound(port: int) -> None:
    """Until some program has the UDP port."""
    deadline = time.monotonic() + PATIENCE
    while f":{port:04X} " not in Path("/proc/net/udp").read_text():
        assert time.monotonic() < deadline, f"nobody has UDP port {port}"


# -- streams: programs that people use -------------------------------------------------------------------------


@each_program
@pytest.mark.parametrize("scheme", ["tcp", "unix"])
def test_a_program_calls_and_either_side_types_whenever_it_likes(program: str, scheme: str, home: Path) -> None:
    with Talker("-l", "tcp://:0" if scheme == "tcp" else f"unix://{home}/s") as talk:
        where = talk.port if scheme == "tcp" else talk.address.removeprefix("unix://")
        with Program(calling(program, where)) as other:
            other.type("你好\nagain\n".encode())
            assert talk.says("你好\nagain\n")
            talk.type("好\nyes\n".encode())
            assert other.says("好\nyes\n")
            other.type(b"q\n")
            assert talk.ends() == "你好\nagain\n"
            assert b"has ended the talk" in talk.err


@each_program
@pytest.mark.parametrize("scheme", ["tcp", "unix"])
def test_a_program_listens_and_q_typed_here_is_sent(program: str, scheme: str, home: Path) -> None:
    where: str | int = free_port() if scheme == "tcp" else f"{home}/s"
    with Program(waiting(program, where)) as other:
        address = f"tcp://127.0.0.1:{where}" if scheme == "tcp" else f"unix://{where}"
        with Talker(address, "--retry", "15") as talk:
            assert talk.notes("talking with")
            talk.type("猫\n".encode())
            assert other.says("猫\n")
            other.type(b"hi\n")
            assert talk.says("hi\n")
            talk.type(b"Q\n")
            assert other.says("猫\nQ\n")
            assert talk.ends() == "hi\n"


@each_program
def test_a_second_program_is_told_that_the_line_is_busy(program: str) -> None:
    with Talker("-l", "tcp://:0") as talk, Program(calling(program, talk.port)) as first:
        first.type(b"me first\n")
        assert talk.says("me first\n")
        with Program(calling(program, talk.port)) as second:
            assert second.says("the line is busy: try again later\n")
        assert talk.notes("has called and was told that the line is busy")
        first.type(b"still here\nq\n")
        assert talk.ends() == "me first\nstill here\n"


@each_program
def test_a_program_that_is_killed_ends_it_with_a_word(program: str) -> None:
    with Talker("-l", "tcp://:0") as talk, Program(calling(program, talk.port)) as other:
        other.type(b"hello\n")
        assert talk.says("hello\n")
        other.signal(signal.SIGKILL)
        talk.ends()
        assert b"has closed the connection: the talk is over" in talk.err


@pytest.mark.parametrize("is_piped_here", [True, False])
def test_a_question_in_a_pipe_gets_its_answer_through_half_closed_connections(is_piped_here: bool) -> None:
    needed("nc.openbsd")
    with Talker("-l", "tcp://:0") as talk:
        with Program(["nc.openbsd", "-N", "127.0.0.1", str(talk.port)]) as other:
            asking, answering = (talk, other) if is_piped_here else (other, talk)
            asking.type(b"question\n")
            asking.end_input()
            assert answering.says("question\n")
            answering.type(b"answer\n")
            answering.end_input()
            assert asking.ends() == "answer\n"
            assert answering.ends() == "question\n"


# -- streams: blocking scripts without newlines ----------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["tcp", "unix"])
def test_a_script_that_connects_gets_what_it_sends_in_kind(scheme: str, home: Path) -> None:
    with Talker("-l", "tcp://:0" if scheme == "tcp" else f"unix://{home}/s") as talk:
        where = str(talk.port) if scheme == "tcp" else talk.address.removeprefix("unix://")
        with Program([sys.executable, "-c", scripts.CLIENT, where]) as script:
            assert talk.says("你好\n")
            talk.type(b"hi\n")
            assert talk.says("[hi]\n")
            talk.type(b"q\n")
            assert script.ends() == "'hi'\n'q'\n"
            assert talk.ends() == "你好\n[hi]\n"


@pytest.mark.parametrize("scheme", ["tcp", "unix"])
def test_a_script_that_listens_gets_what_it_sends_in_kind(scheme: str, home: Path) -> None:
    where = str(free_port()) if scheme == "tcp" else f"{home}/s"
    with Program([sys.executable, "-c", scripts.SERVER, where]) as script:
        address = f"tcp://127.0.0.1:{where}" if scheme == "tcp" else f"unix://{where}"
        with Talker(address, "--retry", "15") as talk:
            assert talk.says("hello\n")
            talk.type("一\n".encode())
            assert talk.says("[一]\n")
            talk.type(b"q\n")
            assert script.ends() == "'一'\n'q'\n"
            talk.ends()


def test_newlines_can_be_asked_for_and_forbidden() -> None:
    for mode, expected in (("always", "'hi\\n'\n"), ("never", "'hi'\n")):
        with Talker("-l", "tcp://:0", "--newline", mode) as talk:
            with Program([sys.executable, "-c", scripts.CLIENT, str(talk.port)]) as script:
                assert talk.says("你好\n")
                talk.type(b"hi\n")
                assert script.says(expected)


# -- streams: what bare sockets do -----------------------------------------------------------------------------


def bare(talk: Talker) -> socket.socket:
    """A bare socket that has called."""
    sock = socket.create_connection(("127.0.0.1", talk.port), timeout=PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def test_a_character_in_two_segments_and_messages_that_stick_together() -> None:
    with Talker("-l", "tcp://:0") as talk, bare(talk) as sock:
        sock.sendall(b"one\ntwo\n\xe4\xbd")
        assert talk.says("one\ntwo\n")
        sock.sendall(b"\xa0\nthree\nq\n")
        assert talk.ends() == "one\ntwo\n你\nthree\n"


def test_bad_bytes_are_shown_and_a_message_without_a_newline_too() -> None:
    with Talker("-l", "tcp://:0") as talk, bare(talk) as sock:
        sock.sendall(b"\xff\xfe\x00\x1b[2Jtext")
        assert talk.says("\\xff\\xfe\\x00\\x1b[2Jtext\n")
        sock.sendall(b"q")
        talk.ends()
        assert b"has ended the talk" in talk.err


def test_a_line_without_an_end_takes_bounded_memory() -> None:
    with Talker("-l", "tcp://:0") as talk, bare(talk) as sock, ThreadPoolExecutor(1) as threads:
        assert talk.notes("talking with")
        before = _memory(talk)
        sending = threads.submit(sock.sendall, b"x" * (16 * 1024 * 1024) + b"\nend\n")
        assert talk.says("\nend\n")
        sending.result(PATIENCE)
        assert len(talk.out.replace(b"\n", b"")) == 16 * 1024 * 1024 + 3
        assert _memory(talk) - before < 8 * 1024


def _memory(talk: Talker) -> int:
    """The largest memory of the process so far, in KiB."""
    status = Path(f"/proc/{talk.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def test_a_reset_is_a_broken_talk() -> None:
    with Talker("-l", "tcp://:0") as talk, bare(talk) as sock:
        sock.sendall(b"hi\n")
        assert talk.says("hi\n")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        talk.ends(1)
        assert b"reset" in talk.err and b"try:" in talk.err


# -- datagrams -------------------------------------------------------------------------------------------------


def calling_udp(program: str, port: int) -> list[str]:
    needed(program)
    return ["socat", "-", f"UDP:127.0.0.1:{port}"] if program == "socat" else [program, "-u", "127.0.0.1", str(port)]


def waiting_udp(program: str, port: int) -> list[str]:
    needed(program)
    listen = f"UDP-LISTEN:{port},bind=127.0.0.1"
    return ["socat", "-", listen] if program == "socat" else [program, "-u", "-l", "127.0.0.1", str(port)]


@each_program
def test_over_udp_programs_are_told_apart_and_answered(program: str) -> None:
    with Talker("-l", "udp://127.0.0.1:0", "--keep") as talk:
        with Program(calling_udp(program, talk.port)) as one, Program(calling_udp(program, talk.port)) as two:
            one.type("一\n".encode())
            assert talk.says(": 一\n")
            talk.type(b"for one\n")
            assert one.says("for one\n")
            two.type(b"two\n")
            assert talk.says(": two\n")
            talk.type(b"for two\n")
            assert two.says("for two\n")
            assert talk.notes("answers go to udp://127.0.0.1:", times=2)
            two.type(b"q\n")
            assert talk.notes("has left the talk")
            one.type(b"still here\n")
            assert talk.says(": still here\n")
            talk.type(b"q\n")
            assert one.says("for one\nq\n")
            talk.ends()


@each_program
def test_over_udp_a_program_waits_and_both_sides_type(program: str) -> None:
    port = free_port(socket.SOCK_DGRAM)
    with Program(waiting_udp(program, port)) as other:
        wait_bound(port)
        with Talker(f"udp://127.0.0.1:{port}") as talk:
            talk.type("你好\n".encode())
            assert other.says("你好\n")
            other.type(b"hi\n")
            assert talk.says("hi\n")
            other.type(b"q\n")
            assert talk.ends() == "hi\n"


def test_over_udp_scripts_without_newlines_in_both_roles() -> None:
    with Talker("-l", "udp://127.0.0.1:0") as talk:
        with Program([sys.executable, "-c", scripts.UDP_CLIENT, str(talk.port)]) as script:
            assert talk.says(": 你好\n")
            talk.type(b"bare\n")
            assert script.ends() == "'bare'\n"
            talk.ends()
            assert b"has ended the talk" in talk.err
    port = free_port(socket.SOCK_DGRAM)
    with Program([sys.executable, "-c", scripts.UDP_SERVER, str(port)]) as script:
        assert script.says("bound")
        with Talker(f"udp://127.0.0.1:{port}") as talk:
            talk.type(b"one\n")
            assert talk.says("[one]\n")
            talk.type(b"two\nq\n")
            talk.ends()
        assert script.ends() == "bound\n'one\\n'\n'two'\n'q'\n"


def test_over_udp_nobody_there_is_said_and_survived() -> None:
    port = free_port(socket.SOCK_DGRAM)
    with Talker(f"udp://127.0.0.1:{port}") as talk:
        talk.type(b"anybody?\n")
        assert talk.notes("the talk goes on")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", port))
            sock.settimeout(PATIENCE)
            talk.type(b"now?\n")
            message, sender = sock.recvfrom(100)
            sock.sendto(b"yes", sender)
            assert message == b"now?\n" and talk.says("yes\n")


def test_over_udp_a_refusal_is_the_last_word_of_a_pipe() -> None:
    with Talker(f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}") as talk:
        talk.type(b"anybody?\n")
        talk.end_input()
        assert talk.ends(1) == ""


def test_over_udp_empty_largest_and_too_large() -> None:
    with Talker("-l", "udp://127.0.0.1:0") as talk:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE)
            sock.sendto(b"", ("127.0.0.1", talk.port))
            assert talk.notes("has sent an empty datagram")
            sock.sendto(b"x" * 65507, ("127.0.0.1", talk.port))
            assert talk.says("x" * 65507 + "\n")
            talk.type(b"y" * 65508 + b"\n" + b"z" * 200_000 + b"\n" + b"y" * 65507 + b"\n")
            assert talk.notes("not sent: datagram of 65508 bytes, limit 65507 bytes")
            assert talk.notes("not sent: datagram of 200000 bytes, limit 65507 bytes")
            assert sock.recv(65536) == b"y" * 65507


def test_over_udp_a_second_listener_is_refused_with_the_process_that_listens() -> None:
    with Talker("-l", "udp://127.0.0.1:0") as talk:
        with Talker("-l", talk.address, stdin=subprocess.DEVNULL) as second:
            second.ends(1)
            assert b"is in use" in second.err
