"""One datagram as a program gets it, and what is counted of datagrams: with an event loop and without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from lanline.address import Address
from lanline.link.figures import ChannelStatistics

WAITING_BYTES: Final = 256 * 1024
"""Received and not yet taken, for each channel; about what the kernel itself keeps for a socket. Beyond it the newest
datagram is dropped: its sender cannot be told to wait, and the older ones were asked first."""

MESSAGE_BYTES: Final = 64
"""What a message costs beside its content: without it, endless empty datagrams would never reach the bound."""


class Datagram(NamedTuple):
    """One datagram, and who says to have sent it.

    Attributes:
        message: what it holds, which may be nothing.
        sender: where an answer goes. Anybody in the network can write it on a datagram: it is no proof of anything.
        received_ns: this machine's clock (`time.time_ns`) when it was taken from the system.
    """

    message: bytes
    sender: Address
    received_ns: int


@dataclass(frozen=True, slots=True)
class DatagramStatistics(ChannelStatistics):
    """As of every channel, and what became of datagrams that are no messages."""

    dropped_messages: int
    """Came while as much waited as may wait."""

    truncated_messages: int
    """Were longer than this side takes."""

    undelivered_messages: int
    """Sent by this side, and refused by the peer's system or without a way there, as far as anybody told."""
