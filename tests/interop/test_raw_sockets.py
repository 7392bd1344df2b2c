"""Bare blocking sockets, in both roles, over TCP and Unix sockets, against channels with and without asyncio."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest

from lanline import Framing, LengthPrefixed, Lines, Netstring, Raw
from tests.interop.conversation import Meeting, read, read_to_end


@pytest.fixture(params=["tcp", "unix"])
def scheme(request: pytest.FixtureRequest) -> str:
    """What carries the bytes."""
    return str(request.param)


@pytest.fixture
def meeting(request: pytest.FixtureRequest, scheme: str, home: Path) -> Meeting:
    """Each way in which a bare socket and a channel can meet."""
    is_async, is_server = request.param
    return Meeting(is_async, is_server, scheme, home)


EACH_WAY = pytest.mark.parametrize(
    "meeting",
    [
        pytest.param((True, True), id="asyncio-serves"),
        pytest.param((True, False), id="asyncio-connects"),
        pytest.param((False, True), id="blocking-serves"),
        pytest.param((False, False), id="blocking-connects"),
    ],
    indirect=True,
)


@EACH_WAY
def test_a_peer_that_has_ended_its_half_still_gets_the_answers(meeting: Meeting) -> None:
    def peer(sock: socket.socket) -> bytes:
        sock.sendall(b"one\ntwo\n")
        sock.shutdown(socket.SHUT_WR)
        return read_to_end(sock)

    answers, seen = meeting.hold(Lines(), peer)
    assert answers == b"ONE\nTWO\n"
    assert seen.messages == [b"one", b"two"]
    assert seen.ended_by == "ChannelEnded"


@EACH_WAY
def test_a_character_that_is_split_over_two_segments_comes_whole(meeting: Meeting) -> None:
    text = "猫 und Grüße"
    whole = text.encode() + b"\n"

    def peer(sock: socket.socket) -> bytes:
        sock.sendall(b"first\n" + whole[:2])
        read(sock, 6)  # the answer to the first line: what came with it has been read, too
        sock.sendall(whole[2:])
        sock.shutdown(socket.SHUT_WR)
        return read_to_end(sock)

    answer, seen = meeting.hold(Lines(), peer)
    assert seen.messages[1].decode() == text
    assert answer.count(b"\n") == 1


GLUED: list[tuple[Framing, bytes]] = [
    (Lines(), b"one\n\nthree\n"),
    (Lines(b"\r\n"), b"one\r\n\r\nthree\r\n"),
    (LengthPrefixed(2), b"\0\3one\0\0\0\5three"),
    (Netstring(), b"3:one,0:,5:three,"),
]


@EACH_WAY
@pytest.mark.parametrize(("framing", "glued"), GLUED, ids=["lines", "crlf", "length", "netstring"])
def test_messages_that_come_glued_together_are_told_apart(meeting: Meeting, framing: Framing, glued: bytes) -> None:
    def peer(sock: socket.socket) -> bytes:
        sock.sendall(glued)
        sock.shutdown(socket.SHUT_WR)
        return read_to_end(sock)

    answers, seen = meeting.hold(framing, peer)
    assert seen.messages == [b"one", b"", b"three"]
    assert answers == glued.upper()


@EACH_WAY
def test_messages_that_come_byte_by_byte_are_put_together(meeting: Meeting) -> None:
    def peer(sock: socket.socket) -> bytes:
        for byte in b"one\ntwo\n":
            sock.sendall(bytes([byte]))
        sock.shutdown(socket.SHUT_WR)
        return read_to_end(sock)

    answers, seen = meeting.hold(Lines(), peer)
    assert seen.messages == [b"one", b"two"]
    assert answers == b"ONE\nTWO\n"


@EACH_WAY
def test_raw_loses_no_byte_whatever_the_pieces(meeting: Meeting) -> None:
    sent = bytes(range(256)) * 2000

    def peer(sock: socket.socket) -> bytes:
        received = b""
        for start in range(0, len(sent), 50_000):
            sock.sendall(sent[start : start + 50_000])
            received += read(sock, len(sent[start : start + 50_000]))
        sock.shutdown(socket.SHUT_WR)
        return received + read_to_end(sock)

    answers, seen = meeting.hold(Raw(), peer)
    assert b"".join(seen.messages) == sent
    assert answers == sent.upper()


@EACH_WAY
def test_a_peer_that_vanishes_within_a_message_is_not_one_that_has_finished(meeting: Meeting) -> None:
    def peer(sock: socket.socket) -> None:
        sock.sendall(b"one\n")
        read(sock, 4)
        sock.sendall(b"half")

    _, seen = meeting.hold(Lines(), peer)
    assert seen.messages == [b"one"]
    assert seen.ended_by == "EndedInMessage"


@EACH_WAY
@pytest.mark.parametrize("scheme", ["tcp"])
def test_a_peer_that_is_cut_off_is_told_as_a_reset(meeting: Meeting) -> None:
    def peer(sock: socket.socket) -> None:
        sock.sendall(b"one\n")
        read(sock, 4)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with a RST

    _, seen = meeting.hold(Lines(), peer)
    assert seen.messages == [b"one"]
    assert seen.ended_by == "ChannelReset"


@EACH_WAY
def test_a_peer_that_speaks_something_else_ends_in_an_error_that_names_the_limit(meeting: Meeting) -> None:
    def peer(sock: socket.socket) -> None:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert _ends(sock)

    _, seen = meeting.hold(LengthPrefixed(), peer)
    assert seen.messages == []
    assert seen.ended_by == "MessageTooLarge"


@EACH_WAY
def test_both_sides_know_both_addresses(meeting: Meeting) -> None:
    def peer(sock: socket.socket) -> tuple[object, object]:
        names = sock.getsockname(), sock.getpeername()
        sock.shutdown(socket.SHUT_WR)
        read_to_end(sock)
        return names

    (own, other), seen = meeting.hold(Lines(), peer)
    if isinstance(own, tuple) and isinstance(other, tuple):
        assert seen.peer_address == f"tcp://127.0.0.1:{own[1]}"
        assert seen.local_address == f"tcp://127.0.0.1:{other[1]}"
    else:
        assert str(own or other) in seen.peer_address + seen.local_address


def _ends(sock: socket.socket) -> bool:
    """Whether the other side closes, however it does."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True
