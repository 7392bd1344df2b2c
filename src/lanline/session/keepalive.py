"""When to ping: at once when a session is OPEN, then a silent peer; and when to hold it for gone. Pure arithmetic on
times that are passed in.

A pong that is missed while our own loop lagged is not held against the peer: when the check itself comes late, the
silence it could not have heard is not counted (the cause of most "keepalive timeout" reports of other tools).
"""

from __future__ import annotations

from lanline.limits import Limits

_LAG = 1.0
"""Seconds by which a check may be late before the lateness counts as our own."""


class Keepalive:
    """Silence on one connection. All times in seconds on the clock of `now`."""

    __slots__ = ("_gone_after", "_heard", "_is_first", "_ping_after", "_pinged", "due")

    def __init__(self, limits: Limits, now: float) -> None:
        self._ping_after = limits.ping_after
        self._gone_after = limits.gone_after
        self._heard = now
        self._pinged = now
        self._is_first = False
        self.due = now + limits.ping_after
        """When `check` wants to be called."""

    def heard(self, now: float) -> None:
        """Something came from the peer."""
        self._heard = now

    def opened(self, now: float) -> None:
        """The session is OPEN: a PING is due at once, so that the round trip is known from the beginning. It waits for
        the next check, which knows the time; `now` may be when the last bytes came."""
        self._is_first = True
        self.due = now

    def check(self, now: float) -> float | None:
        """Seconds of silence when the peer must be held for gone, else None; sets the next `due`."""
        late = now - self.due
        if late > _LAG:
            self._heard = min(now, self._heard + late)
        silent = now - self._heard
        if silent >= self._gone_after:
            return silent
        next_ping = max(self._heard, self._pinged) + self._ping_after
        self.due = min(self._heard + self._gone_after, next_ping if next_ping > now else now + self._ping_after)
        return None

    def wants_ping(self, now: float) -> bool:
        """Whether a PING is to be sent now; saying yes counts as having sent it."""
        if not self._is_first and now - max(self._heard, self._pinged) < self._ping_after:
            return False
        self._is_first = False
        self._pinged = now
        self.due = min(self._heard + self._gone_after, now + self._ping_after)
        return True
