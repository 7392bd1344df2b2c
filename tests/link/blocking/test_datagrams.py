"""Blocking channels of datagrams, towards bare sockets: empty ones, cut ones, refused ones, and closing."""

from __future__ import annotations

import select
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lanline.address import Address
from lanline.errors import (
    AddressError,
    ChannelClosed,
    ChannelEnded,
    DatagramRefused,
    DatagramTruncated,
    MessageTooLarge,
    TextNotBytes,
    TransportError,
)
from lanline.link import blocking
from lanline.link.blocking.datagrams import DatagramChannel, SenderChannel
from lanline.link.datagrams.datagram import MESSAGE_BYTES, WAITING_BYTES
from lanline.transport.udp.datagrams import open_bound, open_connected

from .bare import PATIENCE, InThread, until


@contextmanager
def _channel_and_peer(limit: int = 65_507) -> Iterator[tuple[DatagramChannel, socket.socket]]:
    """A connected channel, and the bare socket it is connected to, which is connected back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(PATIENCE)
        port = open_connected(Address("udp", *peer.getsockname()), max_datagram_bytes=limit)
        assert port.peer is not None
        with DatagramChannel(port, port.peer) as channel:
            peer.connect(port.sock.getsockname())
            yield channel, peer


def _refused_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_one_datagram_is_one_message_and_an_empty_one_is_no_end() -> None:
    with _channel_and_peer() as (channel, peer):
        channel.send(b"one")
        channel.send(b"")
        channel.send_now(b"three")
        assert [peer.recv(100) for _ in range(3)] == [b"one", b"", b"three"]
        for message in (b"", b"a" * 65_507, b""):
            peer.send(message)
            assert channel.receive(timeout=PATIENCE) == message
        assert channel.ended_by is None
        assert channel.statistics().sent_messages == 3
        assert channel.statistics().received_bytes == 65_507


def test_connecting_gives_a_channel_that_hears_its_peer_alone() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        with blocking.connect(f"udp://127.0.0.1:{peer.getsockname()[1]}") as channel:
            channel.send(b"hi")
            _, ours = peer.recvfrom(100)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.sendto(b"psst", ours)
            peer.sendto(b"hello", ours)
            assert channel.receive(timeout=PATIENCE) == b"hello"
            assert channel.local_address == f"udp://127.0.0.1:{ours[1]}"
            assert channel.peer_address == f"udp://127.0.0.1:{peer.getsockname()[1]}"
    with pytest.raises(AddressError):
        blocking.connect("udp://*:9529")


def test_a_refusal_is_told_and_survived() -> None:
    number = _refused_port()
    with blocking.connect(f"udp://127.0.0.1:{number}") as channel:
        channel.send(b"anybody?")
        with pytest.raises(DatagramRefused, match=f"nobody listens at udp://127.0.0.1:{number}"):
            channel.receive(timeout=PATIENCE)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
            late.bind(("127.0.0.1", number))
            late.settimeout(PATIENCE)
            channel.send(b"and now?")
            message, sender = late.recvfrom(100)
            late.sendto(message.upper(), sender)
            assert channel.receive(timeout=PATIENCE) == b"AND NOW?"
        assert channel.statistics().undelivered_messages == 1  # type: ignore[attr-defined]


def test_who_only_sends_is_told_as_well() -> None:
    with blocking.connect(f"udp://127.0.0.1:{_refused_port()}") as channel:
        with pytest.raises(DatagramRefused):
            for _ in range(1000):
                channel.send(b"anybody?")
                select.select([channel], [], [], PATIENCE)


def test_iterating_passes_over_what_was_refused_or_cut() -> None:
    with _channel_and_peer(limit=10) as (channel, peer):
        peer.send(b"much too long")
        peer.send(b"short")
        peer.send(b"end")
        got = []
        for message in channel:
            got.append(message)
            if message == b"end":
                channel.close()
        assert got == [b"short", b"end"]
        assert channel.statistics().truncated_messages == 1


def test_a_cut_datagram_is_told_and_the_next_one_comes() -> None:
    with _channel_and_peer(limit=10) as (channel, peer):
        peer.send(b"exactly 10")
        peer.send(b"exactly ten")
        peer.send(b"next")
        assert channel.receive(timeout=PATIENCE) == b"exactly 10"
        with pytest.raises(DatagramTruncated, match="longer than 10 bytes"):
            channel.receive(timeout=PATIENCE)
        assert channel.receive(timeout=PATIENCE) == b"next"


def test_what_cannot_be_a_datagram_is_refused() -> None:
    with _channel_and_peer() as (channel, _):
        with pytest.raises(MessageTooLarge, match="limit 65507 bytes"):
            channel.send(bytes(65_508))
        with pytest.raises(TextNotBytes):
            channel.send("text")  # type: ignore[arg-type]


def test_time_that_is_over_and_a_second_receiver() -> None:
    with _channel_and_peer() as (channel, peer):
        with pytest.raises(TimeoutError, match="no message came from udp"):
            channel.receive(timeout=0.01)
        peer.send(b"late")
        assert channel.receive(timeout=PATIENCE) == b"late"


@pytest.mark.parametrize("end", ["close", "abort", "end"])
def test_closing_from_another_thread_wakes_the_receiver(end: str) -> None:
    with _channel_and_peer() as (channel, _):
        with InThread(channel.receive) as receiving:
            until(lambda: channel._turns.is_receiving)
            getattr(channel, end)()
            assert isinstance(receiving.outcome(), ChannelClosed)
        assert channel.fileno() == -1
        assert channel.local_address == ""
        until(lambda: channel._port.fileno() == -1)
        with pytest.raises(ChannelClosed):
            channel.send(b"x")
        with pytest.raises(ChannelClosed):
            channel.send_now(b"x")
        assert list(channel) == []


# -- the channel of one sender of many ---------------------------------------------------------------------


@contextmanager
def _sender_and_peer() -> Iterator[tuple[SenderChannel, socket.socket, list[SenderChannel]]]:
    """A channel that is fed by hand, the bare socket it answers, and which channels have gone."""
    gone: list[SenderChannel] = []
    with (
        open_bound(Address.parse("udp://127.0.0.1:0")) as port,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
    ):
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(PATIENCE)
        place = peer.getsockname()
        with SenderChannel(port, port.address_of(place), place, b"", gone.append) as channel:
            yield channel, peer, gone


def test_what_is_handed_over_is_received_and_answered() -> None:
    with _sender_and_peer() as (channel, peer, gone):
        channel.heard(b"one", b"")
        assert channel.receive(timeout=PATIENCE) == b"one"
        with InThread(channel.receive) as receiving:
            until(lambda: channel._turns.is_receiving)
            channel.heard(b"two", b"")
            assert receiving.outcome() == b"two"
        channel.send(b"answer")
        assert peer.recv(100) == b"answer"
        with pytest.raises(TimeoutError):
            channel.receive(timeout=0)
        channel.close()
        channel.close()
        assert gone == [channel]


def test_what_waits_is_bounded_and_the_newest_is_dropped() -> None:
    with _sender_and_peer() as (channel, _, _):
        size = WAITING_BYTES // 4 - MESSAGE_BYTES
        for number in range(5):
            channel.heard(bytes([number]) * size, b"")
        assert (channel.statistics().waiting_messages, channel.statistics().dropped_messages) == (4, 1)
        assert channel.receive() == bytes(size)
        channel.heard(b"small", b"")
        channel.heard(bytes(size), b"")
        assert channel.statistics().dropped_messages == 2
        assert channel.waiting_bytes == 3 * WAITING_BYTES // 4 + 5 + MESSAGE_BYTES


def test_tidings_are_told_once_and_to_whoever_receives() -> None:
    with _sender_and_peer() as (channel, _, _):
        channel.fell_short(DatagramRefused("nobody listens"))
        channel.send(b"x")
        channel.send_now(b"x")
        with pytest.raises(DatagramRefused):
            channel.receive(timeout=0)
        with pytest.raises(TimeoutError):
            channel.receive(timeout=0)
        channel.fell_short(TransportError("no way there"))
        channel.heard(b"message", b"")
        assert channel.receive() == b"message"
        assert channel.statistics().undelivered_messages == 2


def test_the_end_comes_after_the_messages_and_answers_may_still_be_sent() -> None:
    with _sender_and_peer() as (channel, peer, _):
        channel.heard(b"last", b"")
        channel.end_receiving("silent for long")
        assert list(channel) == [b"last"]
        with pytest.raises(ChannelEnded, match="silent for long"):
            channel.receive()
        channel.send(b"still there?")
        assert peer.recv(100) == b"still there?"
        assert channel.fileno() == -1


def test_a_waiting_handler_wakes_when_its_channel_is_shut() -> None:
    with _sender_and_peer() as (channel, _, _):
        with InThread(channel.receive) as receiving:
            until(lambda: channel._turns.is_receiving)
            channel.abort()
            assert isinstance(receiving.outcome(), ChannelClosed)


def test_a_message_that_another_thread_takes_out_by_closing_is_no_failure() -> None:
    class Emptied(deque[bytes]):
        def popleft(self) -> bytes:
            if self:
                channel.close()
                channel.take_unserved()
            return super().popleft()

    with _sender_and_peer() as (channel, _, _):
        channel._messages = Emptied()
        channel.heard(b"one", b"")
        with pytest.raises(ChannelClosed):
            channel.receive(timeout=PATIENCE)
