"""Options every TCP connection of lanline gets, on both sides, accepted or connected.

It sets options and nothing else. Small answers must not wait for Nagle's algorithm; a peer whose power went
must be found out by the kernel too, so that a bare channel without pings does not hang for two hours.

Source: tcp(7).
"""

from __future__ import annotations

import socket
from typing import Final

USER_TIMEOUT_MS: Final = 30_000
"""Sent data not confirmed for this long ends the connection (trust.md: 30 s stalled)."""

KEEPALIVE_IDLE_S: Final = 30
KEEPALIVE_INTERVAL_S: Final = 5
KEEPALIVE_PROBES: Final = 3
"""30 + 3 * 5 = 45 s of silence from the peer's kernel: the same figure as `Limits.gone_after`."""


def tune(sock: socket.socket) -> None:
    """Sets TCP_NODELAY, keep-alive and TCP_USER_TIMEOUT, as far as this system has them. Not TCP: nothing.

    Raises:
        OSError: when the connection is gone already (some systems refuse options then).
    """
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
        ("TCP_USER_TIMEOUT", USER_TIMEOUT_MS),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def bear_silence(sock: socket.socket, seconds: float) -> None:
    """Lets a peer take nothing of what was sent for so long before the system ends the connection. Not TCP: nothing.

    For protocols whose readers may rest, such as a browser with a paused video: the system counts a closed window as
    silence. Where the system has no TCP_USER_TIMEOUT it bears more anyway.

    Args:
        sock: connected, and tuned before.
        seconds: above 0.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1000))
