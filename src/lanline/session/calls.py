"""The book-keeping of one call: its state, its credit in both directions, the item of which frames are missing.

Credit is counted in bytes. Every frame of DATA costs its body plus the ten bytes of its header, so that endless empty
items are bounded too. A side may begin an item while its credit is above zero and then sends all of it, so credit can
be overdrawn by one item (at most 1 MiB). What the far application has used up comes back in CREDIT frames, sent when
half of the window is used, so that a steady stream costs one small frame per half window. Both sides keep the same sum,
so a peer that sends without credit is known at the first frame.
"""

from __future__ import annotations

from typing import ClassVar, Final, final

import msgspec

from lanline.framing.base import Pieces
from lanline.session.frames import HEADER_BYTES, Kind
from lanline.session.states import CallState


class Unfinished:
    """An item, result, request or roster of which frames are missing.

    Attributes:
        kind: of its frames.
        cost_bytes: what its frames cost in credit so far, headers included.
        pieces: the bodies that have come.
    """

    __slots__ = ("cost_bytes", "kind", "pieces")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.cost_bytes = 0
        self.pieces = Pieces()

    def add(self, body: bytes) -> None:
        """Keeps one more body."""
        self.pieces.add(body)
        self.cost_bytes += len(body) + HEADER_BYTES


class Ask(msgspec.Struct):
    """What a driver wants back with the answer to an ask: it derives its own from this. For as long as nothing more has
    to be remembered, it stands in the book in place of a record, so that an ask costs one entry in one table."""

    state: ClassVar[CallState] = CallState.ASKED


@final
class CallRecord:
    """State of one call on one side.

    Attributes:
        state: see `states.py`.
        credit: bytes this side may still send; at or below 0 it may not begin an item.
        window: bytes the peer may have under way to this side at once.
        room: the peer's credit: what is left of the window.
        owed: bytes used up here that have not been given back to the peer yet.
        is_starved: the last attempt to send found no credit; the driver wants to hear of more.
        unfinished: the item or result of which frames are missing.
        asker: what the driver gave with an ask.
    """

    __slots__ = ("asker", "credit", "is_starved", "owed", "room", "state", "unfinished", "window")

    def __init__(self, state: CallState, credit: int, window: int, asker: Ask | None = None) -> None:
        self.state = state
        self.credit = credit
        self.window = window
        self.room = window
        self.owed = 0
        self.is_starved = False
        self.unfinished: Unfinished | None = None
        self.asker = asker

    def __repr__(self) -> str:
        return f"<CallRecord {self.state.name} credit={self.credit} room={self.room}>"

    def take_refill(self, used_bytes: int) -> int:
        """Notes what the application has used up, and says what to give back to the peer now: all that is owed once it
        is half a window, else 0."""
        self.owed += used_bytes
        if self.owed * 2 < self.window:
            return 0
        refill, self.owed = self.owed, 0
        self.room += refill
        return refill

    def widen(self, window: int) -> int:
        """Makes the window larger, and says by how much; a smaller one changes nothing."""
        more = max(0, window - self.window)
        self.window += more
        self.room += more
        return more


ASKED: Final = CallRecord(CallState.ASKED, 0, 0)
ANSWERING: Final = CallRecord(CallState.ANSWERING, 0, 0)
ABANDONED: Final = CallRecord(CallState.ABANDONED, 0, 0)
"""Shared and never changed. Most calls are asks that need no more book-keeping than their state, on either side (a
third of the cost of an ask), and a call that was given up needs none either. A record of the call's own takes the place
of the first two as soon as there is more to remember."""
