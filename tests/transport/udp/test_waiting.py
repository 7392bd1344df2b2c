"""Waiting on UDP sockets: time that runs out, a full network, and waking from another thread."""

from __future__ import annotations

import errno
import time
from threading import Thread

import pytest

from lanline.address import Address
from lanline.errors import ChannelClosed
from lanline.transport.udp.datagrams import UdpSocket, open_bound
from lanline.transport.udp.undelivered import Place
from lanline.transport.udp.waiting import receive_within, send_within, wake


def test_a_datagram_is_waited_for_until_the_time_is_over() -> None:
    with open_bound(Address.parse("udp://:0")) as port:
        deadline = time.monotonic() + 0.01
        assert receive_within(port, deadline) is None
        assert time.monotonic() >= deadline
        assert send_within(port, b"to myself", port.sock.getsockname(), b"", 0.0)
        received = receive_within(port, None)
        assert received is not None
        assert received.message == b"to myself"


def test_a_full_network_is_waited_for_or_not() -> None:
    class Full:
        """A socket of a machine whose network takes nothing at first; it counts the tries."""

        def __init__(self, *errors: int) -> None:
            self.errors = list(errors)
            self.waits = 0

        def send(self, message: bytes, to: Place | None = None, came_to: bytes = b"") -> None:
            """As UdpSocket.send, full as often as it was told."""
            if self.errors:
                raise BlockingIOError(self.errors.pop(0), "full")

        def wait(self, timeout: float | None, *, to_send: bool = False) -> bool:
            """As UdpSocket.wait."""
            assert to_send
            self.waits += 1
            return True

    full = Full(errno.EAGAIN, errno.ENOBUFS, errno.EAGAIN)
    assert send_within(full, b"x", None, b"", None)  # type: ignore[arg-type]
    assert full.waits == 2, "poll does not tell when the card's queue has room again"
    full = Full(errno.EAGAIN)
    assert not send_within(full, b"x", None, b"", 0.0)  # type: ignore[arg-type]
    assert full.waits == 0


def test_a_bound_socket_can_be_woken() -> None:
    with open_bound(Address.parse("udp://:0")) as port:
        waiting = Thread(target=_receive_once, args=(port,))
        waiting.start()
        wake(port)
        waiting.join(10)
        assert not waiting.is_alive()


def _receive_once(port: UdpSocket) -> None:
    receive_within(port, None)


def test_sending_through_a_socket_that_is_over_says_that_it_is_closed() -> None:
    with open_bound(Address.parse("udp://127.0.0.1:0")) as port:
        wake(port)
        with pytest.raises(ChannelClosed):
            send_within(port, b"x", port.sock.getsockname(), b"", None)
