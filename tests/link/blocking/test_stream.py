"""The blocking channel over streams, against bare sockets: how messages lie, what breaks, time that runs out."""

from __future__ import annotations

import errno
import select
import socket
from pathlib import Path

import pytest

from lanline.errors import (
    BufferFull,
    ChannelBroken,
    ChannelClosed,
    ChannelEnded,
    ChannelReset,
    EndedInMessage,
    MessageTooLarge,
    PeerSilent,
    PipeBroken,
    ShortSend,
    TextNotBytes,
    UsageError,
)
from lanline.framing.length import LengthPrefixed
from lanline.framing.lines import Lines
from lanline.framing.raw import Raw
from lanline.limits import LAN
from lanline.link.blocking.stream import StreamChannel
from lanline.services.clock.questions import Questions
from lanline.transport.wire import PlainWire

from .bare import PATIENCE, InThread, channel_and_peer, read_all, reset, until

LARGE = 16 * 1024 * 1024
"""More bytes than the kernel takes from a sender while nobody reads."""


@pytest.fixture(params=["tcp", "unix"])
def stream(request: pytest.FixtureRequest, home: Path) -> str:
    """Where the peer listens: each kind of stream in turn."""
    return {"tcp": "tcp://127.0.0.1:0", "unix": f"unix://{home}/s"}[request.param]


def test_messages_go_both_ways_until_the_peer_closes(stream: str) -> None:
    with channel_and_peer(stream) as (channel, peer):
        channel.send(b"hi")
        assert peer.recv(100) == b"hi\n"
        peer.sendall(b"one\ntwo\n")
        peer.close()
        assert list(channel) == [b"one", b"two"]
        assert isinstance(channel.ended_by, ChannelEnded)
        with pytest.raises(ChannelEnded):
            channel.receive(timeout=PATIENCE)
        assert list(channel) == []


def test_a_message_that_only_the_end_completes_is_handed_over_before_the_end(stream: str) -> None:
    with channel_and_peer(stream, framing=Questions()) as (channel, peer):
        peer.sendall(b"one\ntwo")
        peer.close()
        assert list(channel) == [b"one", b"two"]
        assert isinstance(channel.ended_by, ChannelEnded)
        assert channel.statistics().received_messages == 2


def test_glued_messages_are_taken_apart_and_a_character_in_two_segments_is_put_together() -> None:
    with channel_and_peer() as (channel, peer):
        line = "你好, 服务器".encode()
        peer.sendall(b"one\ntwo\nthree\n" + line[:1])
        assert [channel.receive(timeout=PATIENCE) for _ in range(3)] == [b"one", b"two", b"three"]
        with pytest.raises(TimeoutError):
            channel.receive(timeout=0)
        peer.sendall(line[1:4])
        peer.sendall(line[4:] + b"\n")
        assert channel.receive(timeout=PATIENCE) == line


def test_a_reset_is_told_after_what_came_before_it() -> None:
    with channel_and_peer() as (channel, peer):
        peer.sendall(b"last words\n")
        assert channel.receive(timeout=PATIENCE) == b"last words"
        reset(peer)
        with pytest.raises(ChannelReset):
            channel.receive(timeout=PATIENCE)
        assert isinstance(channel.ended_by, ChannelReset)
        assert channel.is_gone
        with pytest.raises(ChannelReset):
            channel.send(b"anybody?")


def test_sending_to_a_peer_that_has_closed_breaks_the_pipe(stream: str) -> None:
    with channel_and_peer(stream) as (channel, peer):
        peer.close()
        with pytest.raises(ChannelEnded):
            channel.receive(timeout=PATIENCE)
        with pytest.raises(PipeBroken):
            for _ in range(1000):
                channel.send(b"anybody?")
                select.select([], [channel], [], PATIENCE)
        assert isinstance(channel.ended_by, ChannelEnded)


def test_what_the_peer_said_before_it_closed_is_received_after_a_broken_pipe() -> None:
    with channel_and_peer() as (channel, peer):
        peer.sendall(b"I close\n")
        peer.close()
        with pytest.raises(ChannelBroken):
            for _ in range(1000):
                channel.send(b"anybody?")
        assert channel.receive(timeout=PATIENCE) == b"I close"
        with pytest.raises(ChannelBroken):
            channel.receive(timeout=PATIENCE)


def test_a_peer_that_confirms_nothing_is_silent() -> None:
    class Unplugged(PlainWire):
        """The kernel's answer when keep-alive or TCP_USER_TIMEOUT has given a peer up."""

        def receive_now(self) -> bytes | None:
            raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    ours, theirs = socket.socketpair()
    with theirs, StreamChannel(Unplugged(ours), Raw(), "tcp://pc7:9000", LAN) as channel:
        theirs.sendall(b"x")
        with pytest.raises(PeerSilent, match="pc7:9000 no longer answers"):
            channel.receive(timeout=PATIENCE)


def test_a_half_closed_channel_still_receives(stream: str) -> None:
    with channel_and_peer(stream) as (channel, peer):
        channel.send(b"question")
        channel.end()
        channel.end()
        assert read_all(peer) == b"question\n"
        with pytest.raises(ChannelClosed, match="ended its half"):
            channel.send(b"one more")
        peer.sendall(b"answer\n")
        assert channel.receive(timeout=PATIENCE) == b"answer"
        assert not channel.is_gone
        peer.close()
        assert list(channel) == []
        assert channel.is_gone


def test_a_half_closed_peer_still_gets_answers(stream: str) -> None:
    with channel_and_peer(stream) as (channel, peer):
        peer.sendall(b"question\n")
        peer.shutdown(socket.SHUT_WR)
        assert list(channel) == [b"question"]
        channel.send(b"answer")
        assert peer.recv(100) == b"answer\n"


def test_a_peer_that_vanishes_in_a_message_is_told_after_the_whole_ones(stream: str) -> None:
    with channel_and_peer(stream) as (channel, peer):
        peer.sendall(b"whole\nhal")
        peer.close()
        assert channel.receive(timeout=PATIENCE) == b"whole"
        with pytest.raises(EndedInMessage) as caught:
            channel.receive(timeout=PATIENCE)
        assert caught.value.kept_bytes == 3
        with pytest.raises(EndedInMessage):
            list(channel)


def test_a_message_over_the_limit_ends_the_channel_after_those_before_it() -> None:
    with channel_and_peer(framing=LengthPrefixed(max_message_bytes=10)) as (channel, peer):
        peer.sendall(b"\0\0\0\2hi\0\0\0\x0bmuch too long")
        assert channel.receive(timeout=PATIENCE) == b"hi"
        with pytest.raises(MessageTooLarge):
            channel.receive(timeout=PATIENCE)
        with pytest.raises(ChannelBroken, match="limit 10 bytes"):
            channel.send(b"sorry")
        with pytest.raises(MessageTooLarge):
            channel.send(b"longer than that")
        assert channel.is_gone


def test_time_that_is_over_loses_no_message() -> None:
    with channel_and_peer() as (channel, peer):
        for timeout in (0, 0.01):
            with pytest.raises(TimeoutError, match="no message came from tcp"):
                channel.receive(timeout=timeout)
        peer.sendall(b"hal")
        with pytest.raises(TimeoutError):
            channel.receive(timeout=0.01)
        peer.sendall(b"f and half\n")
        assert channel.receive(timeout=PATIENCE) == b"half and half"


def test_the_rest_of_a_short_send_goes_first_with_the_next(stream: str) -> None:
    with channel_and_peer(stream, LengthPrefixed(max_message_bytes=LARGE)) as (channel, peer):
        message = bytes(LARGE)
        with pytest.raises(ShortSend) as caught:
            channel.send(message, timeout=0.05)
        assert 0 < caught.value.sent_bytes < caught.value.size_bytes == LARGE + 4
        with pytest.raises(TimeoutError, match="took none of this message") as none:
            channel.send(b"not begun", timeout=0.01)
        assert not isinstance(none.value, ShortSend)
        with pytest.raises(ShortSend):
            channel.flush(timeout=0.01)
        with InThread(lambda: read_all(peer)) as reading:
            channel.send(b"next", timeout=PATIENCE)
            channel.end()
        sizes = LARGE.to_bytes(4, "big"), (4).to_bytes(4, "big")
        assert reading.outcome() == sizes[0] + message + sizes[1] + b"next"
        assert channel.statistics().sent_messages == 2
        assert channel.statistics().sent_bytes == LARGE + 4 + 8


def test_flush_sends_what_was_left() -> None:
    with channel_and_peer(framing=Raw()) as (channel, peer):
        channel.flush(timeout=0)
        with pytest.raises(ShortSend):
            channel.send(bytes(LARGE), timeout=0.05)
        with InThread(lambda: read_all(peer)) as reading:
            channel.flush(timeout=PATIENCE)
            channel.end()
        assert reading.outcome() == bytes(LARGE)


def test_the_rest_of_a_message_goes_out_while_this_side_receives() -> None:
    with channel_and_peer(framing=Raw()) as (channel, peer):
        with pytest.raises(ShortSend):
            channel.send(bytes(LARGE), timeout=0.05)

        def answer_once_all_is_there() -> None:
            left = LARGE
            while left:
                left -= len(peer.recv(left))
            peer.sendall(b"got it")

        with InThread(answer_once_all_is_there):
            assert channel.receive(timeout=PATIENCE) == b"got it"


def test_sending_without_waiting_says_when_the_peer_takes_nothing(stream: str) -> None:
    with channel_and_peer(stream, Raw()) as (channel, peer):
        sent = 0
        with pytest.raises(BufferFull, match="1024 bytes were not sent"):
            while sent < LARGE:
                channel.send_now(bytes(1024))
                sent += 1024
        assert channel.statistics().sent_messages == sent // 1024
        with InThread(lambda: read_all(peer)) as reading:
            channel.flush(timeout=PATIENCE)
            channel.end()
        assert reading.outcome() == bytes(sent)


def test_another_thread_that_waits_to_send_is_a_full_buffer() -> None:
    with channel_and_peer(framing=Raw()) as (channel, peer):
        with InThread(lambda: channel.send(bytes(LARGE))) as sending:
            until(lambda: channel.statistics().sent_bytes)
            with pytest.raises(BufferFull, match="another thread is sending"):
                channel.send_now(b"me too")
            with pytest.raises(TimeoutError, match="another thread was sending"):
                channel.send(b"me too", timeout=0.01)
            with InThread(lambda: read_all(peer)) as reading:
                assert sending.outcome() is None
                channel.end()
            assert reading.outcome() == bytes(LARGE)


@pytest.mark.parametrize("end", ["close", "abort"])
def test_closing_from_another_thread_wakes_the_receiver(stream: str, end: str) -> None:
    with channel_and_peer(stream) as (channel, peer):
        with InThread(channel.receive) as receiving:
            until(lambda: channel._turns.is_receiving)
            getattr(channel, end)()
            assert isinstance(receiving.outcome(), ChannelClosed)
        assert isinstance(channel.ended_by, ChannelClosed)
        assert channel.fileno() == -1
        until(lambda: channel._wire.fileno() == -1)  # type: ignore[attr-defined]
        assert read_all(peer) == b""


def test_aborting_from_another_thread_wakes_the_sender() -> None:
    with channel_and_peer(framing=Raw()) as (channel, _):
        with InThread(lambda: channel.send(bytes(LARGE))) as sending:
            until(lambda: channel.statistics().sent_bytes)
            channel.abort()
            assert isinstance(sending.outcome(), ChannelClosed)


def test_closing_lets_out_what_another_thread_is_sending() -> None:
    with channel_and_peer(framing=Raw()) as (channel, peer):
        with InThread(lambda: channel.send(bytes(LARGE))) as sending:
            until(lambda: channel.statistics().sent_bytes)
            with InThread(channel.close):
                assert read_all(peer) == bytes(LARGE)
            assert sending.outcome() is None


def test_closing_lets_out_what_was_left_unsent_but_not_for_ever() -> None:
    ours, theirs = socket.socketpair()
    channel = StreamChannel(PlainWire(ours), Raw(), "x", LAN._replace(drain=0.05))
    with theirs:
        with pytest.raises(ShortSend):
            channel.send(bytes(LARGE), timeout=0.01)
        channel.close()
        assert 0 < len(read_all(theirs)) < LARGE


def test_what_was_not_received_does_not_turn_the_end_into_a_reset() -> None:
    with channel_and_peer() as (channel, peer):
        peer.sendall(b"more than is wanted\n" * 10_000)
        assert channel.receive(timeout=PATIENCE) == b"more than is wanted"
        channel.send(b"enough")
        channel.close()
        assert read_all(peer) == b"enough\n"
        (state,) = peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        assert state == 8, "TCP_CLOSE_WAIT (linux/tcp_states.h): after a reset it would be 7, TCP_CLOSE"


def test_messages_of_many_threads_stay_whole() -> None:
    with channel_and_peer() as (channel, peer):
        words = [str(index).encode() * 1000 for index in range(8)]

        def say(word: bytes) -> None:
            for _ in range(100):
                channel.send(word)

        with InThread(lambda: read_all(peer)) as reading:
            calls = [InThread(lambda word=word: say(word)) for word in words]  # type: ignore[misc]
            for call in calls:
                call.__enter__()
            assert [call.outcome() for call in calls] == [None] * 8
            channel.end()
        received = reading.outcome()
        assert isinstance(received, bytes)
        assert sorted(received.splitlines()) == sorted(words * 100)


def test_what_cannot_be_sent_is_refused_and_harms_nothing() -> None:
    with channel_and_peer() as (channel, peer):
        with pytest.raises(TextNotBytes, match="encode"):
            channel.send("text")  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="byte 3"):
            channel.send(b"two\nlines")
        channel.send(b"one line")
        assert peer.recv(100) == b"one line\n"


def test_after_closing_nothing_can_be_used() -> None:
    with channel_and_peer() as (channel, _):
        channel.close()
        channel.close()
        channel.abort()
        for call in (channel.receive, lambda: channel.send(b"x"), lambda: channel.send_now(b"x")):
            with pytest.raises(ChannelClosed):
                call()
        channel.end()
        channel.flush()
        assert list(channel) == []


def test_a_channel_can_be_selected() -> None:
    with channel_and_peer() as (channel, peer):
        assert select.select([channel], [], [], 0) == ([], [], [])
        peer.sendall(b"one\ntwo\n")
        assert select.select([channel], [], [], PATIENCE)[0] == [channel]
        assert channel.receive(timeout=0) == b"one"
        assert channel.statistics().waiting_messages == 1
        assert channel.receive(timeout=0) == b"two"


def test_both_ends_have_names_and_figures() -> None:
    with channel_and_peer() as (channel, peer):
        host, port = peer.getpeername()
        assert channel.local_address == f"tcp://{host}:{port}"
        assert channel.peer_address == f"tcp://127.0.0.1:{peer.getsockname()[1]}"
        assert repr(channel) == f"<StreamChannel lines {channel.peer_address} open>"
        channel.send(b"hello")
        peer.sendall(b"hi\n")
        assert channel.receive(timeout=PATIENCE) == b"hi"
        figures = channel.statistics()
        assert (figures.sent_messages, figures.sent_bytes) == (1, 6)
        assert (figures.received_messages, figures.received_bytes) == (1, 3)
        assert channel.ended_by is None


def test_lines_may_end_as_the_peer_likes() -> None:
    with channel_and_peer(framing=Lines(strip_cr=True)) as (channel, peer):
        peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert [channel.receive(timeout=PATIENCE) for _ in range(2)] == [b"GET / HTTP/1.1", b""]
