"""What every framing is: the two contracts, and the one life that all decoders share.

A framing is a frozen value that says how messages lie in a byte stream; its decoder is the state of one
stream. Neither knows of sockets, so the same code serves asyncio, blocking sockets, files and tests.

Rules of every decoder:

- The chunk that was delivered is parsed in place; only its incomplete tail is kept: three to ten
  times the speed of appending to a buffer and slicing the front off (`benchmarks/framing_decode.py`).
- A limit is checked on the header, before a byte of the body is kept. A stream that never completes a message
  costs no more memory than one message of the limit.
- However a stream is cut into chunks, the same messages come out, and the same kind of error after them.
- Messages that stand before a broken one are never lost: `receive_data` returns them, and the error is raised
  by the next call, whichever it is. `decoder.error` tells it at once, for a driver that wants to close
  without waiting for another chunk. Where nothing stands before the broken message, the error is raised
  immediately.
- After its error has been raised, or after the end of the stream, a decoder is finished: what follows has no
  beginning that could be trusted. Any further call is a `LocalProtocolError`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from lanline.errors import EndedInMessage, LocalProtocolError, RemoteProtocolError, TextNotBytes, UsageError


class Decoder(Protocol):
    """One byte stream on its way to becoming messages. Not for use by several threads at once."""

    @property
    def error(self) -> RemoteProtocolError | None:
        """What broke this stream, as soon as it is known; None while all is well."""

    def receive_data(self, chunk: bytes) -> list[bytes]:
        """Takes the next bytes of the stream.

        Args:
            chunk: any number of bytes, also none. Anything but `bytes` is copied first.

        Returns:
            The messages that are now complete, in order; often none.

        Raises:
            RemoteProtocolError: the stream is not what the framing allows (see the rules above for when).
            MessageTooLarge: a message is over the limit.
            LocalProtocolError: this decoder is finished.
            TypeError: the chunk holds no bytes.
        """

    def receive_eof(self) -> list[bytes]:
        """Takes the end of the stream. The decoder is finished after it.

        Returns:
            Messages that only the end completes; none of the framings here has any.

        Raises:
            EndedInMessage: the stream ended in the middle of a message.
            RemoteProtocolError: the error that was still to be raised.
            LocalProtocolError: this decoder is finished.
        """


class Framing(Protocol):
    """How messages lie in a byte stream. A frozen value: share it freely."""

    @property
    def name(self) -> str:
        """What people call it, in messages and statistics: `lines`."""

    def encode(self, message: bytes) -> bytes:
        """The bytes that carry this message.

        Raises:
            MessageTooLarge: it is over the limit, which is the same in both directions.
            UsageError: this framing cannot carry it.
            TypeError: it is text, or nothing that holds bytes.
        """

    def decoder(self) -> Decoder:
        """A decoder for one new stream."""


class StreamDecoder(ABC):
    """The life that all decoders share: open, broken, finished.

    A framing's own decoder supplies `_decode`, which returns complete messages and, where it finds the stream
    broken, sets `error`; and keeps its incomplete tail in `_pieces`.
    """

    __slots__ = ("error", "_finished", "_pieces")

    def __init__(self) -> None:
        self.error: RemoteProtocolError | None = None
        self._finished = False
        self._pieces = Pieces()

    @property
    def kept_bytes(self) -> int:
        """How much of an unfinished message has arrived."""
        return self._pieces.size

    def receive_data(self, chunk: bytes) -> list[bytes]:
        """See `Decoder.receive_data`."""
        self._check_open()
        messages = self._decode(as_bytes(chunk))
        if self.error is not None:
            self._pieces.clear()
            if not messages:
                self._check_open()
        return messages

    def receive_eof(self) -> list[bytes]:
        """See `Decoder.receive_eof`."""
        self._check_open()
        self._finished = True
        if kept := self.kept_bytes:
            self.error = EndedInMessage(kept)
            self._pieces.clear()
            raise self.error
        return []

    @abstractmethod
    def _decode(self, chunk: bytes) -> list[bytes]:
        """The messages that are now complete. Sets `error` where the stream breaks the framing's rules."""

    def _check_open(self) -> None:
        """Raises the error that waits; once it has been raised, any other call is the caller's mistake."""
        if self._finished:
            why = "the end of the stream" if self.error is None else f"its error: {self.error}"
            raise LocalProtocolError(f"a decoder was used after {why}")
        if self.error is not None:
            self._finished = True
            raise self.error

    def __repr__(self) -> str:
        state = "finished" if self._finished else "broken" if self.error is not None else "open"
        return f"<{type(self).__name__} {state}, {self.kept_bytes} bytes kept>"


class Pieces:
    """The incomplete tail of a stream: what came in several chunks, joined once when it is whole.

    Linear in time, as nothing is moved before it is taken. Linear in memory also when chunks are tiny: a
    bytes object costs 33 bytes beside its content, so after 256 pieces the small ones are joined to a block.
    """

    __slots__ = ("size", "_blocks", "_pieces")

    _PIECES_PER_BLOCK = 256

    def __init__(self) -> None:
        self.size = 0
        # Made when they are needed: thousands of idle connections keep nothing.
        self._blocks: list[bytes] | None = None
        self._pieces: list[bytes] | None = None

    def add(self, piece: bytes) -> None:
        """Keeps a piece behind the others."""
        self.size += len(piece)
        if self._pieces is None:
            self._pieces = [piece]
            return
        self._pieces.append(piece)
        if len(self._pieces) == self._PIECES_PER_BLOCK:
            block, self._pieces = b"".join(self._pieces), None
            if self._blocks is None:
                self._blocks = []
            self._blocks.append(block)

    def take(self) -> bytes:
        """Everything kept, as one; nothing is kept any more."""
        whole = b"".join([*(self._blocks or ()), *(self._pieces or ())])
        self.clear()
        return whole

    def clear(self) -> None:
        """Forgets everything."""
        self.size = 0
        self._blocks = self._pieces = None


def as_bytes(data: bytes | bytearray | memoryview | str) -> bytes:
    """The same bytes, unchangeable: a message must not change after it was handed over.

    Raises:
        TextNotBytes: for text. TypeError: for anything else that holds no bytes.
    """
    if type(data) is bytes:
        return data
    if isinstance(data, str):
        raise TextNotBytes
    return bytes(memoryview(data))


def check_limit(max_message_bytes: int) -> None:
    """The check of a limit that a framing is given.

    Raises:
        UsageError: it is not at least 1 byte.
    """
    if max_message_bytes < 1:
        raise UsageError(f"max_message_bytes is {max_message_bytes}: it must be at least 1")
