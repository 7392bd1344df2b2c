"""The civil clock, for dates that people read: in one place, since nothing is decided by it."""

from __future__ import annotations

from datetime import UTC, datetime


def civil_now() -> float:
    """Seconds since 1970 by this machine's clock, which may be years off."""
    return datetime.now(UTC).timestamp()


def civil_date(seconds: float) -> str:
    """A moment for people, by this machine's zone, to the second: `2026-11-20 05:31:02`.

    Args:
        seconds: since 1970. Beyond what a calendar has, the number itself is shown.
    """
    try:
        return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} s after 1970"
