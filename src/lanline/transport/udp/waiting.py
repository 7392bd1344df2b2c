"""Waiting on a UDP socket without an event loop: for room to send, for a datagram, until another thread closes.

Source: udp(7); poll(2).
"""

from __future__ import annotations

import errno
import socket
import time
from typing import Final

from lanline.errors import ChannelClosed, TransportError
from lanline.translation import _
from lanline.transport.udp.udpsocket import Received, UdpSocket
from lanline.transport.udp.undelivered import Place

_REST: Final = 0.002
"""Seconds to wait after ENOBUFS: the network card's queue is full, and `poll` does not tell when it is no more."""


def send_within(port: UdpSocket, message: bytes, to: Place | None, came_to: bytes, deadline: float | None) -> bool:
    """Sends one datagram.

    Args:
        port, message, to, came_to: as for `UdpSocket.send`.
        deadline: on the monotonic clock, 0.0 not to wait; None for ever.

    Returns:
        False when the system took none before the time was over.

    Raises:
        LanlineError: as `UdpSocket.send` does.
    """
    while True:
        try:
            port.send(message, to, came_to)
            return True
        except BlockingIOError as error:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            if error.errno == errno.ENOBUFS:
                time.sleep(_REST)
            else:
                port.wait(left, to_send=True)
        except TransportError as error:
            if port.is_over:  # what sending after `wake` fails with says nothing of the datagram
                raise ChannelClosed(_("this side has closed the socket already")) from error
            raise


def receive_within(port: UdpSocket, deadline: float | None) -> Received | None:
    """Waits for one datagram.

    Args:
        port: to receive from.
        deadline: on the monotonic clock; None for ever.

    Returns:
        None when the time was over, or after `wake`; some systems then give a datagram that nobody sent.

    Raises:
        LanlineError: as `UdpSocket.receive` does.
    """
    while True:
        is_ready = port.wait(None if deadline is None else deadline - time.monotonic())
        try:
            return port.receive()
        except BlockingIOError:
            if not is_ready or port.is_over:
                return None


def wake(port: UdpSocket) -> None:
    """Wakes whoever waits for this socket, in this thread or in another; it is of no use any more."""
    port.is_over = True  # before the wake-up: Linux says "readable" from then on, and gives nothing
    try:
        port.sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # ENOTCONN: a bound socket has no peer, and Linux wakes those who wait all the same
