"""The civil clock, for dates that people read: in one place, since nothing is decided by it."""

from __future__ import annotations

from datetime import UTC, datetime


def civil_now() -> float:
    """Seconds since 1970 by this machine's clock, which may be years off."""
    return datetime.now(UTC).timestamp()
