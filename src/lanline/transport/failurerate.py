"""How often somebody may fail: a bucket of failures that drains with time. Pure: the time is an argument.

Guessing is slowed down by it, and nothing else is: what succeeds is never counted. Who counts decides by whom: one for
each address and one for all of them together, as docs/explanation/trust.md has it for the door of a room and for the
password of a share.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class FailureRate:
    """The failures of one address, or of all.

    Args:
        burst: failures that are free, at least 1.
        seconds_each: seconds for one more, once those are used up.
        level: failures in it at `at`; drains by one every `seconds_each`.
        at: seconds of a monotonic clock.
    """

    burst: int
    seconds_each: float
    level: float = 0.0
    at: float = 0.0

    def now(self, now: float) -> float:
        """How many failures are in it."""
        self.level = max(0.0, self.level - (now - self.at) / self.seconds_each) if now > self.at else self.level
        self.at = max(now, self.at)
        return self.level

    def add(self, now: float) -> None:
        """One more failure; it is never fuller than its burst."""
        self.level = min(self.now(now) + 1, float(self.burst))

    def wait(self, now: float, under_way: int = 0) -> float:
        """Seconds until one more failure has room; tries under way count as if they would fail."""
        over = self.now(now) + under_way + 1 - self.burst
        # A thousandth of slack: a level that drained by floating-point steps must not refuse for 1e-16 of a try.
        return over * self.seconds_each if over > 0.001 else 0.0
