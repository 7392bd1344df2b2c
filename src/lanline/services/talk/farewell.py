"""The word that ends a talk from either side: `q` or `Q`, alone."""

from __future__ import annotations

from typing import Final

_WORDS: Final = ("q", "Q")
_SENT: Final = frozenset(f"{word}{end}".encode() for word in _WORDS for end in ("", "\n", "\r\n"))


def is_farewell(line: str) -> bool:
    """Whether a line, without its end, is the farewell. Blanks around it make it an ordinary line."""
    return line in _WORDS


def is_typed_farewell(line: bytes) -> bool:
    """Whether a line that was typed, without its newline, is the farewell. A file may come from a system with CR LF."""
    return line + b"\n" in _SENT


def is_farewell_message(message: bytes) -> bool:
    """Whether a whole message is the farewell, with or without a line end."""
    return message in _SENT
