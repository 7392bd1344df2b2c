"""Handlers over udp:// in threads: a channel for each sender, silence, who makes way, answers without channels."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lanline.address import Address
from lanline.errors import ChannelEnded, DatagramRefused
from lanline.limits import PLAIN
from lanline.link import blocking, blockingsenders
from lanline.link.blockingchannel import Channel

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
    monkeypatch.setattr(blockingsenders, "LEAVING", 1)
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
    monkeypatch.setattr(blockingsenders, "ALL_WAITING_BYTES", 10_000)
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


def test_a_refused_answer_is_told_to_the_handler_it_concerns() -> None:
    told: list[str] = []

    def loud(channel: Channel) -> None:
        channel.receive()
        try:
            while True:
                channel.send(b"anybody?")
        except DatagramRefused as error:
            told.append(str(error))

    with blocking.serve(loud, UDP) as server:
        with _asker(server) as asker:
            name = f"udp://127.0.0.1:{asker.getsockname()[1]}"
            assert _asked(asker, b"x") == b"anybody?"
        until(lambda: told)
    assert told == [f"nobody listens at {name}: a datagram was refused"]


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
