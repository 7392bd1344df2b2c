"""The book-keeping of one call: its state, its credit in both directions, the item being joined.

Credit is counted in bytes: an item costs its body plus the ten bytes of a header, so that endless empty items are bounded
too. A side may send an item while its credit is above zero, so it can be
overdrawn by one item (at most 1 MiB); what the far application has used up comes back in CREDIT frames, sent
when half of the window is used, so that a steady stream costs one small frame per half window.
"""

from __future__ import annotations

from typing import Final

from lanline.session.states import CallState


class CallRecord:
    """State of one call on one side.

    Attributes:
        state: see `states.py`.
        credit: bytes this side may still send.
        window: bytes the peer may have under way to this side.
        owed: bytes used up here that have not been given back to the peer yet.
        received: bytes of items received and not yet used up.
        starved: the last attempt to send found no credit; the driver wants to hear of more.
        parts: bodies of an unfinished item (MORE), and their size.
        deadline: when the call must be over, on the driver's clock; None without one.
    """

    __slots__ = (
        "credit",
        "deadline",
        "owed",
        "parts",
        "parts_bytes",
        "received",
        "starved",
        "state",
        "window",
    )

    def __init__(self, state: CallState, credit: int, window: int, deadline: float | None) -> None:
        self.state = state
        self.credit = credit
        self.window = window
        self.owed = 0
        self.received = 0
        self.starved = False
        self.parts: list[bytes] | None = None
        self.parts_bytes = 0
        self.deadline = deadline

    def __repr__(self) -> str:
        return f"<CallRecord {self.state.name} credit={self.credit} received={self.received}>"

    def join(self, body: bytes, more: bool, limit_bytes: int) -> bytes | int | None:
        """Adds one frame's body to the item under way.

        Returns:
            The whole item; None while frames are missing; its size in bytes when it is over the limit.
        """
        parts = self.parts
        if parts is None:
            if not more:
                return body
            parts = self.parts = []
            self.parts_bytes = 0
        self.parts_bytes += len(body)
        if self.parts_bytes > limit_bytes:
            return self.parts_bytes
        parts.append(body)
        if more:
            return None
        self.parts = None
        return b"".join(parts)

    def take_refill(self) -> int:
        """Bytes to give back to the peer now: what is owed once it is half a window, else 0."""
        if self.owed * 2 < self.window:
            return 0
        refill, self.owed = self.owed, 0
        return refill


ASKED: Final = CallRecord(CallState.ASKED, 0, 0, None)
ANSWERING: Final = CallRecord(CallState.ANSWERING, 0, 0, None)
"""Shared, never changed: most calls are asks that need no more book-keeping than their state, on either side. A session
replaces it by a record of the call's own as soon as there is more to remember (a third of the cost of an ask)."""
