"""A stream without an event loop: what it takes and gives at once, and what wakes a wait."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from threading import Thread

import pytest

from lanline.transport.wire import PlainWire, wait

Pair = tuple[PlainWire, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A wire, and the socket at its other end."""
    ours, theirs = socket.socketpair()
    wire = PlainWire(ours)
    with theirs:
        yield wire, theirs
    wire.close()


def test_nothing_yet_is_not_the_end(pair: Pair) -> None:
    wire, peer = pair
    assert wire.receive_now() is None
    peer.send(b"hi")
    assert wire.receive_now() == b"hi"
    peer.close()
    assert wire.receive_now() == b""


def test_what_the_system_does_not_take_is_told(pair: Pair) -> None:
    wire, _ = pair
    data = bytes(8 * 1024 * 1024)
    taken = wire.send_now(data)
    assert 0 < taken < len(data)
    assert wire.send_now(data) == 0
    assert wire.flush_now()
    assert wire.unsent_bytes == 0


def test_a_wait_ends_when_its_time_is_over_and_not_before(pair: Pair) -> None:
    wire, _ = pair
    deadline = time.monotonic() + 0.0123
    assert not wait(wire, deadline, to_receive=True)
    assert time.monotonic() >= deadline
    assert not wait(wire, deadline, to_receive=True)
    assert wait(wire, deadline, to_send=True)


@pytest.mark.parametrize("how", ["shut", "shut_receiving"])
def test_shutting_wakes_who_waits(pair: Pair, how: str) -> None:
    wire, peer = pair
    waiting = Thread(target=wait, args=(wire, None), kwargs={"to_receive": True})
    waiting.start()
    getattr(wire, how)()
    waiting.join(10)
    assert not waiting.is_alive()
    assert wire.receive_now() == b""
    if how == "shut_receiving":
        assert wire.send_now(b"still") == 5
        wire.end()
        assert peer.recv(100) == b"still"
    assert peer.recv(100) == b""


def test_ending_a_stream_that_is_gone_is_no_error(pair: Pair) -> None:
    wire, peer = pair
    peer.close()
    wire.shut()
    wire.end()
    wire.close()
    wire.close()
    assert wire.fileno() == -1
