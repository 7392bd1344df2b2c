"""The content of one request of an upload: into the part file, and into the journal once it counts.

Without a digest from the client what came counts as it comes, in marks of 8 MiB, and whatever a broken connection has
brought counts as well. With `Content-Digest` nothing counts before the last byte has come and the digest is right: a
wrong one, or none because the connection broke, leaves the upload where it was.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from lanline.errors import FileError
from lanline.services.share.uploads.appending import TooMuch
from lanline.services.share.uploads.digests import Digest, Hasher
from lanline.services.share.uploads.intake import Intake
from lanline.services.share.uploads.journal import Mark

if TYPE_CHECKING:
    from lanline.services.share.uploads.pace import Pace
    from lanline.services.share.uploads.unfinished import Opening, Unfinished

MARK_BYTES: Final = 8 << 20
"""What at most is sent again after the server was killed."""


class Chunk:
    """The content of one request on its way.

    Args:
        upload: it is part of this one.
        opening: of the upload; nothing is in its files that does not count.
        pace: of the disk.
        digest: what the client says it is; None where it says nothing.
    """

    def __init__(self, upload: Unfinished, opening: Opening, pace: Pace, digest: Digest | None) -> None:
        self._upload = upload
        self._opening = opening
        self._digest = digest
        self._start = self._marked = upload.offset
        self._sha256 = Hasher()
        self._other = Hasher(digest.algorithm) if digest is not None and digest.algorithm != "sha-256" else None
        self._whole = upload.whole.copy() if upload.whole is not None else None
        hashers = [hasher for hasher in (self._sha256, self._other, self._whole) if hasher is not None]
        self._intake = Intake(opening.part, pace, offset=upload.offset, hashers=hashers)

    async def take(self, piece: bytes | memoryview) -> None:
        """Takes the next piece.

        Raises:
            TooMuch: more comes than the upload is long.
            DiskFull, FileError: it could not be written.
        """
        length = self._upload.length
        if length is not None and self._intake.end + len(piece) > length:
            raise TooMuch
        await self._intake.take(piece)
        if self._digest is None and self._intake.offset - self._marked >= MARK_BYTES:
            self._mark()

    async def end(self) -> bool:
        """All of it has come. Returns whether it is what the client says; where it is not, nothing of it counts."""
        await self._intake.flush()
        if self._digest is not None and not self._digest.matches((self._other or self._sha256).value()):
            return False
        self._mark()
        return True

    def keep(self) -> None:
        """It was cut off. What may count does; what cannot be written now is sent again."""
        if self._digest is None:
            with suppress(FileError):
                self._intake.flush_now()
            with suppress(FileError):
                self._mark()

    def field(self) -> dict[str, str]:
        """The server's own digest of it, for a client that has sent none."""
        return {"Lanline-Chunk-Digest": self._sha256.field()} if self._digest is None else {}

    def _mark(self) -> None:
        end = self._intake.offset
        if end > self._marked:
            self._opening.note(Mark(self._start, end, self._sha256.value().hex()))
            self._marked = end
            self._upload.whole = self._whole.copy() if self._whole is not None else None
