"""LengthPrefixed: how long, then what. For programs.

On the wire: an unsigned big-endian length of 1, 2, 4 or 8 bytes, then as many bytes::

    00 00 00 05 68 65 6c 6c 6f      LengthPrefixed().encode(b"hello")

The length counts the message alone. Carries any bytes; a message of 0 bytes is a message.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar

from lanline.errors import MessageTooLarge, UsageError
from lanline.framing.base import StreamDecoder, as_bytes, check_limit

_HEADERS = {1: Struct(">B"), 2: Struct(">H"), 4: Struct(">I"), 8: Struct(">Q")}
_MOST = {size: (1 << 8 * size) - 1 for size in _HEADERS}


@dataclass(frozen=True, slots=True)
class LengthPrefixed:
    """Messages that begin with their length.

    Args:
        size: bytes of the length field: 1, 2, 4 or 8.
        max_message_bytes: limit of a message, at least 1. Where the length field cannot say as much, what it
            can say is the limit: 255 bytes for a size of 1.

    Raises:
        UsageError: another size, or a limit below 1.
    """

    size: int = 4
    max_message_bytes: int = 1024 * 1024

    name: ClassVar[str] = "length-prefixed"

    def __post_init__(self) -> None:
        check_limit(self.max_message_bytes)
        if self.size not in _HEADERS:
            raise UsageError(f"a length field of {self.size} bytes is not known: take 1, 2, 4 or 8")

    @property
    def limit_bytes(self) -> int:
        """The limit in force: the smaller of `max_message_bytes` and what the length field can say."""
        return min(self.max_message_bytes, _MOST[self.size])

    def encode(self, message: bytes) -> bytes:
        """The length and the message.

        Raises:
            MessageTooLarge: it is over the limit.
            TypeError: it is text, or nothing that holds bytes.
        """
        if type(message) is not bytes:
            message = as_bytes(message)
        size, length = self.size, len(message)
        if length > self.max_message_bytes or length > _MOST[size]:
            raise MessageTooLarge(length, self.limit_bytes)
        return _HEADERS[size].pack(length) + message

    def decoder(self) -> LengthPrefixedDecoder:
        """A decoder for one new stream."""
        return LengthPrefixedDecoder(self)


class LengthPrefixedDecoder(StreamDecoder):
    """Walks each chunk header by header; keeps the message that is not whole."""

    __slots__ = ("_size", "_unpack_from", "_limit", "_length")

    def __init__(self, framing: LengthPrefixed) -> None:
        super().__init__()
        self._size = framing.size
        self._unpack_from = _HEADERS[framing.size].unpack_from
        self._limit = framing.limit_bytes
        # Length of the message whose body is kept; None while what is kept is the beginning of a header.
        self._length: int | None = None

    @property
    def kept_bytes(self) -> int:
        """How much of an unfinished message has arrived, its header included."""
        return self._pieces.size + (0 if self._length is None else self._size)

    def _decode(self, chunk: bytes) -> list[bytes]:
        pieces = self._pieces
        messages: list[bytes] = []
        offset = 0
        if self._length is not None:
            # A body is completed by itself, so that a large message is joined once and not sliced again.
            offset = self._length - pieces.size
            if len(chunk) < offset:
                pieces.add(chunk)
                return messages
            pieces.add(chunk[:offset])
            messages.append(pieces.take())
            self._length = None
        elif pieces.size:
            pieces.add(chunk)
            chunk = pieces.take()
        size, limit, unpack_from = self._size, self._limit, self._unpack_from
        end, append = len(chunk), messages.append
        start = offset + size
        while start <= end:
            (length,) = unpack_from(chunk, offset)
            stop = start + length
            # No message that is whole is longer than what it lies in: the usual one is compared once.
            if stop > end or end > limit:
                if length > limit:
                    self.error = MessageTooLarge(length, limit)
                    return messages
                if stop > end:
                    self._length = length
                    offset = start
                    break
            append(chunk[start:stop])
            offset = stop
            start = stop + size
        if offset < end:
            pieces.add(chunk[offset:])
        return messages
