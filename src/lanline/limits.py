"""Limits and timeouts: frozen values with units in their names, and the reason for each number.

The table is `trust.md`'s "Limits" (docs/explanation/trust.md); nothing that comes over the network raises one,
only the owner of this machine does, with `LAN._replace(...)`.
"""

from __future__ import annotations

from typing import NamedTuple

KiB = 1024
MiB = 1024 * KiB


class Limits(NamedTuple):
    """What one node or server accepts. Sizes in bytes, times in seconds."""

    max_frame_bytes: int = 64 * KiB
    """Body of one link frame. Larger frames are slower over TLS and would hold up a PING behind a file."""

    max_item_bytes: int = 1 * MiB
    """One item of a call, joined from frames with the MORE flag."""

    max_hello_bytes: int = 16 * KiB
    """A HELLO, the only thing besides a roster that is read from somebody not yet judged."""

    max_roster_bytes: int = 1 * MiB
    """A roster of 4,096 members is about 400 KiB."""

    max_calls: int = 1024
    """Calls open at once on one link, per direction. A fan-out uses one per link."""

    window_bytes: int = 256 * KiB
    """Credit each call begins with in each direction."""

    bulk_window_bytes: int = 4 * MiB
    """Credit of an endpoint declared `bulk`: enough for 10 Gbit/s at 3 ms."""

    max_connections: int = 2048
    max_connections_per_member: int = 8
    max_connections_per_address: int = 64
    max_strangers: int = 64
    """Connections not yet welcomed. Beyond it the oldest stranger is dropped (as OpenSSH's MaxStartups)."""

    max_strangers_per_address: int = 8

    unsent_bytes: int = 4 * MiB
    """Bytes a peer has not yet taken from us, on TCP and TLS. Beyond it for `stall` seconds it is dropped."""

    stall: float = 30.0
    frame_seconds: float = 30.0
    """A frame once begun must be whole within this time ..."""

    frame_bytes_per_second: int = 1 * KiB
    """... and must have come at this pace at least."""

    handshake: float = 5.0
    """From accept to welcome."""

    connect: float = 5.0
    """From the first SYN to welcome, on the connecting side."""

    ping_after: float = 15.0
    """Silence after which a PING is sent. Not on unix and mem transports."""

    gone_after: float = 45.0
    """Silence after which the peer counts as gone: three pings."""

    datagram_silence: float = 60.0
    """Silence after which a server forgets a sender of datagrams, which cannot say that it leaves. Long enough for
    somebody who thinks before the next line; what NATs and firewalls keep open for UDP is 30 to 180 s (RFC 4787)."""

    drain: float = 5.0
    """How long a graceful stop waits for calls under way."""

    backlog: int = 1024
    """Listen queue; the stock 100 makes a thousand returning members wait for SYN retransmission."""


LAN = Limits()
"""The defaults, for links between machines of a room."""

PLAIN = LAN._replace(
    max_connections=16_384,
    max_connections_per_address=16_384,
    max_strangers=1024,
    max_strangers_per_address=1024,
)
"""The defaults of handlers over plain channels, which know nobody: a thousand clients on one machine are usual there,
and over TLS they all shake hands at once. What bounds them is how many files the process may open (`ulimit -n`):
connections are kept to 70 % of that. `lanline serve` raises its own soft limit to the hard one first; the library
leaves the limits of the program it is in alone."""
