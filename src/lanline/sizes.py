"""Sizes as people write and read them: `500M`, `1.5G`, `1.4 GiB`. Read and written in this one place.

Units are powers of 1,024, whichever way they are written: K, KB and KiB are 1,024 bytes. That is what a limit means
to the system that keeps it, and nobody is caught out by 7 %.
"""

from __future__ import annotations

import re

from lanline.errors import UsageError
from lanline.translation import _

_UNITS = "KMGT"
_MAX_BYTES = 1 << 50
"""1 PiB: beyond it a number was mistyped."""


def parse_size(text: str) -> int:
    """Bytes that a person wrote, above 0.

    Args:
        text: a number, with a unit or without: `500M`, `1.5 GiB`, `64kb`, `4096`. Without one it is bytes.

    Raises:
        UsageError: anything else, 0, and what is over 1 PiB.
    """
    match = re.fullmatch(r"(\d{1,16}(?:\.\d{1,6})?) ?(?:([KMGT])(?:I?B)?|B)?", text.strip(), re.ASCII | re.IGNORECASE)
    if match is None:
        raise UsageError(
            _("{text!r} is no size").format(text=text[:40]), advice=_("a number and its unit: 500M, 1G or 1.5G.")
        )
    number, unit = match.groups()
    size = int(float(number) * 1024 ** (_UNITS.index(unit.upper()) + 1 if unit else 0))
    if not 0 < size <= _MAX_BYTES:
        raise UsageError(_("{text!r} is out of range: more than 0, at most 1024T").format(text=text[:40]))
    return size


def show_size(size_bytes: int) -> str:
    """A size for people, in three digits or so: `0 B`, `999 B`, `1.4 KiB`, `23 MiB`, `1.0 GiB`."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    size, unit = size_bytes / 1024, 0
    while size >= 1023.5 and unit < len(_UNITS) - 1:  # 1023.9 KiB is 1.0 MiB, not 1024 KiB
        size, unit = size / 1024, unit + 1
    return f"{size:.1f} {_UNITS[unit]}iB" if size < 9.95 else f"{size:.0f} {_UNITS[unit]}iB"
