"""The blocking server: threads, bounds, several addresses, and ends that are graceful where they can be."""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lanline.errors import (
    AddressError,
    ChannelBroken,
    ChannelClosed,
    ChannelEnded,
    ChannelError,
    ConnectFailed,
    ListenFailed,
    UsageError,
)
from lanline.framing.length import LengthPrefixed
from lanline.framing.lines import Lines
from lanline.limits import LAN, PLAIN
from lanline.link import blocking
from lanline.link.blocking.channel import Channel
from tests.transport.certificates import HUB, Room, make_room

from .bare import PATIENCE, InThread, read_all, reset, until

TCP = "tcp://127.0.0.1:0"

PROGRAM = """
import sys, threading
from lanline import Lines, blocking

def upper(channel):
    for message in channel:
        channel.send(message.upper())

def tell_once_main_is_in(*functions):
    names = []
    while names[-len(functions) - 1:-1] != [*functions]:
        frame = sys._current_frames()[threading.main_thread().ident]
        names = []
        while frame is not None:
            names.insert(0, frame.f_code.co_name)
            frame = frame.f_back
    print(*server.addresses, flush=True)

def tell():
    tell_once_main_is_in("wait_closed", "wait")
    if len(sys.argv) > 1:
        tell_once_main_is_in("_wait_for", "wait_for")

with blocking.serve(upper, "tcp://:0", framing=Lines()) as server:
    threading.Thread(target=tell).start()
    server.wait_closed()
print("ended", flush=True)
"""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """Certificates for both sides."""
    return make_room(tmp_path_factory.mktemp("room"))


def upper(channel: Channel) -> None:
    """Answers in capitals."""
    for message in channel:
        channel.send(message.upper())


class Meeting:
    """A handler that says when it has begun, and goes on when it is told."""

    def __init__(self) -> None:
        self.has_begun, self.may_end = threading.Event(), threading.Event()
        self.ended_by: BaseException | None = None

    def handle(self, channel: Channel) -> None:
        """Waits for a word, of the test or of its peer."""
        self.has_begun.set()
        try:
            if not self.may_end.is_set():
                channel.receive()
        except BaseException as error:
            self.ended_by = error
            raise


@contextmanager
def _client(server: blocking.Server, number: int = 0) -> Iterator[socket.socket]:
    address = server.addresses[number]
    with socket.create_connection((address.host, address.port), timeout=PATIENCE) as sock:
        yield sock


def _asked(server: blocking.Server, number: int = 0, word: bytes = b"hi") -> bytes:
    with blocking.connect(server.addresses[number], framing=Lines()) as channel:
        channel.send(word)
        return channel.receive(timeout=PATIENCE)


def test_one_handler_serves_several_addresses_in_the_background(home: Path) -> None:
    with blocking.serve(upper, TCP, f"unix://{home}/s", "udp://127.0.0.1:0", framing=Lines()) as server:
        assert [address.scheme for address in server.addresses] == ["tcp", "unix", "udp"]
        assert server.addresses[0].port > 0
        assert [_asked(server, number) for number in range(3)] == [b"HI"] * 3
        assert server.statistics().accepted == 3
    assert not (home / "s").exists()
    with pytest.raises(ConnectFailed):
        blocking.connect(server.addresses[0])


def test_a_hundred_clients_at_once_each_get_their_own_answers() -> None:
    with blocking.serve(upper, TCP, framing=Lines()) as server:
        everybody_is_here = threading.Barrier(100)

        def client(number: int) -> list[bytes]:
            with blocking.connect(server.addresses[0], framing=Lines()) as channel:
                everybody_is_here.wait(PATIENCE)
                answers = []
                for turn in range(5):
                    channel.send(f"n{number} t{turn}".encode())
                    answers.append(channel.receive(timeout=PATIENCE))
                return answers

        calls = [InThread(lambda number=number: client(number)) for number in range(100)]  # type: ignore[misc]
        for call in calls:
            call.__enter__()
        for number, call in enumerate(calls):
            assert call.outcome() == [f"N{number} T{turn}".encode() for turn in range(5)]
        assert server.statistics().accepted == 100
    assert server.statistics().peers == 0


def test_an_object_is_shared_and_a_class_is_made_anew_for_each_client() -> None:
    class Counting:
        """Counts its clients."""

        def __init__(self) -> None:
            self.clients = 0

        def handle(self, channel: Channel) -> None:
            """Says how many came before and with this one."""
            self.clients += 1
            channel.send(str(self.clients).encode())

    for what, answers in ((Counting(), [b"1", b"2"]), (Counting, [b"1", b"1"])):
        with blocking.serve(what, TCP, framing=Lines()) as server:
            for answer in answers:
                with blocking.connect(server.addresses[0], framing=Lines()) as channel:
                    assert channel.receive(timeout=PATIENCE) == answer


def test_a_client_that_crashes_or_vanishes_in_a_message_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "lanline.link")
    with blocking.serve(upper, TCP, framing=LengthPrefixed()) as server:
        with _client(server) as rude, _client(server) as vanishing:
            rude.sendall(b"\0\0")
            vanishing.sendall(b"\0\0\0\x05hal")
            until(lambda: server.statistics().peers == 2)
            reset(rude)
            vanishing.shutdown(socket.SHUT_WR)
            assert read_all(vanishing) == b""
        until(lambda: server.statistics().peers == 0)
        with blocking.connect(server.addresses[0], framing=LengthPrefixed()) as channel:
            channel.send(b"still here?")
            assert channel.receive(timeout=PATIENCE) == b"STILL HERE?"
    assert "was reset" in caplog.text
    assert "in the middle of a message" in caplog.text


def test_a_handler_that_fails_is_logged_and_ends_its_client_alone(caplog: pytest.LogCaptureFixture) -> None:
    def fragile(channel: Channel) -> None:
        for message in channel:
            channel.send(str(1 / int(message)).encode())

    with blocking.serve(fragile, TCP, framing=Lines()) as server:
        with blocking.connect(server.addresses[0], framing=Lines()) as channel:
            channel.send(b"0")
            with pytest.raises(ChannelEnded):
                channel.receive(timeout=PATIENCE)
        assert _asked(server, word=b"1") == b"1.0"
    assert "the handler of tcp://127.0.0.1" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_time_that_is_over_in_a_handler_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    def impatient(channel: Channel) -> None:
        channel.receive(timeout=0.01)

    with blocking.serve(impatient, TCP) as server, _client(server) as client:
        assert read_all(client) == b""
    assert not caplog.records


def test_one_client_too_many_is_refused_with_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    limits = PLAIN._replace(max_connections=2)
    with blocking.serve(upper, TCP, framing=Lines(), limits=limits) as server:
        with _client(server), _client(server):
            until(lambda: server.statistics().peers == 2)
            with _client(server) as third:
                assert read_all(third) == b""
        until(lambda: server.statistics().peers == 0)
        assert _asked(server) == b"HI"
        assert server.statistics().refused == 1
    assert "refused tcp://127.0.0.1" in caplog.text
    assert "2 connections" in caplog.text


def test_without_descriptors_newcomers_are_told_and_the_server_recovers(caplog: pytest.LogCaptureFixture) -> None:
    with blocking.serve(upper, TCP, framing=Lines()) as server:
        assert _asked(server) == b"HI"
        until(lambda: server.statistics().peers == 0)
        late = socket.socket()
        late.settimeout(PATIENCE)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
        taken: list[int] = []
        try:
            while True:
                try:
                    taken.append(os.dup(0))
                except OSError:
                    break
            with late:
                late.connect((server.addresses[0].host, server.addresses[0].port))
                assert read_all(late) == b""
        finally:
            for descriptor in taken:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert _asked(server) == b"HI"
        assert 0 < server.statistics().accept_errors < 50
    assert "Too many open files" in caplog.text


def test_closing_lets_handlers_finish() -> None:
    meeting = Meeting()
    with blocking.serve(meeting, TCP, framing=Lines()) as server, _client(server) as client:
        meeting.has_begun.wait(PATIENCE)
        with InThread(server.close):
            until(lambda: server._bound[0].sockets[0].fileno() == -1)
            client.sendall(b"go on\n")
    assert meeting.ended_by is None


def test_handlers_that_do_not_finish_in_time_are_ended_by_their_channel() -> None:
    meeting = Meeting()
    with blocking.serve(meeting, TCP) as server, _client(server) as client:
        assert meeting.has_begun.wait(PATIENCE)
        server.close(drain=0.01)
        assert isinstance(meeting.ended_by, ChannelClosed)
        assert read_all(client) == b""
        assert server.statistics().peers == 0
        server.close()


def test_a_handler_that_is_busy_elsewhere_is_left_behind_and_named(caplog: pytest.LogCaptureFixture) -> None:
    has_begun, may_end = threading.Event(), threading.Event()

    def busy(_channel: Channel) -> None:
        has_begun.set()
        may_end.wait(PATIENCE)

    with blocking.serve(busy, TCP, limits=PLAIN._replace(drain=0.02)) as server, _client(server):
        assert has_begun.wait(PATIENCE)
        server.close()
    may_end.set()
    assert "1 handlers do not end" in caplog.text
    until(lambda: server.statistics().peers == 0)


def test_a_block_that_fails_ends_its_server_at_once() -> None:
    meeting, client = Meeting(), socket.socket()
    with client:
        with pytest.raises(KeyError), blocking.serve(meeting, TCP) as server:
            client.connect((server.addresses[0].host, server.addresses[0].port))
            assert meeting.has_begun.wait(PATIENCE)
            raise KeyError("a mistake inside")
    assert isinstance(meeting.ended_by, ChannelClosed)


def test_a_handler_may_close_its_own_server() -> None:
    def quitting(channel: Channel) -> None:
        for message in channel:
            if message == b"quit":
                server.close()

    server = blocking.serve(quitting, TCP, framing=Lines()).start()
    with _client(server) as client:
        client.sendall(b"quit\n")
        server.wait_closed()
        assert read_all(client) == b""


def test_the_end_of_the_block_waits_for_a_handler_that_closed_the_server_itself() -> None:
    may_end, has_closed = threading.Event(), threading.Event()
    ends: list[str] = []

    def serve_one(channel: Channel) -> None:
        channel.send(b"you are the only one")
        server.close()
        has_closed.set()
        assert may_end.wait(PATIENCE)
        ends.append("after closing")

    with blocking.serve(serve_one, TCP, framing=Lines()) as server, _client(server) as client:
        assert read_all(client) == b"you are the only one\n"
        server.wait_closed()
        assert has_closed.wait(PATIENCE)
        may_end.set()
        server.close()
        assert ends == ["after closing"]


def test_ctrl_c_ends_a_server_that_waits_and_its_clients_finish(tmp_path: Path) -> None:
    program = tmp_path / "server.py"
    program.write_text(PROGRAM)
    words = [sys.executable, str(program)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with blocking.connect(process.stdout.readline().strip(), framing=Lines()) as channel:
            channel.send(b"before")
            assert channel.receive(timeout=PATIENCE) == b"BEFORE"
            process.send_signal(signal.SIGINT)
            channel.send(b"after")
            assert channel.receive(timeout=PATIENCE) == b"AFTER"
        out, err = process.communicate(timeout=PATIENCE)
    assert (out, err, process.returncode) == ("ended\n", "", 0)


def test_a_second_ctrl_c_ends_the_clients_at_once_and_without_a_traceback(tmp_path: Path) -> None:
    program = tmp_path / "server.py"
    program.write_text(PROGRAM)
    words = [sys.executable, str(program), "and tell when it drains"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with blocking.connect(process.stdout.readline().strip(), framing=Lines()) as channel:
            channel.send(b"before")
            assert channel.receive(timeout=PATIENCE) == b"BEFORE"
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline().startswith("tcp:"), "it gives its clients time"
            process.send_signal(signal.SIGINT)
            with pytest.raises(ChannelError):
                channel.receive(timeout=PATIENCE)
        out, err = process.communicate(timeout=PATIENCE)
    assert (out, err, process.returncode) == ("ended\n", "", 0)


def test_a_handler_over_tls(room: Room) -> None:
    with blocking.serve(upper, "tls://127.0.0.1:0", framing=Lines(), tls=room.accepting()) as server:
        address = server.addresses[0]
        with blocking.connect(address, framing=Lines(), tls=room.connecting(), server_name=HUB) as channel:
            channel.send(b"hi")
            assert channel.receive(timeout=PATIENCE) == b"HI"
            assert channel.peer_address == str(address)
            assert channel.local_address.startswith("tls://127.0.0.1:")
            channel.end()
            with pytest.raises(ChannelClosed):
                channel.receive(timeout=PATIENCE)
        with pytest.raises(ConnectFailed, match="not trusted"):
            blocking.connect(address, tls=room.connecting(), server_name="other.lab.lanline.internal")
        until(lambda: server.statistics().failed_handshakes == 1)
        until(lambda: server.statistics().peers == 0)


def test_large_messages_over_tls_go_both_ways_at_once(room: Room) -> None:
    framing = LengthPrefixed(max_message_bytes=8 * 1024 * 1024)
    with blocking.serve(upper, TCP, framing=framing, tls=room.accepting()) as server:
        with blocking.connect(server.addresses[0], framing=framing, tls=room.connecting(), server_name=HUB) as channel:
            large = b"x" * (8 * 1024 * 1024)
            with InThread(lambda: [channel.send(large) for _ in range(3)]):
                assert all(channel.receive(timeout=PATIENCE) == large.upper() for _ in range(3))


def test_a_silent_client_does_not_hold_up_the_handshakes_of_others(room: Room) -> None:
    limits = LAN._replace(handshake=PATIENCE)
    with blocking.serve(upper, TCP, framing=Lines(), tls=room.accepting(), limits=limits) as server:
        address, context = server.addresses[0], room.connecting()
        with _client(server), blocking.connect(address, framing=Lines(), tls=context, server_name=HUB) as channel:
            channel.send(b"hi")
            assert channel.receive(timeout=PATIENCE) == b"HI"


def test_a_handshake_has_its_time(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    with blocking.serve(upper, TCP, tls=room.accepting(), limits=LAN._replace(handshake=0.02)) as server:
        with _client(server) as silent:
            assert read_all(silent) == b""
        until(lambda: server.statistics().peers == 0)
        assert server.statistics().failed_handshakes == 1
    assert "it took too long" in caplog.text


def test_closing_does_not_wait_for_those_who_shake_hands(room: Room) -> None:
    with blocking.serve(upper, TCP, tls=room.accepting(), limits=LAN._replace(handshake=PATIENCE)) as server:
        with _client(server) as silent:
            until(lambda: server.statistics().peers == 1)
            server.close()
            assert read_all(silent) == b""


def test_the_rules_for_unix_socket_files_hold_here_too(home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(home / "s"))
    with blocking.serve(upper, f"unix://{home}/s", framing=Lines()) as server:
        assert (home / "s").stat().st_mode & 0o777 == 0o600
        assert _asked(server) == b"HI"
        with pytest.raises(ListenFailed, match="another server listens there"):
            blocking.serve(upper, f"unix://{home}/s").start()
        assert _asked(server) == b"HI"
    assert os.listdir(home) == []


def test_a_port_in_use_leaves_nothing_open(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = blocking.serve(upper, f"unix://{home}/s", "udp://127.0.0.1:0", f"tcp://127.0.0.1:{port}")
        with pytest.raises(ListenFailed, match=f"port {port} is in use"):
            server.start()
        assert os.listdir(home) == []


def test_a_killed_servers_port_can_be_had_again_at_once() -> None:
    with blocking.serve(upper, TCP, framing=Lines()) as server:
        address = server.addresses[0]
        channel = blocking.connect(address, framing=Lines())
        channel.send(b"hi")
        assert channel.receive(timeout=PATIENCE) == b"HI"
        server.close(drain=0)
        with pytest.raises((ChannelEnded, ChannelBroken)):
            channel.receive(timeout=PATIENCE)
        with blocking.serve(upper, address, framing=Lines()) as again:
            assert _asked(again) == b"HI"
        channel.close()


def test_a_socket_that_listens_already_is_served() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    with blocking.serve(upper, listening, datagrams, framing=Lines()) as server:
        assert [_asked(server, number) for number in range(2)] == [b"HI", b"HI"]
    assert listening.fileno() == datagrams.fileno() == -1


@pytest.mark.parametrize(
    ("what", "addresses", "kind", "sentence"),
    [
        (upper, [], UsageError, "at least one address"),
        (upper, ["mem://x"], AddressError, "belongs to an event loop"),
        (upper, ["tcp://nonsense"], AddressError, "no port"),
        (42, [TCP], UsageError, "no handler"),
    ],
)
def test_what_cannot_be_served_is_said_at_once(
    what: object, addresses: list[str], kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        blocking.serve(what, *addresses)  # type: ignore[arg-type]


def test_tls_without_a_certificate_is_refused() -> None:
    with pytest.raises(UsageError, match="without a certificate"):
        blocking.serve(upper, "tls://127.0.0.1:0").start()


def test_a_context_that_is_not_for_servers_fails_each_handshake_and_keeps_nothing(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    with blocking.serve(upper, TCP, tls=room.connecting()) as server:
        with _client(server) as client:
            assert read_all(client) == b""
        until(lambda: server.statistics().peers == 0)
        assert server.statistics().failed_handshakes == 1
    assert "TLS handshake" in caplog.text and "left behind" not in caplog.text


def test_a_server_that_could_not_start_can_be_closed_and_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = blocking.serve(upper, "udp://127.0.0.1:0", f"tcp://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ListenFailed):
            server.start()
        server.close()
        server.wait_closed()
    before, start = threading.active_count(), threading.Thread.start

    def starts_one(thread: threading.Thread) -> None:
        if thread.name == "lanline datagrams":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", starts_one)
    server = blocking.serve(upper, TCP, "udp://127.0.0.1:0")
    with pytest.raises(RuntimeError, match="start new thread"):
        server.start()
    assert threading.active_count() == before
    with pytest.raises(ConnectFailed):
        blocking.connect(server.addresses[0])
