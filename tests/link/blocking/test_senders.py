"""Handlers over udp:// in threads: a channel for each sender, silence, who makes way, answers without channels."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lanline.address import Address
from lanline.errors import ChannelEnded, DatagramRefused
from lanline.limits import PLAIN
from lanline.link import blocking
from lanline.link.blocking import datagrams as blockingdatagrams
from lanline.link.blocking.channel import Channel
from lanline.link.datagrams import sendertable

from .bare import PATIENCE, until

UDP = "udp://127.0.0.1:0"


def echo(channel: Channel) -> None:
    """Says the same again."""
    for message in channel:
        channel.send(message)


@contextmanager
def _asker(server: blocking.Server, number: int = 0) -> Iterator[socket.socket]:
    address = server.addresses[number]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1" if address.is_every_interface else address.host, address.port))
        yield sock


def _asked(sock: socket.socket, message: bytes) -> bytes:
    sock.send(message)
    return sock.recv(70_000)


class Telling:
    """A handler that tells who came and why they went, and counts what each said."""

    def __init__(self) -> None:
        self.ends: dict[str, str] = {}
        self.channels: list[Channel] = []

    def handle(self, channel: Channel) -> None:
        """Answers with how many messages came."""
        self.channels.append(channel)
        try:
            count = 0
            while True:
                channel.receive()
                count += 1
                channel.send(str(count).encode())
        except ChannelEnded as error:
            self.ends[channel.peer_address] = str(error)
            channel.send(b"farewell")


def test_each_sender_has_a_channel_of_its_own() -> None:
    with blocking.serve(Telling(), UDP) as server, _asker(server) as one, _asker(server) as other:
        assert [_asked(one, b"x"), _asked(other, b"x"), _asked(one, b""), _asked(one, b"x")] == [b"1", b"1", b"2", b"3"]
        assert server.statistics().accepted == 2
        assert server.statistics().peers == 2
        server.close(drain=PATIENCE)
        assert one.recv(100) == other.recv(100) == b"farewell"


def test_a_silent_sender_is_forgotten_and_begins_anew() -> None:
    telling = Telling()
    with blocking.serve(telling, UDP, limits=PLAIN._replace(datagram_silence=0.02)) as server, _asker(server) as one:
        assert _asked(one, b"x") == b"1"
        assert one.recv(100) == b"farewell"
        assert _asked(one, b"x") == b"1"
        assert "has sent nothing for 0.02 s" in telling.ends[f"udp://127.0.0.1:{one.getsockname()[1]}"]


def test_of_too_many_senders_the_one_that_was_silent_longest_makes_way() -> None:
    telling = Telling()
    with blocking.serve(telling, UDP, limits=PLAIN._replace(max_connections=2)) as server:
        with _asker(server) as first, _asker(server) as second, _asker(server) as third:
            assert _asked(first, b"x") == b"1"
            assert _asked(second, b"x") == b"1"
            assert _asked(first, b"x") == b"2"
            assert _asked(third, b"x") == b"1"
            assert second.recv(100) == b"farewell"
            assert [_asked(first, b"x"), _asked(third, b"x")] == [b"3", b"2"]
            assert "made way" in telling.ends[f"udp://127.0.0.1:{second.getsockname()[1]}"]


def test_handlers_that_do_not_end_count_on_and_new_senders_are_not_heard(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sendertable, "LEAVING", 1)
    may_end = threading.Event()

    def stubborn(channel: Channel) -> None:
        channel.send(channel.receive())
        may_end.wait(PATIENCE)

    with blocking.serve(stubborn, UDP, limits=PLAIN._replace(max_connections=1)) as server:
        with _asker(server) as first, _asker(server) as second, _asker(server) as third:
            assert _asked(first, b"1") == b"1"
            assert _asked(second, b"2") == b"2"
            third.send(b"3")
            until(lambda: server.statistics().refused)
            may_end.set()
    assert "a new one was not heard" in caplog.text


def test_what_waits_for_all_senders_together_is_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sendertable, "ALL_WAITING_BYTES", 10_000)
    may_begin = threading.Event()

    def slow(channel: Channel) -> None:
        may_begin.wait(PATIENCE)
        echo(channel)

    with blocking.serve(slow, UDP) as server, _asker(server) as one, _asker(server) as other:
        one.send(bytes(9_000))
        until(lambda: server.statistics().accepted == 1)
        other.send(bytes(2_000))
        until(lambda: server.statistics().refused == 1)
        may_begin.set()
        assert len(one.recv(70_000)) == 9_000
        assert _asked(other, b"now?") == b"now?"
    assert "wait for their handlers" in caplog.text


def test_an_answer_leaves_from_the_address_that_was_asked() -> None:
    with blocking.serve(echo, "udp://*:0") as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(PATIENCE)
        asker.connect(("127.0.0.7", server.addresses[0].port))
        assert _asked(asker, b"hi") == b"hi"


def test_a_refused_answer_is_told_to_the_handler_it_concerns_when_it_receives() -> None:
    told: list[str] = []

    def loud(channel: Channel) -> None:
        channel.receive()
        while not told:
            channel.send(b"anybody?")
            try:
                channel.receive(timeout=0.001)
            except TimeoutError:
                continue
            except DatagramRefused as error:
                told.append(str(error))

    with blocking.serve(loud, UDP) as server:
        with _asker(server) as asker:
            name = f"udp://127.0.0.1:{asker.getsockname()[1]}"
            assert _asked(asker, b"x") == b"anybody?"
        until(lambda: told)
    assert told == [f"nobody listens at {name}: a datagram was refused"]


def _taker(count: int, told: list[list[bytes]], may_end: threading.Semaphore) -> Callable[[Channel], None]:
    """A handler that receives so many messages, then waits until it may end."""

    def take(channel: Channel) -> None:
        got = [channel.receive() for _ in range(count)]
        assert may_end.acquire(timeout=PATIENCE)
        told.append(got)
        channel.send(b"".join(got))

    return take


def test_what_waits_when_a_handler_returns_begins_the_next_call_of_it() -> None:
    told: list[list[bytes]] = []
    may_end = threading.Semaphore(0)
    with blocking.serve(_taker(2, told, may_end), UDP) as server, _asker(server) as asker:
        for message in (b"a", b"b", b"c", b"d", b"e"):
            asker.send(message)
        # Another sender, heard after these: by now all of them have been handed over.
        with _asker(server) as other:
            other.send(b"x")
            until(lambda: server.statistics().accepted == 2)
        may_end.release(2)
        assert [asker.recv(10), asker.recv(10)] == [b"ab", b"cd"]
        asker.send(b"f")
        may_end.release()
        assert asker.recv(10) == b"ef"
        assert server.statistics().accepted == 4
        server.close(drain=0)
    assert told == [[b"a", b"b"], [b"c", b"d"], [b"e", b"f"]]


def test_a_handler_that_receives_nothing_is_called_once_for_each_datagram() -> None:
    calls: list[str] = []
    may_go = threading.Event()

    def deaf(channel: Channel) -> None:
        assert may_go.wait(PATIENCE)
        calls.append(channel.peer_address)

    with blocking.serve(deaf, UDP) as server, _asker(server) as asker, _asker(server) as other:
        for _ in range(5):
            asker.send(b"x")
        other.send(b"x")
        until(lambda: server.statistics().accepted == 2)
        may_go.set()
        until(lambda: len(calls) == 6)
        until(lambda: server.statistics().peers == 0)
        assert server.statistics().accepted == 6


def test_nothing_that_came_while_a_handler_returns_is_lost() -> None:
    count, heard = 2000, 0
    lock = threading.Lock()

    def one_each(channel: Channel) -> None:
        nonlocal heard
        channel.receive()
        with lock:
            heard += 1

    with blocking.serve(one_each, UDP) as server, _asker(server) as asker:
        for number in range(count):
            asker.send(b"%d" % number)
            if number % 50 == 49:  # no more than the kernel keeps
                until(lambda at_least=number: heard > at_least)  # type: ignore[misc]
    assert heard == count


def test_a_client_that_left_before_its_answer_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "lanline")
    has_left = threading.Event()

    def late(channel: Channel) -> None:
        for message in channel:
            assert has_left.wait(PATIENCE)
            channel.send(message)

    with blocking.serve(late, UDP) as server:
        with _asker(server) as asker:
            asker.send(b"x")
        has_left.set()
        until(lambda: "nobody listens" in caplog.text)
        server.close(drain=0)
    assert {record.levelno for record in caplog.records} == {logging.INFO}


class Answering:
    """Answers datagrams at once, but for some."""

    def handle(self, channel: Channel) -> None:
        """Nobody comes here over UDP."""
        channel.send(b"a channel")

    def answer(self, message: bytes, sender: Address) -> bytes | None:
        """In capitals, with the sender's port; nothing for `quiet`, a failure for `fail`."""
        if message == b"quiet":
            return None
        if message == b"fail":
            raise ValueError("a mistake")
        return message.upper() + str(sender.port).encode()


def test_an_answering_object_is_asked_directly_and_keeps_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "lanline.link")
    with blocking.serve(Answering(), UDP, "tcp://127.0.0.1:0") as server, _asker(server) as asker:
        asker.send(b"quiet")
        asker.send(b"fail")
        assert _asked(asker, b"hi") == f"HI{asker.getsockname()[1]}".encode()
        assert server.statistics().peers == 0
        with blocking.connect(server.addresses[1]) as channel:
            assert channel.receive(timeout=PATIENCE) == b"a channel"
    assert "no answer: ValueError: a mistake" in caplog.text


def test_answers_go_on_after_one_was_refused() -> None:
    with blocking.serve(Answering(), UDP) as server, _asker(server) as asker:
        with _asker(server) as gone:
            gone.send(b"hi")
        assert all(_asked(asker, b"hi") for _ in range(100))


def test_a_cut_datagram_never_reaches_the_handler() -> None:
    with blocking.serve(echo, UDP) as server, _asker(server) as asker:
        # More than fits into a datagram cannot be sent over IPv4: the kernel of the sender says so.
        with pytest.raises(OSError, match="too long"):
            asker.send(bytes(65_508))
        assert len(_asked(asker, bytes(65_507))) == 65_507


def test_a_sender_whose_datagrams_are_dropped_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blockingdatagrams, "WAITING_BYTES", 100)
    may_end, channels = threading.Event(), list[Channel]()

    def busy(channel: Channel) -> None:
        channels.append(channel)
        may_end.wait(PATIENCE)

    with blocking.serve(busy, UDP, limits=PLAIN._replace(max_connections=2)) as server:
        with _asker(server) as first, _asker(server) as second, _asker(server) as third:
            for count, sock in enumerate([first, second], 1):
                sock.send(b"x")
                until(lambda count=count: len(channels) == count)  # type: ignore[misc]
            first.send(bytes(50))
            dropped = channels[0].statistics
            until(lambda: getattr(dropped(), "dropped_messages", 0))
            third.send(b"x")
            until(lambda: len(channels) == 3)
            assert channels[0].ended_by is None
            assert "made way" in str(channels[1].ended_by)
        may_end.set()


def test_an_answering_function_may_close_its_own_server() -> None:
    class Once:
        def handle(self, channel: Channel) -> None:
            raise AssertionError("datagrams are answered")

        def answer(self, message: bytes, sender: Address) -> bytes | None:
            server.close()
            return None

    before = threading.active_count()
    with blocking.serve(Once(), UDP) as server, _asker(server) as one:
        one.send(b"x")
        server.wait_closed()
        until(lambda: threading.active_count() == before)
        assert server.statistics().peers == 0
        with blocking.bind(server.addresses[0]) as again:
            assert again.address == server.addresses[0]
