"""Cuts the bytes of a connection into frames.

Parses the delivered chunk in place and keeps only the incomplete tail, as parts that are joined once when the frame
is whole (five times the speed of appending to a buffer and slicing; `benchmarks/framing_decode.py`). The limit is
checked on the header, before a byte of the body is kept. On paced connections a frame once begun must be whole within
30 s and come at 1 KiB/s at least, after 5 s of grace (slow senders hold no memory for longer).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Final

from lanline.errors import MessageTooLarge
from lanline.framing.base import Pieces
from lanline.limits import Limits
from lanline.session.calls import Ask, CallRecord
from lanline.session.frames import HEADER, HEADER_BYTES, Kind

_GRACE: Final = 5.0
"""Seconds for a frame of no size: what a burst of loss on a bad network takes to be sent again."""

_LAG: Final = 1.0
"""Seconds by which a check may be late. Beyond it our own side was busy, and the bytes may lie unread."""

_END: Final = int(Kind.END)
_unpack_from = HEADER.unpack_from


class FrameReader:
    """The frames of one connection.

    Args:
        limits: sizes and pace.
        paced: whether slow frames are an offence (not on unix and mem transports).
    """

    __slots__ = ("_begun", "_header", "_limit", "_limits", "_missing", "_paced", "_tail", "due")

    def __init__(self, limits: Limits, *, paced: bool) -> None:
        self._limits = limits
        self._limit = limits.max_hello_bytes
        self._paced = paced
        self._tail = Pieces()
        self._missing = 0
        self._header: tuple[int, int, int] | None = None
        self._begun = 0.0
        self.due = inf
        """When the frame under way is too slow, on the clock of `now`; infinite when none is."""

    @property
    def kept_bytes(self) -> int:
        """How much of a frame that is not whole is held in memory now."""
        return self._tail.size + (HEADER_BYTES if self._header is not None else 0)

    def hello_received(self) -> None:
        """A roster may come now: frames of full size, one item of at most 1 MiB (the session counts it)."""
        self._limit = self._limits.max_frame_bytes

    def is_too_slow(self, now: float) -> bool:
        """Whether the frame under way has had all the time it may take."""
        if now - self.due > _LAG:
            self.due = now + _LAG
        return now >= self.due

    def receive_data(
        self,
        data: bytes,
        now: float,
        receivers: Sequence[Callable[[int, int, bytes], None]],
        asks: dict[int, CallRecord | Ask],
        answers: tuple[list[Ask], list[bytes]],
    ) -> None:
        """Calls `receivers[kind](call, flags, body)` for each whole frame, in order; but an END without flags whose
        call is an Ask takes that off `asks` and is put into `answers`: most frames of a busy asker, without a call for
        each, nor an event (0.26 of 1.7 us of an ask).

        Raises:
            MessageTooLarge: a header announces more than the limit; the frames before it were handed over.
        """
        begun = now
        position = 0
        if self._missing:
            missing = self._missing
            if len(data) < missing:
                self._tail.add(data)
                self._missing -= len(data)
                return
            self._missing = 0
            self.due = inf
            if self._header is not None:
                # Only the frame that was cut is joined; what follows it is parsed where it lies.
                self._tail.add(data[:missing])
                kind, flags, call = self._header
                self._header = None
                receivers[kind](call, flags, self._tail.take())
                position = missing
            else:
                self._tail.add(data)
                data = self._tail.take()
                begun = self._begun
        size = len(data)
        while size - position >= HEADER_BYTES:
            length, kind, flags, call = _unpack_from(data, position)
            if length > self._limit:
                raise MessageTooLarge(length, self._limit, "frame")
            body = position + HEADER_BYTES
            end = body + length
            if end > size:
                self._header = kind, flags, call
                self._keep(data[body:], end - size, length, now if position else begun)
                return
            position = end
            if kind == _END and not flags:
                asker = asks.get(call)
                if asker is not None and type(asker) is not CallRecord:  # isinstance takes 50 ns for a struct
                    del asks[call]
                    answers[0].append(asker)
                    answers[1].append(data[body:end])
                    continue
            receivers[kind](call, flags, data[body:end])
        if position < size:
            self._keep(data[position:], HEADER_BYTES - (size - position), 0, now if position else begun)

    def _keep(self, tail: bytes, missing: int, length: int, begun: float) -> None:
        """Keeps the beginning of a frame. It is called again once its header is whole and says how long it is."""
        if tail:
            self._tail.add(tail)
        self._missing = missing
        self._begun = begun
        if self._paced:
            allowed = _GRACE + length / self._limits.frame_bytes_per_second
            self.due = begun + min(self._limits.frame_seconds, allowed)
