"""Whether a peer takes what is written to it. Pure bookkeeping: amounts and times in, a verdict out.

A peer that takes a byte now and then is slow, and not stuck.
"""

from __future__ import annotations


class Outflow:
    """What goes out by one connection."""

    __slots__ = ("_held_back", "_moved_at")

    def __init__(self) -> None:
        self._held_back = 0
        self._moved_at = 0.0

    def moved(self, now: float) -> None:
        """The peer has taken something that was not written through the transport.

        Args:
            now: seconds on any clock that does not go back.
        """
        self._moved_at = now

    def stuck_seconds(self, held_back: int, now: float, *, waits: bool) -> float:
        """For how long the peer has taken nothing, as far as looks like this one can tell; 0 where nothing is due.

        Args:
            held_back: bytes that the transport holds.
            now: as for `moved`.
            waits: whether somebody waits for room beside the transport.
        """
        if (held_back == 0 and not waits) or held_back != self._held_back:
            self._held_back, self._moved_at = held_back, now
        return now - self._moved_at
