"""Netstring: a length that people can read. For programs that like to be read.

On the wire: the length in decimal digits, a colon, the message, a comma: `5:hello,`. Source: D. J. Bernstein,
"Netstrings", 1997-02-01 (https://cr.yp.to/proto/netstrings.txt).

Stricter than a lenient reader would be, as every second form of the same message is a way to be misread: no
leading zeros, no spaces, no signs. Carries any bytes; `0:,` is a message of 0 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lanline.errors import MessageTooLarge, RemoteProtocolError
from lanline.framing.base import StreamDecoder, as_bytes, check_limit

_COMMA = ord(",")
_ZERO = ord("0")


@dataclass(frozen=True, slots=True)
class Netstring:
    """Messages between a readable length and a comma.

    Args:
        max_message_bytes: limit of a message, at least 1.

    Raises:
        UsageError: a limit below 1.
    """

    max_message_bytes: int = 1024 * 1024

    name: ClassVar[str] = "netstring"

    def __post_init__(self) -> None:
        check_limit(self.max_message_bytes)

    def encode(self, message: bytes) -> bytes:
        """The message as a netstring.

        Raises:
            MessageTooLarge: it is over the limit.
            TypeError: it is text, or nothing that holds bytes.
        """
        message = as_bytes(message)
        if len(message) > self.max_message_bytes:
            raise MessageTooLarge(len(message), self.max_message_bytes)
        return b"%d:%b," % (len(message), message)

    def decoder(self) -> NetstringDecoder:
        """A decoder for one new stream."""
        return NetstringDecoder(self)


class NetstringDecoder(StreamDecoder):
    """Walks each chunk header by header; keeps the netstring that is not whole."""

    __slots__ = ("_limit", "_max_digits", "_needed")

    def __init__(self, framing: Netstring) -> None:
        super().__init__()
        self._limit = framing.max_message_bytes
        self._max_digits = len(str(framing.max_message_bytes))
        # Bytes of the tail that allow the next decision. While the header is incomplete: one more.
        self._needed = 0

    def _decode(self, chunk: bytes) -> list[bytes]:
        pieces = self._pieces
        if pieces.size:
            pieces.add(chunk)
            if pieces.size < self._needed:
                return []
            chunk = pieces.take()
        messages: list[bytes] = []
        limit, header_bytes = self._limit, self._max_digits + 1
        offset = 0
        end = len(chunk)
        needed = 1
        while offset < end:
            colon = chunk.find(b":", offset, offset + header_bytes)
            digits = chunk[offset : colon if colon >= 0 else offset + header_bytes]
            if not digits.isdigit() or (digits[0] == _ZERO and len(digits) > 1):
                self.error = RemoteProtocolError(f"a netstring begins with its length and a colon, not with {digits!r}")
                return messages
            if colon < 0 and len(digits) < header_bytes:
                needed = end - offset + 1
                break
            # Digits without a colon in reach are one more than the limit has: the length is over it.
            if (length := int(digits)) > limit:
                self.error = MessageTooLarge(length, limit)
                return messages
            start = colon + 1
            if (stop := start + length) >= end:
                needed = stop + 1 - offset
                break
            if chunk[stop] != _COMMA:
                found = chunk[stop : stop + 1]
                self.error = RemoteProtocolError(f"a netstring of {length} bytes ends with a comma, not with {found!r}")
                return messages
            messages.append(chunk[start:stop])
            offset = stop + 1
        if offset < end:
            pieces.add(chunk[offset:])
            self._needed = needed
        return messages
