"""The uploads of a share put together, and tidied up beside the server."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lanline.beneath import Folder
from lanline.services.share.shared import Permissions, Shared
from lanline.services.share.uploads.assembly import Uploads
from lanline.services.share.uploads.journal import Plan
from lanline.services.share.uploads.unfinished import make_upload


def test_what_an_earlier_server_left_is_known_once_the_keeper_has_looked(tmp_path: Path) -> None:
    (tmp_path / "deep" / "down").mkdir(parents=True)

    async def main() -> None:
        with Folder(tmp_path) as folder:
            make_upload(folder, ("deep", "down"), Plan("", "x"), None)
            uploads = Uploads(Shared(folder, Permissions(upload=True), name="x"))
            assert uploads.unfinished == 0
            keeper = asyncio.get_running_loop().create_task(uploads.keep_clean())
            async with asyncio.timeout(60):
                await asyncio.to_thread(uploads.resumable.register.recover)
            assert uploads.unfinished == 1
            keeper.cancel()
            await asyncio.wait([keeper])
            assert keeper.cancelled()

    asyncio.run(main())
