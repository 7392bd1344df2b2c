"""`lanline serve`: real processes, asked by bare sockets; and what is refused before anything is served."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.transport.certificates import make_authority
from tests.ui.recording import Recording
from tests.ui.served import Served, served
from tests.ui.terminal import environment

from lanline import Lines, blocking
from lanline.errors import ListenFailed, UsageError
from lanline.room.paths import StateFolder
from lanline.transport.tls import client_context
from lanline.ui.words.serve import serve

FOLDER = StateFolder(Path("/nonexistent"))
SECONDS = 10.0

UPPER = "async def upper(channel):\n    async for message in channel:\n        await channel.send(message.upper())\n"


def _connected(server: Served, scheme: str = "tcp") -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port(scheme)), timeout=SECONDS)


def _ask(sock: socket.socket, message: bytes) -> bytes:
    sock.sendall(message)
    return sock.recv(65536)


def _mine(folder: Path, text: str = UPPER) -> str:
    (folder / "mine.py").write_text(text)
    return "./mine.py:upper"


# -- who comes, what is said, who goes -----------------------------------------------------------------------


def test_a_client_comes_speaks_and_goes_and_each_is_told_with_the_reason() -> None:
    with served("echo", "--on", "tcp://127.0.0.1:0", "-v") as server:
        with _connected(server) as sock:
            assert _ask(sock, "你好".encode()) == "你好".encode()
            client = f"tcp://127.0.0.1:{sock.getsockname()[1]}"
        assert server.wait("came")["client"] == client
        assert server.wait("message", direction="in")["message"] == "你好"
        assert server.wait("message", direction="out")["message"] == "你好"
        left = server.wait("left", client=client)
        assert (left["reason"], left["why"], left["received_messages"], left["sent_messages"]) == (
            "it closed",
            "ChannelEnded",
            1,
            1,
        )
        assert server.stop() == 0
        last = server.events[-1]
        assert (last["event"], last["clients"], last["received_messages"]) == ("stopped", 1, 1)


def test_a_client_that_is_reset_is_told_from_one_that_closed() -> None:
    with served("echo", "--on", "tcp://127.0.0.1:0") as server:
        with _connected(server) as sock:
            _ask(sock, b"x")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert server.wait("left")["why"] == "ChannelReset"


def test_a_client_that_vanishes_in_the_middle_of_a_message_harms_nobody() -> None:
    with served("echo", "--on", "tcp://127.0.0.1:0", "--framing", "lines") as server, _connected(server) as other:
        with _connected(server) as sock:
            sock.sendall(b"no end")
        assert server.wait("left")["why"] == "EndedInMessage"
        assert _ask(other, b"still here\n") == b"still here\n"


def test_messages_that_are_no_text_are_told_as_bytes_and_long_ones_are_cut() -> None:
    with served("echo", "--on", "tcp://127.0.0.1:0", "-v", "--framing", "length") as server:
        with _connected(server) as sock:
            sock.sendall(b"\0\0\0\2\xff\xfe" + b"\0\0\2\x58" + b"a" * 600)
        first = server.wait("message", direction="in")
        assert (first["message"], first["encoding"], first["is_cut"]) == ("//4=", "base64", False)
        second = server.wait("message", direction="in")
        assert (len(second["message"]), second["size_bytes"], second["is_cut"]) == (500, 600, True)


def test_the_senders_of_datagrams_are_clients_that_come_and_go() -> None:
    with served("echo", "--on", "udp://127.0.0.1:0") as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(SECONDS)
            sock.connect(("127.0.0.1", server.port("udp")))
            assert _ask(sock, b"one") == b"one"
            sock.send(b"")
            assert sock.recv(100) == b""
            client = f"udp://127.0.0.1:{sock.getsockname()[1]}"
        assert server.wait("came")["client"] == client
        assert server.stop() == 0
        left = server.find("left", client=client)
        assert (left["why"], left["received_messages"], left["sent_messages"]) == ("stopped", 2, 2)


# -- addresses -------------------------------------------------------------------------------------------------


def test_one_service_at_several_addresses_says_who_reaches_each(home: Path) -> None:
    path = home / "e.sock"
    addresses = ("tcp://127.0.0.1:0", "tcp://*:0", f"unix://{path}", f"unix://@ll-{os.getpid()}", "udp://127.0.0.1:0")
    with served("echo", *(word for one in addresses for word in ("--on", one))) as server:
        server.wait("serving", address=f"unix://@ll-{os.getpid()}")
        server.wait("serving")
        scopes = [event["scope"] for event in server.events]
        assert scopes == ["machine", "network", "user", "machine", "machine"]
        assert all(event["reachable_at"] for event in server.events if event["scope"] == "network")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(SECONDS)
            sock.connect(str(path))
            assert _ask(sock, b"hi") == b"hi"
        assert server.stop() == 0
    assert not path.exists()


def test_a_killed_server_starts_again_at_the_same_addresses(home: Path) -> None:
    path = home / "e.sock"
    with served("echo", "--on", "tcp://127.0.0.1:0", "--on", f"unix://{path}") as server:
        port = server.port()
        with _connected(server) as sock:
            _ask(sock, b"x")
            server.process.kill()
            server.process.wait(SECONDS)
    assert path.exists()
    with served("echo", "--on", f"tcp://127.0.0.1:{port}", "--on", f"unix://{path}") as server:
        assert server.port() == port


@pytest.mark.parametrize(
    ("address", "says", "advice"),
    [
        ("tcp://203.0.113.9:9000", "no interface of this machine has that address", "ip addr"),
        ("tcp://nobody.invalid:9000", "does not resolve", "IP address of this machine"),
        ("unix:///nowhere/x.sock", "its folder does not exist", "mkdir"),
        ("unix:///etc/hostname", "not a socket is in the way", "another path"),
    ],
)
def test_an_address_that_cannot_be_served_says_what_to_try(address: str, says: str, advice: str) -> None:
    with pytest.raises(ListenFailed, match=says) as caught:
        serve(["echo", "--on", address], Recording(), FOLDER)
    assert advice in caught.value.advice


@pytest.mark.parametrize("scheme", ["tcp", "udp"])
def test_a_port_in_use_names_the_process_that_has_it(scheme: str) -> None:
    kind = socket.SOCK_STREAM if scheme == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        if scheme == "tcp":
            sock.listen()
        port = sock.getsockname()[1]
        with pytest.raises(ListenFailed, match=rf"port {port} is in use by .*process {os.getpid()}"):
            serve(["echo", "--on", f"{scheme}://127.0.0.1:{port}"], Recording(), FOLDER)


def test_nothing_is_kept_of_the_addresses_before_one_that_fails(home: Path) -> None:
    with pytest.raises(ListenFailed):
        serve(["echo", "--on", f"unix://{home}/s", "--on", "tcp://203.0.113.9:1"], Recording(), FOLDER)
    assert not (home / "s").exists()


# -- what makes no sense ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["echo"], "where to serve is not said"),
        (["ecko", "--on", "tcp://:0"], "nothing called 'ecko'"),
        (["--on", "tcp://:0"], "NAME"),
        (["echo", "--on", "mem://x"], "within one program"),
        (["echo", "--on", "tls://:0"], "without a certificate"),
        (["echo", "--on", "tcp://:0", "--tls-cert", "x"], "go together"),
        (["echo", "--on", "tcp://:0", "--tls-cert", "x", "--tls-key", "y"], "no tls address"),
        (["echo", "--on", "tcp://:0", "--reload"], "goes with a handler of your own"),
        (["echo", "--on", "tcp://:0", "--workers", "0"], "whole number"),
        (["echo", "--on", "tcp://:0", "--nonsense"], "--nonsense"),
        (["./nowhere.py:handler", "--on", "tcp://:0"], "is not there"),
    ],
)
def test_what_makes_no_sense_is_said_and_nothing_is_served(words: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        serve(words, Recording(), FOLDER)
    assert caught.value.exit_code == 2


def test_the_options_of_a_face_are_in_its_help_and_the_faces_in_everybodys() -> None:
    console = Recording()
    with pytest.raises(SystemExit):
        serve(["echo", "--help"], console, FOLDER)
    assert "--greeting" in console.out
    general = Recording()
    with pytest.raises(SystemExit):
        serve(["--help"], general, FOLDER)
    assert "echo" in general.out
    assert "--greeting TEXT" not in general.out


def test_a_name_behind_options_is_found() -> None:
    with served("--on", "tcp://127.0.0.1:0", "--drain", "1", "echo", "--reply", "<{}>") as server:
        with _connected(server) as sock:
            assert _ask(sock, b"x") == b"<x>"


# -- handlers of one's own ---------------------------------------------------------------------------------------


def test_a_handler_of_ones_own_is_served_over_every_transport(tmp_path: Path, home: Path) -> None:
    path = f"{home}/m.sock"
    words = ("--on", "tcp://127.0.0.1:0", "--on", "udp://127.0.0.1:0", "--on", f"unix://{path}", "--framing", "lines")
    with served(_mine(tmp_path), *words, cwd=tmp_path) as server:
        server.wait("serving", address=f"unix://{path}")
        for address in (server.address("tcp"), f"unix://{path}"):
            with blocking.connect(address, framing=Lines()) as channel:
                channel.send(b"abc")
                assert channel.receive(timeout=SECONDS) == b"ABC"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(SECONDS)
            sock.connect(("127.0.0.1", server.port("udp")))
            assert _ask(sock, b"abc") == b"ABC"
        assert server.wait("left", received_messages=1)


def test_a_handlers_mistake_ends_its_own_client_and_names_the_line(tmp_path: Path) -> None:
    text = UPPER.replace("message.upper()", "b'%d' % (1 // len(message[1:]))")
    with (
        served(_mine(tmp_path, text), "--on", "tcp://127.0.0.1:0", cwd=tmp_path) as server,
        _connected(server) as other,
    ):
        with _connected(server) as sock:
            assert _ask(sock, b"x") == b""
        left = server.wait("left", why="failed")
        assert left["reason"] == (
            "the handler failed: ZeroDivisionError: integer division or modulo by zero (mine.py, line 3)"
        )
        assert "Traceback" in left["traceback"]
        assert _ask(other, b"xy") == b"1"


def test_a_class_is_made_anew_for_each_client_and_an_object_is_shared(tmp_path: Path) -> None:
    text = (
        "class Counting:\n    def __init__(self):\n        self.count = 0\n"
        "    async def handle(self, channel):\n        async for message in channel:\n"
        "            self.count += 1\n            await channel.send(b'%d' % self.count)\n"
        "shared = Counting()\n"
    )
    _mine(tmp_path, text)
    for name, second in (("Counting", b"1"), ("shared", b"2")):
        with served(f"./mine.py:{name}", "--on", "tcp://127.0.0.1:0", cwd=tmp_path) as server:
            with _connected(server) as one, _connected(server) as two:
                assert (_ask(one, b"x"), _ask(two, b"x")) == (b"1", second)


def test_a_class_of_services_is_served_over_links_with_both_sides_typed(tmp_path: Path) -> None:
    text = (
        "from lanline import Service, endpoint\n\n\nclass Sums(Service):\n    name = 'sums'\n\n    @endpoint\n"
        "    async def add(self, numbers: list[int]) -> int:\n        return sum(numbers)\n"
    )
    _mine(tmp_path, text)
    with served("./mine.py:Sums", "--on", "tcp://127.0.0.1:0", cwd=tmp_path) as server:
        with blocking.connect_link(server.address("tcp")) as link:
            assert link.ask("sums.add", [1, 2, 3], timeout=SECONDS) == 6
        assert server.stop() == 0


# -- limits and stopping -----------------------------------------------------------------------------------------


def test_newcomers_beyond_the_most_clients_are_refused_and_counted_and_one_who_leaves_makes_room() -> None:
    with served("echo", "--on", "tcp://127.0.0.1:0", "--max-clients", "2") as server:
        with _connected(server) as first, _connected(server) as second:
            assert (_ask(first, b"1"), _ask(second, b"2")) == (b"1", b"2")
            with _connected(server) as third:
                assert third.recv(10) == b""
            assert server.wait("refused")["limit"] == 2
        server.wait("left")
        server.wait("left")
        with _connected(server) as again:
            assert _ask(again, b"again") == b"again"
        assert server.stop() == 0
        assert server.events[-1]["refused"] == 1


def test_what_a_script_sends_without_a_newline_is_a_question_to_time_and_half_a_message_of_lines() -> None:
    with (
        served("time", "--utc", "--on", "tcp://127.0.0.1:0") as clock,
        served("echo", "--framing", "lines", "--on", "tcp://127.0.0.1:0") as echo,
    ):
        answers = []
        for server in (clock, echo):
            command = ["nc", "-N", "127.0.0.1", str(server.port())]
            done = subprocess.run(command, input=b"%Z", capture_output=True, timeout=30, check=True)
            answers.append(done.stdout)
        assert answers == [b"UTC\n", b""]
        assert clock.wait("left")["why"] == "ChannelEnded"
        assert echo.wait("left")["why"] == "EndedInMessage"


def test_a_stop_lets_no_one_in_and_gives_those_inside_the_time_they_need() -> None:
    with served("echo", "--on", "tcp://127.0.0.1:0", "--drain", "20") as server, _connected(server) as sock:
        _ask(sock, b"x")
        server.process.send_signal(signal.SIGINT)
        server.wait("stopping", clients=1)
        with pytest.raises(ConnectionRefusedError):
            _connected(server)
        assert _ask(sock, b"still served") == b"still served"
        sock.close()
        assert server.end() == 0


def test_a_stop_cuts_off_whoever_is_left_when_its_time_is_over() -> None:
    with served("echo", "--on", "tcp://127.0.0.1:0", "--drain", "0.1") as server, _connected(server) as sock:
        _ask(sock, b"x")
        assert server.stop() == 0
        assert server.find("left")["why"] == "stopped"
        assert sock.recv(10) == b""


def test_a_second_signal_cuts_everybody_off() -> None:
    with served("echo", "--on", "tcp://127.0.0.1:0", "--drain", "600") as server, _connected(server) as sock:
        _ask(sock, b"x")
        server.process.send_signal(signal.SIGINT)
        server.wait("stopping")
        assert server.stop(signal.SIGINT) == 130
        assert server.find("left")["why"] == "stopped"


def test_a_thousand_clients_are_served_at_once() -> None:
    with served("echo", "--on", "tcp://127.0.0.1:0") as server:
        clients = [_connected(server) for _ in range(1000)]
        for number, sock in enumerate(clients):
            sock.sendall(b"%d" % number)
        assert [sock.recv(10) for sock in clients] == [b"%d" % number for number in range(1000)]
        for sock in clients:
            sock.close()
        for _ in clients:
            server.wait("left", why="ChannelEnded")
        assert server.stop() == 0
        assert server.events[-1]["clients"] == 1000


def test_a_low_soft_limit_of_open_files_does_not_keep_clients_out() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert hard == resource.RLIM_INFINITY or hard > 1000
    code = (
        "import os, resource, sys; hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1];"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard)); os.execv(sys.executable, sys.argv[1:])"
    )
    with served("echo", "--on", "tcp://127.0.0.1:0", through=[sys.executable, "-c", code]) as server:
        clients = [_connected(server) for _ in range(300)]
        for number, sock in enumerate(clients):
            assert _ask(sock, b"%d" % number) == b"%d" % number
        for sock in clients:
            sock.close()
        assert server.stop() == 0
        assert (server.events[-1]["clients"], server.events[-1]["refused"]) == (300, 0)


def test_an_output_that_nobody_reads_any_more_ends_it_and_leaves_nothing_behind(home: Path) -> None:
    path = home / "e.sock"
    with served("echo", "--on", "tcp://127.0.0.1:0", "--on", f"unix://{path}") as server:
        assert server.process.stdout is not None
        port = server.port()
        server.process.stdout.close()
        with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as sock:
            assert _ask(sock, b"x") == b"x"
        assert server.process.wait(SECONDS) == 141
        assert server.err == ""
    assert not path.exists()


def test_sockets_that_systemd_gives_are_served_without_an_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        program = 'import os, sys; os.environ["LISTEN_PID"] = str(os.getpid()); os.execv(sys.executable, sys.argv[1:])'
        command = [sys.executable, "-c", program, sys.executable, "-P", "-m", "lanline", "serve", "echo", "--json"]
        process = subprocess.Popen(
            command,
            env={**environment(HOME=os.environ["HOME"]), "LISTEN_FDS": "1"},
            preexec_fn=lambda: os.dup2(sock.fileno(), 3),
            close_fds=False,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        with process.stdout as out:
            assert json.loads(out.readline())["address"] == f"tcp://127.0.0.1:{sock.getsockname()[1]}"
            with socket.create_connection(sock.getsockname(), timeout=SECONDS) as client:
                assert _ask(client, b"given") == b"given"
            process.send_signal(signal.SIGTERM)
            out.read()
        assert process.wait(SECONDS) == 0


def test_tls_is_served_with_files_of_ones_own_beside_an_address_without_it(tmp_path: Path) -> None:
    authority = make_authority(tmp_path, "own")
    files = authority.identity("localhost")
    tls = ("--tls-cert", str(files.certificate_file), "--tls-key", str(files.key_file))
    with served("echo", "--on", "tls://127.0.0.1:0", "--on", "tcp://127.0.0.1:0", *tls) as server:
        server.wait("serving")
        address = f"tls://127.0.0.1:{server.port('tls')}"
        context = client_context(authority.file)
        with blocking.connect(address, tls=context, server_name="localhost") as channel:
            channel.send(b"secret")
            assert channel.receive(timeout=SECONDS) == b"secret"
        with _connected(server) as sock:
            assert _ask(sock, b"plain") == b"plain"
