"""How large the header of a request is, measured while it comes. Pure counting: bytes in, a verdict out.

aiohttp's parser limits the target, each field and their number, but not their sum: 128 fields of 8 KiB are 1 MiB. Here
the sum counts. What comes in pieces is counted as it comes; what comes whole is measured where so many bytes came that
it could be too large, which is hardly ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiohttp.http import RawRequestMessage

_FIRST_BYTES: Final = 64
"""Kept of a header that comes in pieces: enough to tell an unknown method."""

_LINE_BYTES: Final = len(" HTTP/1.1\r\n") + len(" \r\n")


class Gauge:
    """The header that one connection is in the middle of.

    Args:
        max_bytes: of a header, request line included.
    """

    __slots__ = ("_bytes", "_first", "_max_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._first = b""

    @property
    def has_begun(self) -> bool:
        """Whether a header is there in part."""
        return self._bytes > 0

    @property
    def is_too_large(self) -> bool:
        """Whether the part alone is over the limit."""
        return self._bytes > self._max_bytes

    def add(self, data: bytes) -> None:
        """A piece came, and with it the header is not whole yet. Empty lines before it do not count (RFC 9112, 2.2)."""
        if self._bytes or data.strip(b"\r\n"):
            self._first = self.first_bytes(data)
            self._bytes += len(data)

    def first_bytes(self, data: bytes) -> bytes:
        """What the header begins with, 64 bytes at most, when this piece is added."""
        return (self._first + data[:_FIRST_BYTES])[:_FIRST_BYTES]

    def finish(self, arrived_bytes: int) -> bool:
        """Headers have become whole.

        Args:
            arrived_bytes: size of the piece that did it; 0 where the parser had kept it back.

        Returns:
            whether one of them could be over the limit, and each is to be measured.
        """
        is_suspect = not arrived_bytes or self._bytes + arrived_bytes > self._max_bytes
        self._bytes, self._first = 0, b""
        return is_suspect

    def too_large_of(self, messages: Iterable[RawRequestMessage]) -> int | None:
        """The place of the first of these that is over the limit; None where none is."""
        for place, message in enumerate(messages):
            fields = sum(len(name) + len(value) + 4 for name, value in message.raw_headers)
            if len(message.method) + len(message.path) + _LINE_BYTES + fields > self._max_bytes:
                return place
        return None
