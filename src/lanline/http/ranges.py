"""The Range field: which spans of a file were asked for, and which of them are sent.

Pure: text and a size go in, spans come out. It reads no file and knows no request; `files.py` sends what is decided
here. Rules (decision 93): what is no valid set of byte ranges is ignored, so the whole file answers; so is a set of
more than `MAX_RANGES`. Spans that overlap, touch or lie closer together than the frame around a part costs become one,
so no byte is ever sent twice: an answer is at most as long as the file and its frames.

Source: RFC 9110, sections 14.1.2 (byte ranges), 14.2 (Range and its abuse), 14.4 (Content-Range), 15.3.7 (206).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

MAX_RANGES: Final = 32
"""Ranges of one request that are answered one by one. A document viewer asks for a handful at once; RFC 9110, section
14.2, allows to ignore "a set of many small ranges", each of which costs a frame and a read."""

FRAME_BYTES: Final = 128
"""About what surrounds one part of a multipart answer. A gap that is smaller is sent along (RFC 9110, 15.3.7.2)."""

_SPEC: Final = re.compile(r"([0-9]*)-([0-9]*)", re.ASCII)
_MAX_DIGITS: Final = 19
"""Enough for 2**63 - 1. A longer number is beyond every file, and Python's own limit on digits is never met."""


class Span(NamedTuple):
    """Bytes of a file: `length` of them, at least 1, from `offset` on."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """The offset behind the last byte."""
        return self.offset + self.length

    def content_range(self, size: int) -> str:
        """The value of Content-Range for these bytes of a file of `size` bytes."""
        return f"bytes {self.offset}-{self.end - 1}/{size}"


def unsatisfied(size: int) -> str:
    """The value of Content-Range in a 416."""
    return f"bytes */{size}"


def spans_of(text: str, size: int) -> tuple[Span, ...] | None:
    """What a Range field asks for of a file.

    Args:
        text: the value of the field, as it came.
        size: of the file, in bytes.

    Returns:
        the spans to send, in the order they were asked for, none of them touching another; none at all where every
        range lies behind the end (416); None where the field is to be ignored, and the whole file answers (200).
    """
    unit, equals, specs = text.partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return None
    wanted: list[Span] = []
    asked = 0
    for spec in specs.split(","):
        spec = spec.strip(" \t")
        if not spec:
            continue  # RFC 9110, 5.6.1.2: a recipient accepts empty elements of a list
        asked += 1
        if asked > MAX_RANGES:
            return None
        bounds = _bounds(spec)
        if bounds is None:
            return None
        if (span := _span(*bounds, size)) is not None:
            wanted.append(span)
    return _coalesced(wanted) if asked else None


def _bounds(spec: str) -> tuple[int | None, int | None] | None:
    """First and last position as written, of which one may be missing; None where it is no range."""
    match = _SPEC.fullmatch(spec)
    if match is None:
        return None
    first, last = (_number(text) for text in match.groups())
    if first is None and last is None:
        return None
    if first is not None and last is not None and last < first:
        return None
    return first, last


def _number(digits: str) -> int | None:
    if not digits:
        return None
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS


def _span(first: int | None, last: int | None, size: int) -> Span | None:
    """The bytes that are there of one range; None where it lies behind the end."""
    if first is None:
        assert last is not None
        count = min(last, size)  # "-500": the last 500 bytes, or all where there are fewer
        return Span(size - count, count) if count else None
    if first >= size:
        return None
    end = size if last is None else min(last + 1, size)
    return Span(first, end - first)


def _coalesced(spans: list[Span]) -> tuple[Span, ...]:
    """The same bytes, none twice: neighbours become one, which stands where the first of them was asked for."""
    if len(spans) < 2:
        return tuple(spans)
    merged: list[tuple[int, Span]] = []
    for place, span in sorted(enumerate(spans), key=lambda numbered: numbered[1].offset):
        if merged and span.offset <= merged[-1][1].end + FRAME_BYTES:
            before_place, before = merged[-1]
            whole = Span(before.offset, max(before.end, span.end) - before.offset)
            merged[-1] = (min(before_place, place), whole)
        else:
            merged.append((place, span))
    return tuple(span for _, span in sorted(merged))
