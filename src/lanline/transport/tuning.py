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
