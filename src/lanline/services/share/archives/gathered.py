"""Small writes become blocks: what an archive writer writes to.

It cannot be seeked in: what was taken out of it is gone. It holds what has been written since the last `take`, which
is at most one block and what one write added. Not for several threads at once.
"""

from __future__ import annotations

from typing import Final

BLOCK_BYTES: Final = 256 * 1024
"""Size of a block that goes to the network, roughly. Below 64 KiB the way through a
thread costs more than packing; above 1 MiB it is memory for nothing."""


class Gathered:
    """A binary file for writing, as far as zipfile asks for one."""

    __slots__ = ("_parts", "_size", "_taken")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._taken = 0

    @property
    def total_bytes(self) -> int:
        """All that was ever written."""
        return self._taken + self._size

    def write(self, data: bytes) -> int:
        """Keeps the data; gives its size in bytes."""
        self._parts.append(data)
        self._size += len(data)
        return len(data)

    def flush(self) -> None:
        """Does nothing: there is nothing below."""

    def is_full(self) -> bool:
        """Whether a block is together."""
        return self._size >= BLOCK_BYTES

    def take(self) -> bytes:
        """All that was written since the last time; empty where that is nothing."""
        block = b"".join(self._parts)
        self._parts.clear()
        self._taken += self._size
        self._size = 0
        return block
