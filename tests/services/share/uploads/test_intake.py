"""From pieces into a draft: nothing lost, nothing twice, whatever their sizes and the disk's pace."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from pathlib import Path

import pytest

from lanline.beneath import Folder
from lanline.services.share.uploads.digests import Hasher
from lanline.services.share.uploads.intake import BLOCK_BYTES, Intake
from lanline.services.share.uploads.pace import Pace


@pytest.mark.parametrize("is_slow", [False, True])
def test_pieces_of_all_sizes_arrive_in_order_behind_the_offset(tmp_path: Path, is_slow: bool) -> None:
    pieces = [random.randbytes(random.choice([1, 100, 70_000, 300_000])) for _ in range(40)]

    async def main() -> None:
        pace = Pace()
        with Folder(tmp_path) as folder, folder.draft() as draft:
            draft.write(b"before", 0)
            hasher = Hasher()
            intake = Intake(draft, pace, offset=6, hashers=(hasher,))
            for piece in pieces:
                if is_slow:
                    pace.took(1.0)
                await intake.take(piece)
                assert intake.end - intake.offset < BLOCK_BYTES
            await intake.flush()
            data = b"".join(pieces)
            assert intake.offset == intake.end == 6 + len(data)
            assert os.pread(draft.fd, len(data) + 10, 0) == b"before" + data
            assert hasher.value() == hashlib.sha256(data).digest()

    asyncio.run(main())


def test_what_has_come_and_what_is_written_are_told_apart(tmp_path: Path) -> None:
    async def main() -> None:
        with Folder(tmp_path) as folder, folder.draft() as draft:
            intake = Intake(draft, Pace())
            await intake.take(b"few")
            assert (intake.offset, intake.end, draft.size_bytes) == (0, 3, 0)
            await intake.flush()
            assert (intake.offset, intake.end, draft.size_bytes) == (3, 3, 3)

    asyncio.run(main())
