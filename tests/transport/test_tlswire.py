"""TLS without an event loop: handshakes, streams read and written by two threads, goodbyes and missing ones."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from lanline.transport.tlswire import TlsWire
from lanline.transport.wire import wait

from .certificates import HUB, Room


@contextmanager
def _wires(room: Room) -> Iterator[tuple[TlsWire, TlsWire]]:
    """Both ends, their handshake done: connecting, accepting."""
    ours, theirs = socket.socketpair()
    connecting = TlsWire(ours, room.connecting(), server_name=HUB)
    accepting = TlsWire(theirs, room.accepting(), is_serving=True)
    deadline = time.monotonic() + 10
    thread = Thread(target=accepting.shake_hands, args=(deadline,))
    thread.start()
    connecting.shake_hands(deadline)
    thread.join()
    try:
        yield connecting, accepting
    finally:
        connecting.close()
        accepting.close()


def _read(wire: TlsWire, size: int) -> bytes:
    pieces = []
    while size > 0:
        data = wire.receive_now()
        if data is None:
            assert wait(wire, time.monotonic() + 10, to_receive=True, to_send=wire.unsent_bytes > 0)
            wire.flush_now()
        elif data:
            pieces.append(data)
            size -= len(data)
        else:
            break
    return b"".join(pieces)


def _send(wire: TlsWire, data: bytes) -> None:
    rest = memoryview(data)
    while rest or not wire.flush_now():
        rest = rest[wire.send_now(rest) :]
        if rest:
            assert wait(wire, time.monotonic() + 10, to_send=True)


def test_both_directions_flow_at_once_from_several_threads(room: Room) -> None:
    size = 3 * 1024 * 1024
    with _wires(room) as (ours, theirs):
        got: dict[str, bytes] = {}
        threads = [
            Thread(target=_send, args=(ours, b"a" * size)),
            Thread(target=_send, args=(theirs, b"b" * size)),
            Thread(target=lambda: got.update(theirs=_read(theirs, size))),
            Thread(target=lambda: got.update(ours=_read(ours, size))),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert got == {"theirs": b"a" * size, "ours": b"b" * size}


def test_all_that_was_decrypted_is_given_at_once(room: Room) -> None:
    # What lies decrypted on this side is nothing that poll would tell of.
    with _wires(room) as (ours, theirs):
        assert ours.send_now(bytes(50_000)) == 50_000
        assert len(_read(theirs, 50_000)) == 50_000
        assert theirs.receive_now() is None


def test_what_came_together_with_the_end_of_the_handshake_is_not_waited_for(room: Room) -> None:
    with _wires(room) as (ours, theirs):
        ours.send_now(b"at once")
        assert wait(theirs, time.monotonic() + 10, to_receive=True)
        theirs._take_in()  # as the last step of a handshake does, whose segment has more in it
        assert theirs.has_received
        assert wait(theirs, None, to_receive=True)
        assert theirs.receive_now() == b"at once"
        assert not theirs.has_received


def test_what_waits_on_this_side_is_bounded_and_counted(room: Room) -> None:
    with _wires(room) as (ours, theirs):
        data = bytes(8 * 1024 * 1024)
        taken = ours.send_now(data)
        assert 0 < taken < len(data)
        assert 0 < ours.unsent_bytes < 70_000
        assert not ours.flush_now()
        assert ours.send_now(data) == 0
        assert len(_read(theirs, 1)) > 0


def test_the_goodbye_of_one_side_is_the_end_for_the_other(room: Room) -> None:
    with _wires(room) as (ours, theirs):
        ours.send_now(b"last words")
        ours.end()
        assert _read(theirs, 100) == b"last words"
        assert theirs.receive_now() == b""
        assert not ours.can_half_close


def test_an_end_without_goodbye_is_an_end(room: Room) -> None:
    with _wires(room) as (ours, theirs):
        ours.send_now(b"cut")
        ours.shut()
        assert _read(theirs, 100) == b"cut"
        assert theirs.receive_now() == b""


def test_bytes_that_are_no_tls_break_the_stream_after_what_came_before(room: Room) -> None:
    with _wires(room) as (ours, theirs):
        ours.send_now(b"before")
        ours.sock.send(b"garbage that is no record")
        assert _read(theirs, 6) == b"before"
        for _ in range(2):
            with pytest.raises(ssl.SSLError):
                while theirs.receive_now() is None:
                    assert wait(theirs, time.monotonic() + 10, to_receive=True)


def test_a_handshake_ends_in_time_and_tells_a_stranger_why(room: Room) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        wire = TlsWire(ours, room.connecting(), server_name=HUB)
        with pytest.raises(TimeoutError):
            wire.shake_hands(time.monotonic() + 0.02)
        theirs.sendall(b"220 mail.example ESMTP\r\n")
        with pytest.raises(ssl.SSLError):
            wire.shake_hands(time.monotonic() + 10)
        wire.close()


def test_another_name_is_refused_and_the_peer_is_told(room: Room) -> None:
    ours, theirs = socket.socketpair()
    connecting = TlsWire(ours, room.connecting(), server_name="other.lab.lanline.internal")
    accepting = TlsWire(theirs, room.accepting(), is_serving=True)
    failed: list[OSError] = []

    def accept() -> None:
        try:
            accepting.shake_hands(time.monotonic() + 10)
        except OSError as error:
            failed.append(error)

    thread = Thread(target=accept)
    thread.start()
    with pytest.raises(ssl.SSLCertVerificationError):
        connecting.shake_hands(time.monotonic() + 10)
    thread.join(10)
    assert "ALERT" in str(failed[0])
    connecting.close()
    accepting.close()
