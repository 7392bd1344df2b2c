"""Small writes become blocks: what the writers of archives write to.

What was taken out is gone; it goes forward only. It holds what has been written since the last `take`: at most one
block and what one write added. Not for several threads at once.
"""

from __future__ import annotations

from typing import Final

from lanline.limits import KiB

BLOCK_BYTES: Final = 96 * KiB
"""Size of a block that goes to the network, roughly. A few of them are in memory for each archive: one is written, one
waits, one is made. Below 64 KiB, the way through a thread costs more than packing."""


class Gathered:
    """Bytes on their way out."""

    __slots__ = ("_parts", "_size", "_taken")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._taken = 0

    @property
    def total_bytes(self) -> int:
        """All that was ever written."""
        return self._taken + self._size

    @property
    def is_full(self) -> bool:
        """Whether a block is together."""
        return self._size >= BLOCK_BYTES

    def write(self, data: bytes) -> None:
        """Keeps the data until it is taken."""
        self._parts.append(data)
        self._size += len(data)

    def skip(self, size: int) -> None:
        """Counts bytes that went out past this object, in their turn. Only while nothing is kept."""
        assert not self._parts, "what is kept would come after them"
        self._taken += size

    def take(self) -> bytes:
        """All that was written since the last time; empty where that is nothing."""
        # The piece of a large file is mostly alone: then nothing is copied.
        block = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._taken += self._size
        self._size = 0
        return block
