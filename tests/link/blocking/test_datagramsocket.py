"""A blocking UDP socket of one's own: anybody in, anybody out, errors told and survived, closing from elsewhere."""

from __future__ import annotations

import socket
import time

import pytest

from lanline.address import Address
from lanline.errors import (
    AddressError,
    ChannelClosed,
    DatagramRefused,
    DatagramTruncated,
    ListenFailed,
    LocalProtocolError,
    TextNotBytes,
    UsageError,
)
from lanline.link import blocking

from .bare import PATIENCE, InThread, until


def test_two_sockets_talk_and_senders_are_addresses() -> None:
    with blocking.bind("udp://127.0.0.1:0") as one, blocking.bind("udp://127.0.0.1:0") as other:
        before = time.time_ns()
        one.send(b"hello", other.address)
        datagram = other.receive(timeout=PATIENCE)
        assert (datagram.message, datagram.sender) == (b"hello", one.address)
        assert before <= datagram.received_ns <= time.time_ns()
        other.send(b"", str(datagram.sender))
        assert one.receive(timeout=PATIENCE).message == b""
        assert one.statistics().sent_bytes == 5
        assert other.statistics().received_messages == 1
        assert repr(one) == f"<DatagramSocket {one.address} open>"


def test_an_answer_leaves_from_the_address_that_was_asked() -> None:
    with blocking.bind("udp://*:0") as everywhere, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(PATIENCE)
        asker.connect(("127.0.0.7", everywhere.address.port))  # hears 127.0.0.7 alone
        asker.send(b"who are you?")
        datagram = everywhere.receive(timeout=PATIENCE)
        everywhere.send(b"the one you asked", datagram.sender)
        assert asker.recv(100) == b"the one you asked"
        assert everywhere.address.is_every_interface


def test_what_was_cut_or_refused_is_told_with_its_peer_and_the_socket_goes_on() -> None:
    with blocking.bind("udp://127.0.0.1:0", max_datagram_bytes=10) as one, blocking.bind("udp://:0") as other:
        other.send(b"exactly ten", one.address)
        with pytest.raises(DatagramTruncated) as cut:
            one.receive(timeout=PATIENCE)
        assert cut.value.sender == str(other.address)
        gone = other.address
        other.close()
        one.send(b"anybody?", gone)
        with pytest.raises(DatagramRefused, match=str(gone)):
            one.receive(timeout=PATIENCE)
        one.send(b"myself", one.address)
        assert one.receive(timeout=PATIENCE).sender == one.address
        assert (one.statistics().truncated_messages, one.statistics().undelivered_messages) == (1, 1)


def test_iterating_passes_over_tidings_and_ends_when_another_thread_closes() -> None:
    with blocking.bind("udp://:0", max_datagram_bytes=3) as one:
        got: list[bytes] = []

        def collect() -> None:
            got.extend(datagram.message for datagram in one)

        with InThread(collect) as collecting:
            for message in (b"one", b"three", b"two"):
                one.send(message, one.address)
            until(lambda: len(got) == 2)
            until(lambda: one._turns.is_receiving)
            one.close()
            assert collecting.outcome() is None
        assert got == [b"one", b"two"]


def test_closing_from_another_thread_wakes_the_receiver_and_gives_the_port_back() -> None:
    with blocking.bind("udp://:0") as one:
        with InThread(one.receive) as receiving:
            until(lambda: one._turns.is_receiving)
            with pytest.raises(LocalProtocolError):
                one.receive(timeout=0)
            one.close()
            one.close()
            assert isinstance(receiving.outcome(), ChannelClosed)
        assert one.fileno() == -1
        with pytest.raises(ChannelClosed):
            one.send(b"x", one.address)
        with pytest.raises(ChannelClosed):
            one.receive(timeout=0)
        with blocking.bind(one.address) as again:
            assert again.address == one.address


def test_time_that_is_over() -> None:
    with blocking.bind("udp://:0") as one, pytest.raises(TimeoutError, match="no datagram came to udp"):
        one.receive(timeout=0.01)


def test_a_second_server_does_not_bind_in_silence() -> None:
    with blocking.bind("udp://:0") as one, pytest.raises(ListenFailed, match="in use"):
        blocking.bind(one.address)


def test_mistakes_are_said() -> None:
    with blocking.bind("udp://:0") as one:
        with pytest.raises(TextNotBytes):
            one.send("text", one.address)  # type: ignore[arg-type]
        with pytest.raises(AddressError):
            one.send(b"x", "tcp://127.0.0.1:9")
        with pytest.raises(AddressError):
            one.send(b"x", Address("udp", "*", 9))
    with pytest.raises(AddressError, match="udp"):
        blocking.bind("tcp://:0")
    with pytest.raises(UsageError):
        blocking.bind("udp://:0", max_datagram_bytes=0)
