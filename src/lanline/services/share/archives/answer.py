"""GET, HEAD and POST of a folder as an archive: `?zip`, `?tar`, and `name=` for each entry that is wanted.

Without a name it is the whole folder. A long selection comes as a form by POST, since an address ends at 8 KiB; it
changes nothing and needs no permission. The answer has no length: in HTTP/1.1 it is chunked, in HTTP/1.0 the end of
the connection is its end. Rule: what goes wrong before the first block becomes a refusal; what goes wrong later
resets the connection, so that nobody takes what has come for the whole.

Sources: RFC 9110 section 9.3.3 (POST), RFC 9112 section 7.1 (chunked), RFC 1867 and the URL standard's
application/x-www-form-urlencoded.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl

from aiohttp import web

from lanline.http.body import body_of
from lanline.http.refusal import Refusal
from lanline.limits import MiB
from lanline.services.share.answers.disposition import disposition_of
from lanline.services.share.archives.contents import Contents, shown_name
from lanline.services.share.archives.offloop import OffLoop
from lanline.services.share.archives.tars import tar_blocks
from lanline.services.share.archives.zips import zip_blocks

if TYPE_CHECKING:
    from lanline.services.share.shared import Shared
    from lanline.services.share.target import Target

MAX_AT_ONCE: Final = 128
"""Archives on their way at the same time; beyond it 503. Each holds about 1 MiB, a zip 0.4 KiB more for each entry."""

MAX_FORM_BYTES: Final = 4 * MiB
"""Of a selection by POST."""

MAX_FORM_FIELDS: Final = 100_000
"""In it: each costs 100 bytes and 1 us, whatever is in it, and two bytes could be one."""

_RETRY_AFTER: Final = "10"
_FORM: Final = "application/x-www-form-urlencoded"


class _Format(NamedTuple):
    ending: str
    content_type: str
    blocks: Callable[[Contents], Generator[bytes, None, None]]


_FORMATS: Final = {
    "zip": _Format(".zip", "application/zip", zip_blocks),
    "tar": _Format(".tar", "application/x-tar", tar_blocks),
}


class Archives:
    """Answers with archives; counts how many are on their way."""

    def __init__(self, *, most: int = MAX_AT_ONCE) -> None:
        self._most = most
        self._under_way = 0

    @property
    def under_way(self) -> int:
        """How many are being made now."""
        return self._under_way

    async def answer(self, request: web.BaseRequest, target: Target, shared: Shared) -> web.StreamResponse:
        """Answers GET, HEAD or POST of a folder that is there, with `zip` or `tar` in the query.

        Raises:
            Refusal: 400, 404, 413 or 415 for a selection that is none; 503 while too many are made.
            FileError: the folder cannot be listed.
        """
        if request.method == "HEAD":
            return await self._answer(request, target, shared)
        # Before the form is read: what is taken of it is in memory until the archive is sent.
        if self._under_way >= self._most:
            text = f"{self._most} archives are being made at the moment, and more are not made at once."
            raise Refusal(503, text, headers={"Retry-After": _RETRY_AFTER})
        self._under_way += 1
        try:
            return await self._answer(request, target, shared)
        finally:
            self._under_way -= 1

    async def _answer(self, request: web.BaseRequest, target: Target, shared: Shared) -> web.StreamResponse:
        kind = next(_FORMATS[key] for key, _ in target.fields() if key in _FORMATS)
        chosen = await _chosen(request, target)
        if chosen is not None:
            await asyncio.to_thread(_check, shared, target, chosen)
        response = web.StreamResponse(headers=_headers(kind, target, shared))
        if request.method == "HEAD":
            await response.prepare(request)
        else:
            await _send(request, response, kind.blocks(Contents(shared, target.names, chosen)))
        return response


async def _send(request: web.BaseRequest, response: web.StreamResponse, blocks: Generator[bytes, None, None]) -> None:
    async with OffLoop(blocks) as steps:
        block = await steps.next()  # before the header: a folder that cannot be read is refused as any other
        await response.prepare(request)
        try:
            while block:
                await response.write(block)
                block = await steps.next()
        except BaseException:
            _reset(request)
            raise


async def _chosen(request: web.BaseRequest, target: Target) -> list[str] | None:
    """The names that are wanted, from the query and, with POST, from the form; None where none is named."""
    fields = target.fields()
    if request.method == "POST":
        if request.content_type != _FORM:
            raise Refusal(415, f"A selection is sent as {_FORM}.")
        form = b"".join([piece async for piece in body_of(request, limit=MAX_FORM_BYTES)])
        fields = fields + await asyncio.to_thread(_fields_of, form)
    return [value for key, value in fields if key == "name"] or None


def _fields_of(form: bytes) -> list[tuple[str, str]]:
    """The fields of a form. Raises Refusal: 413, there are too many."""
    text = form.decode("utf-8", "surrogateescape")
    if text.count("&") >= MAX_FORM_FIELDS:
        raise Refusal(413, f"A selection may have {MAX_FORM_FIELDS} fields at most.")
    return parse_qsl(text, True, errors="surrogateescape")


def _check(shared: Shared, target: Target, chosen: Sequence[str]) -> None:
    """Passes if everything chosen is there now: a list that is out of date is told before the first byte.

    Raises:
        FileError: something is not, or may not be read.
    """
    for name in chosen:
        shared.open((*target.names, name)).close()


def _headers(kind: _Format, target: Target, shared: Shared) -> dict[str, str]:
    title = shown_name(target.names[-1] if target.names else shared.name)
    return {
        "Content-Type": kind.content_type,
        "Content-Disposition": disposition_of(title + kind.ending, is_attachment=True),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def _reset(request: web.BaseRequest) -> None:
    """Ends the connection so that the client hears of an error: without a length, a plain end would look like
    success."""
    transport = request.transport
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != getattr(socket, "AF_UNIX", None):
        # Lingering for 0 s: closing sends RST in place of FIN (socket(7)).
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
