"""Names for a file whose own name is taken: `photo.jpg`, `photo (2).jpg`, `photo (3).jpg`.

Pure: whether a name is taken is found out by whoever tries to give it, in one step with giving it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lanline.beneath.names import MAX_NAME_BYTES

MOST: Final = 9_999
"""The highest number that is tried."""

_LONGEST_ENDING: Final = 16
"""Bytes. What is longer behind a dot is no kind of file, but a part of its name."""


def free_names(name: str) -> Iterator[str]:
    """The name itself, then the same with a number before its ending, none of them over 255 bytes."""
    yield name
    stem, ending = _parts(name)
    for number in range(2, MOST + 1):
        suffix = f" ({number}){ending}"
        yield _cut(stem, MAX_NAME_BYTES - len(suffix.encode())) + suffix


def _parts(name: str) -> tuple[str, str]:
    """A name as its stem and its ending: of `a.tar.gz` both, of `.profile` none."""
    stem, dot, ending = name.rpartition(".")
    if not stem.strip(".") or len(ending.encode()) > _LONGEST_ENDING:
        return name, ""
    if stem.lower().endswith(".tar") and stem[:-4].strip("."):
        stem, ending = stem[:-4], stem[-3:] + "." + ending
    return stem, dot + ending


def _cut(text: str, most_bytes: int) -> str:
    """The beginning of a text that fits, ending between two characters."""
    return (
        text.encode()[:most_bytes].decode("utf-8", "ignore").rstrip(" .") if len(text.encode()) > most_bytes else text
    )
