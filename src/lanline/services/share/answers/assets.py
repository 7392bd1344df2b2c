"""The files of the page itself, served from memory below `/.lanline/`.

They are read once, when the server starts, and carry a tag of their content: a browser asks each time, and gets each
file once.
Which files there are is found by looking into the folder `page`; its `shell.html` is what listings stand in, and no
file of its own.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from aiohttp import web

from lanline.http.conditions import judge
from lanline.services.share.answers.mediatypes import media_type_of

if TYPE_CHECKING:
    from lanline.services.share.shared import Shared
    from lanline.services.share.target import Target

SHELL: Final = "shell.html"

_FIXED: Final = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}


def page_files() -> dict[str, bytes]:
    """The files of the page by their names, the shell among them."""
    folder = files("lanline.services.share").joinpath("page")
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


def shell_in(page: dict[str, bytes]) -> tuple[bytes, bytes, bytes]:
    """The shell in three parts: before the title, between title and listing, and behind the listing."""
    before_title, _, rest = page[SHELL].partition(b"$title")
    between, _, behind = rest.partition(b"$listing")
    return before_title, between, behind


class Asset:
    """One file of the page. It is a `site.Reserved`.

    Args:
        name: of the file.
        content: all of it.
    """

    def __init__(self, name: str, content: bytes) -> None:
        self._content = content
        self._etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        self._headers = {**_FIXED, "ETag": self._etag, "Content-Type": media_type_of(name).content_type}

    def methods(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """GET and HEAD at its own address, nothing below it."""
        return () if names else ("GET", "HEAD")

    async def answer(self, request: web.BaseRequest, target: Target, shared: Shared) -> web.StreamResponse:
        """The file, or 304 where the browser has it."""
        if judge(request.method, request.headers, self._etag, None) == 304:
            return web.Response(status=304, headers={"ETag": self._etag, "Cache-Control": "no-cache"})
        return web.Response(headers=self._headers, body=self._content)


def assets_in(page: dict[str, bytes]) -> dict[str, Asset]:
    """What answers for each file of the page but the shell."""
    return {name: Asset(name, content) for name, content in page.items() if name != SHELL}
