"""Lengths of time as people write them: `45s`, `10m`, `2h`, `1h30m`, `7d`. Read and written in this one place."""

from __future__ import annotations

import re

from lanline.errors import UsageError
from lanline.translation import _

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SHOWN = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_MAX_SECONDS = 3650 * 86400.0
"""Ten years: beyond it a number was mistyped, and sums of times could overflow elsewhere."""


def parse_duration(text: str) -> float:
    """Seconds that a person wrote, above 0.

    Args:
        text: numbers with a unit each (ms, s, m, h, d), the largest first or not, blanks between them or not. A number
            without a unit is refused: nobody knows whether seconds or minutes were meant.

    Raises:
        UsageError: anything else, and what is longer than ten years.
    """
    parts = re.findall(r"(\d{1,12}(?:\.\d{1,6})?)(ms|[smhd])", text, re.ASCII)
    if not parts or "".join(number + unit for number, unit in parts) != text.replace(" ", ""):
        raise UsageError(
            _("{text!r} is no length of time").format(text=text[:40]),
            advice=_("a number and its unit: 45s, 10m, 2h or 1h30m."),
        )
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not 0 < seconds <= _MAX_SECONDS:
        raise UsageError(_("{text!r} is out of range: more than 0, at most ten years").format(text=text[:40]))
    return seconds


def show_duration(seconds: float) -> str:
    """A length of time for people, in its two largest units: `45 s`, `10 min`, `2 h 5 min`, `3 d 4 h`."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    left = round(seconds)
    parts: list[tuple[int, str]] = []
    for unit, size in _SHOWN:
        count, left = divmod(left, size)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count) or "0 s"
