"""The entrances of one port, and which of them the first bytes ask for. Pure: bytes in, a choice out.

First bytes on the port of a node (docs/reference/protocol.md)::

    16                  TLS handshake record (RFC 8446 section 5.1): a link
    02 + 16 bytes       a bulk connection, with a token handed out on a link
    "LANLINE" + 1 byte  the door, with its version

Rule: an entrance that is not open answers exactly as if it did not exist, so nobody can probe for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lanline.transport.base import ProtocolFactory

if TYPE_CHECKING:
    import ssl

TLS_PREFIX: Final = b"\x16"
BULK_PREFIX: Final = b"\x02"
DOOR_PREFIX: Final = b"LANLINE"


def always() -> bool:
    """For an entrance that is open as long as the port is."""
    return True


@dataclass(frozen=True, slots=True)
class Entrance:
    """One kind of conversation that a port offers.

    Args:
        name: for logs: `link`, `door`.
        prefix: the bytes a peer begins with; empty accepts whatever no other entrance claims.
        factory: makes the protocol. It receives the prefix too: nothing is consumed by peeking.
        tls: context of this side; None is plain.
        is_open: asked once per connection, when its first bytes are there.
        welcome_at_once: True for plain servers: whoever got this far is no stranger any more. With TLS that
            is after the handshake. False: the protocol calls `Arrival.welcomed`.
    """

    name: str
    prefix: bytes
    factory: ProtocolFactory
    tls: ssl.SSLContext | None = None
    is_open: Callable[[], bool] = always
    welcome_at_once: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """What the first bytes lead to: an entrance, or more bytes are needed to tell, or neither: nobody's."""

    entrance: Entrance | None = None
    is_undecided: bool = False


def choose(entrances: Sequence[Entrance], first: bytes) -> Choice:
    """Which entrance these first bytes ask for.

    Args:
        entrances: at most one with an empty prefix.
        first: at least one byte, from the beginning of the stream.
    """
    is_undecided = False
    fallback: Entrance | None = None
    for entrance in entrances:
        if not entrance.prefix:
            fallback = entrance
        elif first.startswith(entrance.prefix):
            return Choice(entrance) if entrance.is_open() else Choice()
        elif entrance.prefix.startswith(first) and entrance.is_open():
            is_undecided = True
    if is_undecided:
        return Choice(is_undecided=True)
    return Choice(fallback) if fallback is not None and fallback.is_open() else Choice()
