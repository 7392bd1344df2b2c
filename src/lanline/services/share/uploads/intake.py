"""From the pieces of a body into a draft: written in blocks, hashed on the way, with an eye on the disk.

Nothing is kept but one block. A piece that is large already is written as it came, without a copy; small ones are
joined first. While the disk is slow every piece is joined to a full block, as each is handed to a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lanline.services.share.uploads.space import check_room

if TYPE_CHECKING:
    from lanline.beneath import Draft
    from lanline.services.share.uploads.digests import Hasher
    from lanline.services.share.uploads.pace import Pace

BLOCK_BYTES: Final = 1 << 20

_LARGE_BYTES: Final = 64 * 1024
"""From here on a write of its own costs less than copying the piece."""

_LOOK_BYTES: Final = 64 << 20
"""How much is written between two looks at the disk."""


class Intake:
    """What comes into one draft.

    Args:
        draft: is written to; stays open.
        pace: of its disk.
        offset: where the first byte goes, in bytes from the beginning of the draft.
        hashers: are told of every byte, in order.
    """

    def __init__(self, draft: Draft, pace: Pace, *, offset: int = 0, hashers: Sequence[Hasher] = ()) -> None:
        self._draft = draft
        self._pace = pace
        self._hashers = hashers
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._looked_at = offset
        self.offset = offset
        """Up to here everything is written and hashed."""

    @property
    def end(self) -> int:
        """Up to here everything has come."""
        return self.offset + self._held_bytes

    async def take(self, piece: bytes | memoryview) -> None:
        """Takes the next piece, which need not stay as it is once this returns.

        Raises:
            DiskFull: it does not fit, or would use the reserve.
            FileError: the disk failed.
        """
        wanted = BLOCK_BYTES if self._pace.is_slow else _LARGE_BYTES
        if not self._held and len(piece) >= wanted:
            await self._pace.run(lambda: self._put(piece))
            return
        self._held.append(bytes(piece))
        self._held_bytes += len(piece)
        if self._held_bytes >= wanted:
            await self.flush()

    async def flush(self) -> None:
        """Writes what is held. Raises as `take`."""
        if self._held:
            block = self._block()
            await self._pace.run(lambda: self._put(block))

    def flush_now(self) -> None:
        """The same within the loop: for the end of something that is being cancelled. Raises as `take`."""
        if self._held:
            self._put(self._block())

    def _block(self) -> bytes:
        block = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        return block

    def _put(self, block: bytes | memoryview) -> None:
        if self.offset >= self._looked_at:
            check_room(self._draft.fd, len(block))
            self._looked_at = self.offset + _LOOK_BYTES
        self._draft.write(block, self.offset)
        self.offset += len(block)
        for hasher in self._hashers:  # after the write: of what failed to be written nothing is hashed
            hasher.update(block)
