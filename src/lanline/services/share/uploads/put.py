"""PUT: a file is made or replaced by the body of one request, whole or not at all; and an empty folder is made.

The bytes go into a draft beside their place, and the draft gets the name when all of them are there. What can be said
before the first byte is: a client that sends `Expect: 100-continue` then never sends its body. Nothing is hashed
unless the client asks for it with `Content-Digest`, `Repr-Digest` or `Want-Repr-Digest`. An address that ends in a
slash is that of a folder: PUT without a body makes it, if the one above is there.

Sources: RFC 9110, sections 9.3.4 (PUT), 14.5 (no partial PUT), 13.1 (conditions); RFC 9530 (digests).
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from aiohttp import web

from lanline.http.body import blocks_of, refuse_compressed
from lanline.http.refusal import Refusal
from lanline.services.share.current import check_conditions, has_conditions
from lanline.services.share.target import Target, url_of
from lanline.services.share.uploads.digests import Hasher, check_digest, digests_to_check, wanted_algorithm
from lanline.services.share.uploads.intake import Intake
from lanline.services.share.uploads.pace import whole
from lanline.services.share.uploads.space import check_room

if TYPE_CHECKING:
    from lanline.beneath import Draft
    from lanline.services.share.shared import Shared
    from lanline.services.share.site import Answer
    from lanline.services.share.uploads.finishing import Finished, Finishing
    from lanline.services.share.uploads.pace import Pace


class Puts:
    """Answers PUT.

    Args:
        pace: of the disk of the share.
        finishing: gives the names.
        begin: answers in place of this where the client wants to be able to go on after an interruption.
    """

    def __init__(self, pace: Pace, finishing: Finishing, begin: Answer) -> None:
        self._pace = pace
        self._finishing = finishing
        self._begin = begin

    async def answer(self, request: web.BaseRequest, target: Target, shared: Shared) -> web.StreamResponse:
        """Makes or replaces the file that the target names: 201 or 204. Makes the folder: 201."""
        if target.has_slash:
            return await _make_folder(request, target, shared)
        if "Upload-Complete" in request.headers:
            return await self._begin(request, target, shared)
        names, may = target.names, shared.permissions
        refuse_odd_request(request)
        check_conditions(request, shared, names)
        digests = digests_to_check(request)
        hashers = {digest.algorithm: Hasher(digest.algorithm) for digest in digests}
        wanted = wanted_algorithm(request.headers.getall("Want-Repr-Digest", []))
        if wanted is not None:
            hashers.setdefault(wanted, Hasher(wanted))
        draft = shared.folder.draft(names[:-1])
        try:
            intake = Intake(draft, self._pace, hashers=tuple(hashers.values()))
            await take_body(request, intake, draft, limit=may.max_upload_bytes)
            for digest in digests:
                check_digest(digest, hashers[digest.algorithm])
            finished = await self._finishing.finish(
                draft,
                names,
                may_replace=may.overwrite,
                check=(lambda: check_conditions(request, shared, names)) if has_conditions(request) else None,
            )
        finally:
            await self._pace.discard(draft)
        headers = {"Repr-Digest": hashers[wanted].field()} if wanted is not None else {}
        return made(finished, headers)


async def take_body(request: web.BaseRequest, intake: Intake, draft: Draft, *, limit: int | None) -> None:
    """Takes the whole body of a request into a draft.

    Args:
        request: its body is asked for now, once it is known not to be too large.
        intake: of the draft.
        draft: on whose disk there must be room for it.
        limit: bytes that the body may have; None for any number.

    Raises:
        Refusal: 413 over the limit, 400 cut off, 408 stalled. DiskFull, FileError: as `Intake.take`.
    """
    length = request.content_length
    if length is not None and (limit is None or length <= limit):
        check_room(draft.fd, length)
    async with aclosing(blocks_of(request, limit=limit)) as body:
        async for piece in body:
            await intake.take(piece)
    await intake.flush()


def made(finished: Finished, headers: dict[str, str]) -> web.Response:
    """The answer to an upload that has its name: 201 with its address, or 204 where it replaced a file."""
    headers = {"ETag": finished.etag, "Cache-Control": "no-store", **headers}
    if finished.has_replaced:
        return web.Response(status=204, headers=headers)
    headers["Location"] = url_of(finished.names, is_folder=False)
    return web.Response(status=201, headers=headers)


async def _make_folder(request: web.BaseRequest, target: Target, shared: Shared) -> web.Response:
    if request.body_exists:
        raise Refusal(400, "This is the address of a folder, which has no content: that of a file ends in no slash.")
    check_conditions(request, shared, target.names)
    work = asyncio.get_running_loop().run_in_executor(None, shared.folder.make_folder, target.names)
    await whole(work)
    return web.Response(status=201, headers={"Location": url_of(target.names, is_folder=True)})


def refuse_odd_request(request: web.BaseRequest) -> None:
    """Passes if a request is one for a whole file as it is.

    Raises:
        Refusal: 400 for a Content-Range, 415 for a compressed body.
    """
    if "Content-Range" in request.headers:
        raise Refusal(400, "A file is sent as a whole: Content-Range goes with no PUT here.")
    refuse_compressed(request)
