"""Two sessions back to back, so that every test sees both sides of what it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from lanline.errors import ProtocolError
from lanline.limits import LAN, Limits
from lanline.session import frames
from lanline.session.events import Event
from lanline.session.frames import HEADER, HEADER_BYTES, Kind
from lanline.session.session import Session, Side

_E = TypeVar("_E", bound=Event)

NOTHING = b"\x90"
"""No arguments: an empty msgpack array."""


def hello(boot: bytes = b"boot-one", window: int = LAN.window_bytes) -> frames.Hello:
    """A HELLO as a link sends it."""
    return frames.Hello((frames.VERSION,), boot, window_bytes=window)


def session(side: Side = Side.ACCEPTING, *, limits: Limits = LAN, keepalive: bool = True, now: float = 0.0) -> Session:
    """A session that has only sent its HELLO."""
    return Session(side, hello(window=limits.window_bytes), now=now, limits=limits, keepalive=keepalive)


def opened(side: Side = Side.ACCEPTING, *, limits: Limits = LAN, keepalive: bool = True, now: float = 0.0) -> Session:
    """A session that is OPEN towards a peer that the test plays by hand; nothing is left to be sent or told."""
    one = session(side, limits=limits, keepalive=keepalive, now=now)
    one.receive_data(frames.pack(Kind.HELLO, 0, frames.encode_body(hello())), now)
    one.send_welcome()
    one.receive_data(frames.pack(Kind.WELCOME, 0), now)
    assert one.is_open
    one.events()
    one.data_to_send()
    return one


def cut(data: bytes) -> Iterator[tuple[Kind, int, int, bytes]]:
    """The frames in a stream of whole ones: kind, flags, call, body."""
    while data:
        length, kind, flags, call = HEADER.unpack_from(data)
        yield Kind(kind), flags, call, data[HEADER_BYTES : HEADER_BYTES + length]
        data = data[HEADER_BYTES + length :]


def sent(one: Session) -> list[tuple[Kind, int, int, bytes]]:
    """The frames a session wants to send now."""
    return list(cut(b"".join(one.data_to_send())))


class SessionPair:
    """A connecting and an accepting session, joined by a wire that delivers when told.

    Attributes:
        now: the time for both, seconds.
        left, right: the connecting and the accepting side.
        told_left, told_right: all events of each side so far, in order.
        errors: what `receive_data` raised.
    """

    def __init__(self, *, limits: Limits = LAN, keepalive: bool = True, greet: bool = True) -> None:
        self.now = 0.0
        self.left = session(Side.CONNECTING, limits=limits, keepalive=keepalive)
        self.right = session(Side.ACCEPTING, limits=limits, keepalive=keepalive)
        self.told_left: list[Event] = []
        self.told_right: list[Event] = []
        self.errors: list[ProtocolError] = []
        if greet:
            self.exchange()
            self.left.send_welcome()
            self.right.send_welcome()
            self.exchange()
            assert self.left.is_open and self.right.is_open
            self.told_left.clear()
            self.told_right.clear()

    def exchange(self, *, piece_bytes: int = 0) -> None:
        """Carries bytes both ways until both are silent.

        Args:
            piece_bytes: in pieces of this size; 0 for all at once.
        """
        while self.left.has_data_to_send or self.right.has_data_to_send:
            self.deliver(self.left, self.right, piece_bytes=piece_bytes)
            self.deliver(self.right, self.left, piece_bytes=piece_bytes)
        self.told_left += self.left.events()
        self.told_right += self.right.events()

    def deliver(self, giver: Session, taker: Session, *, piece_bytes: int = 0) -> None:
        """Carries what one side has to send now."""
        data = b"".join(giver.data_to_send())
        step = piece_bytes or len(data) or 1
        for start in range(0, len(data), step):
            try:
                taker.receive_data(data[start : start + step], self.now)
            except ProtocolError as error:
                self.errors.append(error)


def only(happened: list[Event], kind: type[_E]) -> _E:
    """The one event of this kind among those that happened."""
    found = [event for event in happened if isinstance(event, kind)]
    assert len(found) == 1, f"{len(found)} of {kind.__name__} in {happened}"
    return found[0]


def kinds(happened: Sequence[Event]) -> list[str]:
    """The names of what happened."""
    return [type(event).__name__ for event in happened]
