"""The buffers that large bodies are received into: few, lent for one block each.

A buffer for every upload would be 4 GiB for 2,048 senders. As a block is lent a buffer only once it is there to be
read, and until its reader is done with it, a client that sends slowly holds none. Rules: a buffer is made when it is
first needed; the one given back last is lent next, so that where one is enough one is used; where all are lent, a block
gets a small one of its own, which is gone with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from lanline.limits import KiB, MiB

BUFFER_BYTES: Final = 2 * MiB
"""Of one buffer: about a millisecond of the loop. Measured against 128 KiB: half as much again a second. Only as much
of it takes memory as has ever come at once."""

MAX_BUFFERS: Final = 16
"""32 MiB in all. More are lent at the same time only where so many blocks wait for a slow disk."""

SMALL_BYTES: Final = 64 * KiB
"""Of a buffer beyond these: what the parser would hold."""


class Buffers:
    """The buffers of one server."""

    def __init__(self) -> None:
        self._free: list[memoryview] = []
        self._made = 0

    @property
    def held_bytes(self) -> int:
        """What has been made and is kept, lent or not."""
        return self._made * BUFFER_BYTES

    @contextmanager
    def lent(self) -> Iterator[memoryview]:
        """Lends one for the length of the block, `BUFFER_BYTES` long, or `SMALL_BYTES` where all are lent. What it
        holds before is what another body left there."""
        if self._free:
            buffer = self._free.pop()
        elif self._made < MAX_BUFFERS:
            self._made += 1
            buffer = memoryview(bytearray(BUFFER_BYTES))
        else:
            yield memoryview(bytearray(SMALL_BYTES))
            return
        try:
            yield buffer
        finally:
            self._free.append(buffer)

    def __repr__(self) -> str:
        return f"<Buffers {self._made} made, {len(self._free)} free, at most {MAX_BUFFERS}>"
