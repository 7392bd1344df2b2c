"""What an archive does not hold, or not for certain: the text of its last entry.

An archive that lacks files in silence is taken for a whole one. So each name that was left out, and each file that
changed while it was read, is written down with its reason. Lines are kept to a number, the rest is counted: a folder
of a million pipes may not fill the memory.
"""

from __future__ import annotations

from typing import Final

from lanline.clean import clean

NOTE_NAME: Final = "LEFT-OUT.txt"
"""Name of the entry. English, as all that is answered over HTTP."""

_MAX_LINES: Final = 1000
_HEADING: Final = "Not in this archive, or not for certain as it was:\n\n"


class Notes:
    """Names with reasons. Empty at first, and false while empty."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._more = 0

    def __bool__(self) -> bool:
        return bool(self._lines)

    def add(self, path: str, reason: str) -> None:
        """One name, as the archive would show it, and why it is here."""
        if len(self._lines) < _MAX_LINES:
            self._lines.append(f"{clean(path)}: {reason}\n")
        else:
            self._more += 1

    def text(self) -> bytes:
        """The entry, in UTF-8."""
        rest = f"and {self._more} more\n" if self._more else ""
        return (_HEADING + "".join(self._lines) + rest).encode(errors="replace")
