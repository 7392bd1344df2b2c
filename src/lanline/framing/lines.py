"""Lines: a message, then a terminator. For people, scripts and `nc`.

On the wire: `hello\\n`. The terminator is any sequence of bytes and never part of a message; nothing else
splits (`splitlines` would also split on CR). A stream that ends without a terminator ended in a message: a
sender that was cut off must not look like one that finished.

Speed: `split` runs its loop in C, ten times the loop of the tutorials at 64 bytes a line; long lines are found
one by one. The tail of a long line is not joined before its terminator is there, so tiny chunks do not cost
quadratic time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lanline.errors import MessageTooLarge, UsageError
from lanline.framing.base import StreamDecoder, as_bytes, check_limit
from lanline.translation import _

# From about this length on, finding the lines of a chunk one by one is faster than splitting it: `find` for one
# byte is memchr, `split` looks at each byte. The first line of a chunk decides for all of it.
_LONG_LINE_BYTES = 512


@dataclass(frozen=True, slots=True)
class Lines:
    """Messages that end with a terminator.

    Args:
        terminator: the bytes that end a message, at least one.
        max_message_bytes: limit of a message without its terminator, at least 1.
        strip_cr: whether one CR at the end of a received message is dropped, so that `\\r\\n` is taken as
            well as `\\n`. It changes nothing in what is sent.

    Raises:
        UsageError: an empty terminator, or a limit below 1.
    """

    terminator: bytes = b"\n"
    max_message_bytes: int = 64 * 1024
    strip_cr: bool = False

    name: ClassVar[str] = "lines"

    def __post_init__(self) -> None:
        check_limit(self.max_message_bytes)
        if not as_bytes(self.terminator):
            raise UsageError("a terminator of 0 bytes ends nothing: give at least one byte")

    def encode(self, message: bytes) -> bytes:
        """The message and its terminator.

        Raises:
            MessageTooLarge: it is over the limit.
            UsageError: the other side would find an end inside it, or strip its last byte.
            TypeError: it is text, or nothing that holds bytes.
        """
        if type(message) is not bytes:
            message = as_bytes(message)
        size = len(message)
        if size > self.max_message_bytes:
            raise MessageTooLarge(size, self.max_message_bytes)
        line = message + self.terminator
        # Looked for in the whole line: with the terminator b"--" the message b"a-" also ends one byte early.
        found = line.find(self.terminator)
        if found != size:
            raise UsageError(
                f"the message would end at byte {found}, where the terminator {self.terminator!r} begins: "
                f"send its lines one by one, or take LengthPrefixed, which carries any bytes"
            )
        if self.strip_cr and message.endswith(b"\r"):
            raise UsageError("the message ends with CR, which strip_cr makes the other side drop: leave it out")
        return line

    def decoder(self) -> LinesDecoder:
        """A decoder for one new stream."""
        return LinesDecoder(self)


class LinesDecoder(StreamDecoder):
    """Splits at every terminator; keeps the line that has not ended."""

    __slots__ = ("_terminator", "_limit", "_strip_cr", "_edge_bytes", "_tail_limit", "_edge")

    def __init__(self, framing: Lines) -> None:
        super().__init__()
        self._terminator = framing.terminator
        self._limit = framing.max_message_bytes
        self._strip_cr = framing.strip_cr
        self._edge_bytes = len(framing.terminator) - 1
        # A tail may be longer than a message by the beginning of its terminator, and by the CR to be
        # stripped.
        self._tail_limit = self._limit + self._edge_bytes + framing.strip_cr
        # The last bytes of the tail, in which a terminator may have begun.
        self._edge = b""

    def _decode(self, chunk: bytes) -> list[bytes]:
        pieces, terminator = self._pieces, self._terminator
        longest = pieces.size + len(chunk)
        messages: list[bytes] = []
        offset = 0
        if pieces.size:
            border = self._edge + chunk
            found = border.find(terminator)
            if found < 0:
                self._keep(chunk, border)
                return messages
            cut = found - len(self._edge)
            offset = cut + len(terminator)
            if cut >= 0:
                pieces.add(chunk[:cut])
                messages.append(pieces.take())
            else:  # the terminator began in the tail
                messages.append(pieces.take()[:cut])
        tail = self._split(chunk, offset, messages)
        if self._strip_cr:
            messages = [message.removesuffix(b"\r") for message in messages]
        # No line is longer than what it lies in: the usual chunk needs no look at each line.
        if longest > self._limit and self._has_long_line(messages):
            return messages
        if tail:
            self._keep(tail, tail)
        return messages

    def _split(self, chunk: bytes, offset: int, messages: list[bytes]) -> bytes:
        """Appends the lines that end in this chunk; the rest behind the last of them."""
        terminator = self._terminator
        stop = chunk.find(terminator, offset)
        if 0 <= stop - offset < _LONG_LINE_BYTES:
            lines = (chunk[offset:] if offset else chunk).split(terminator)
            tail = lines.pop()
            messages += lines
            return tail
        while stop >= 0:
            messages.append(chunk[offset:stop])
            offset = stop + len(terminator)
            stop = chunk.find(terminator, offset)
        return chunk[offset:]

    def _keep(self, piece: bytes, border: bytes) -> None:
        size = self._pieces.size + len(piece)
        if size > self._tail_limit:
            self.error = MessageTooLarge(size, self._limit, _("unfinished line"))
            return
        self._pieces.add(piece)
        self._edge = border[-self._edge_bytes :] if self._edge_bytes else b""

    def _has_long_line(self, messages: list[bytes]) -> bool:
        """Looks for the first line over the limit; drops it and all behind it."""
        if not messages or max(map(len, messages)) <= self._limit:
            return False
        for index, message in enumerate(messages):
            if len(message) > self._limit:
                self.error = MessageTooLarge(len(message), self._limit, _("line"))
                del messages[index:]
                break
        return True
