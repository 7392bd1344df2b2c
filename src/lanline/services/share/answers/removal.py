"""DELETE: a file, or a folder that is empty, is removed for good.

There is no way to remove a folder with what is in it: one request that was sent by mistake takes one thing away. The
site has judged whether anything may be removed at all. A folder that seems empty may hold what is hidden; it stays.

Source: RFC 9110, sections 9.3.5 (DELETE), 13.1 (conditions).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from lanline.http.refusal import Refusal
from lanline.services.share.current import check_conditions
from lanline.services.share.uploads.pace import whole

if TYPE_CHECKING:
    from lanline.services.share.shared import Shared
    from lanline.services.share.target import Target


async def remove(request: web.BaseRequest, target: Target, shared: Shared) -> web.StreamResponse:
    """Removes what the target names: 204.

    Raises:
        Refusal: 404 for a file that is asked for as a folder, 412 where a condition does not hold.
        NotEmpty: it is a folder that holds something. FileError: as `Folder.remove`.
    """
    with shared.open(target.names) as opened:
        if target.has_slash and not opened.is_folder:
            raise Refusal(404, "This is the address of a folder, and a file is there.")
    check_conditions(request, shared, target.names)
    # In a thread: a file system may take seconds to give back the blocks of a large file.
    await whole(asyncio.get_running_loop().run_in_executor(None, shared.folder.remove, target.names))
    return web.Response(status=204)
