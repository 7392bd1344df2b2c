"""Cuts the bytes of a connection into frames.

Parses the delivered chunk in place and keeps only the incomplete tail, as parts that are joined once when the frame
is whole (five times the speed of appending to a buffer and slicing; `benchmarks/framing_decode.py`). The limit is
checked on the header, before a byte of the body is kept. On paced connections a frame once begun must be whole within
30 s and come at 1 KiB/s at least, after 5 s of grace (slow senders hold no memory for longer).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from lanline.errors import MessageTooLarge
from lanline.framing.base import Pieces
from lanline.limits import Limits
from lanline.session.frames import HEADER, HEADER_BYTES

_GRACE: Final = 5.0
_NEVER: Final = float("inf")
_unpack_from = HEADER.unpack_from


class FrameReader:
    """The frames of one connection.

    Args:
        limits: sizes and pace.
        paced: whether slow frames are an offence (not on unix and mem transports).
    """

    __slots__ = ("_limit", "_limits", "_missing", "_paced", "_tail", "due")

    def __init__(self, limits: Limits, *, paced: bool) -> None:
        self._limits = limits
        self._limit = limits.max_hello_bytes
        self._paced = paced
        self._tail = Pieces()
        self._missing = 0
        self.due = _NEVER
        """When the frame under way is too slow, on the clock of `now`; infinite when none is."""

    @property
    def is_inside_frame(self) -> bool:
        """Whether a frame has begun and is not whole."""
        return bool(self._tail.size)

    def hello_received(self) -> None:
        """A roster may come now: frames of full size, one item of at most 1 MiB (the session counts it)."""
        self._limit = self._limits.max_frame_bytes

    def is_too_slow(self, now: float) -> bool:
        """Whether the frame under way has had all the time it may take."""
        return now >= self.due

    def receive_data(
        self, data: bytes, now: float, receivers: Sequence[Callable[[int, int, bytes], None]]
    ) -> None:
        """Calls `receivers[kind](call, flags, body)` for each whole frame, in order.

        Raises:
            MessageTooLarge: a header announces more than the limit; the frames before it were handed over.
        """
        if self._tail.size:
            self._tail.add(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data = self._tail.take()
            self.due = _NEVER
        position = 0
        size = len(data)
        while size - position >= HEADER_BYTES:
            length, kind, flags, call = _unpack_from(data, position)
            if length > self._limit:
                raise MessageTooLarge(length, self._limit, "frame")
            end = position + HEADER_BYTES + length
            if end > size:
                self._keep(data[position:], end - size, length, now)
                return
            receivers[kind](call, flags, data[position + HEADER_BYTES : end])
            position = end
        if position < size:
            self._keep(data[position:], HEADER_BYTES - (size - position), 0, now)

    def _keep(self, tail: bytes, missing: int, length: int, now: float) -> None:
        self._tail.add(tail)
        self._missing = missing
        if self._paced:
            allowed = _GRACE + length / self._limits.frame_bytes_per_second
            self.due = now + min(self._limits.frame_seconds, allowed)
