"""The content of one request: what of it counts, and when."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanline.beneath import Folder
from lanline.services.share.uploads.appending import TooMuch
from lanline.services.share.uploads.chunk import MARK_BYTES, Chunk
from lanline.services.share.uploads.digests import Digest
from lanline.services.share.uploads.journal import Plan
from lanline.services.share.uploads.pace import Pace
from lanline.services.share.uploads.unfinished import Unfinished, load_upload, make_upload


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with Folder(tmp_path) as folder:
        yield folder


def _on_disk(folder: Folder, upload: Unfinished) -> int:
    """The offset that another process would find."""
    found = load_upload(folder, (), upload.token)
    assert found is not None
    assert found.check()
    return found.offset


def test_marks_are_written_while_it_comes(folder: Folder) -> None:
    async def main() -> None:
        upload = make_upload(folder, (), Plan("", "x"), None)
        with upload.open() as opening:
            chunk = Chunk(upload, opening, Pace(), None)
            for _ in range(3):
                await chunk.take(random.randbytes(MARK_BYTES * 2 // 3))
            assert _on_disk(folder, upload) == upload.offset == MARK_BYTES * 2 // 3 * 2
            await chunk.take(b"rest")
            chunk.keep()
            assert _on_disk(folder, upload) == upload.offset == MARK_BYTES * 2 // 3 * 3 + 4

    asyncio.run(main())


def test_with_a_digest_nothing_counts_before_the_end(folder: Folder) -> None:
    data = random.randbytes(MARK_BYTES + 5)

    async def main() -> None:
        upload = make_upload(folder, (), Plan("", "x", algorithm="sha-512"), None)
        for digest, is_right in ((b"0" * 32, False), (hashlib.sha256(data).digest(), True)):
            with upload.open() as opening:
                opening.cut()
                chunk = Chunk(upload, opening, Pace(), Digest("sha-256", digest))
                await chunk.take(data)
                chunk.keep()
                assert _on_disk(folder, upload) == 0
                assert await chunk.end() is is_right
            assert _on_disk(folder, upload) == (len(data) if is_right else 0)
        assert upload.whole is not None
        assert upload.whole.value() == hashlib.sha512(data).digest()
        assert chunk.field() == {}

    asyncio.run(main())


def test_more_than_the_upload_is_long_is_not_taken(folder: Folder) -> None:
    async def main() -> None:
        upload = make_upload(folder, (), Plan("", "x"), 5)
        with upload.open() as opening:
            chunk = Chunk(upload, opening, Pace(), None)
            await chunk.take(b"1234")
            with pytest.raises(TooMuch):
                await chunk.take(b"56")

    asyncio.run(main())
