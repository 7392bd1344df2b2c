"""GET and HEAD of a folder: its listing as a page or as JSON, sent in blocks.

What stands in a listing is `listing.py`'s matter; here it becomes an answer. The disk is asked in a thread, and between
two blocks everybody else has a turn.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

from aiohttp import web

from lanline.http.refusal import Refusal, prefers_json
from lanline.services.share.answers.listing import BLOCK_ENTRIES, Listing, html_of, json_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lanline.services.share.shared import Shared
    from lanline.services.share.target import Target

_ABOUT_BOTH: Final = {"Cache-Control": "no-cache", "Vary": "Accept", "X-Content-Type-Options": "nosniff"}
_JSON: Final = {
    **_ABOUT_BOTH,
    "Content-Type": "application/json; charset=utf-8",
    "Cross-Origin-Resource-Policy": "same-origin",
}

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' data:; "
    "media-src 'self'; frame-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Content-Security-Policy of the page: its own files and what is shared, nothing from elsewhere and nothing inline.
Scripts and sheets are those that carry a number drawn for this answer, and what they import: 'self' would trust every
.js in the folder, and a path needs a host, which for an IP address not every browser compares. `data:` is for the masks
of the icons in its sheet; no script may make HTML from text."""

_HTML: Final = {
    **_ABOUT_BOTH,
    "Content-Type": "text/html; charset=utf-8",
    "Referrer-Policy": "same-origin",  # with no-referrer the Origin of a form is `null`, which the guard refuses
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


MAX_ENTRIES: Final = 500_000
"""Of all large listings on their way together; beyond it 503. Each entry takes 225 bytes until its listing is sent, and
who sends them to a client that does not read would have no end of it."""

_RETRY_AFTER: Final = "5"


class Folders:
    """Answers for folders; counts the entries of the listings that are on their way.

    Args:
        shell: the page that a listing stands in; see `assets.shell_in`.
        most: entries, see `MAX_ENTRIES`. A single listing may have more.
    """

    def __init__(self, shell: tuple[bytes, bytes, bytes], *, most: int = MAX_ENTRIES) -> None:
        self._shell = shell
        self._most = most
        self._under_way = 0

    async def answer(self, request: web.BaseRequest, target: Target, shared: Shared) -> web.StreamResponse:
        """Answers GET or HEAD of a folder that is there.

        Raises:
            FileError: it cannot be listed. Refusal: 503 while too many large ones are on their way.
        """
        contents = await asyncio.to_thread(shared.contents, target.names)
        listing = Listing(target.names, contents, shared.permissions, shared.name, shared.has_archives)
        if prefers_json(request.headers.get("Accept", "")):
            headers, blocks = _JSON, json_of(listing)
        else:
            nonce = secrets.token_hex(16)
            before, between, behind = self._shell
            headers = {**_HTML, "Content-Security-Policy": PAGE_POLICY.format(nonce=nonce)}
            blocks = html_of(listing, (before, between.replace(b"$nonce", nonce.encode()), behind))
        count = len(contents.items)
        if count <= BLOCK_ENTRIES:
            return web.Response(headers=headers, body=b"".join(blocks))
        if self._under_way and self._under_way + count > self._most:
            text = "Too many large folders are being listed at the moment: try again later."
            raise Refusal(503, text, headers={"Retry-After": _RETRY_AFTER})
        self._under_way += count
        try:
            return await _stream(request, headers, blocks)
        finally:
            self._under_way -= count


async def _stream(request: web.BaseRequest, headers: dict[str, str], blocks: Iterator[bytes]) -> web.StreamResponse:
    """Sends a listing whose length is not known beforehand."""
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    if request.method == "GET":
        for block in blocks:
            await response.write(block)
            await asyncio.sleep(0)  # a fast client's socket never makes write() wait
    return response
