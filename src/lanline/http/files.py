"""One file as an answer: GET and HEAD with validators, conditions and ranges.

It decides what is sent from the request, and sends it from the descriptor it is given. It opens, names and closes
nothing: the caller does, and says which type it is. Rules: the tag is strong, so that a download which was cut goes on
with If-Range; a file that changes while it is sent is cut off rather than mended (`sending.py`); Range counts for GET
alone, as RFC 9110 defines it for nothing else.

Sources: RFC 9110, sections 8.6 to 8.8, 13.2.2, 14, 15.3.7 (206), 15.4.5 (304), 15.5.17 (416).
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from aiohttp import web

from lanline.http.conditions import etag_of, failed_condition, http_date, judge, range_holds
from lanline.http.ranges import Span, spans_of, unsatisfied
from lanline.http.refusal import Refusal
from lanline.http.sending import FileResponse, send_bytes_of

if TYPE_CHECKING:
    from collections.abc import Iterable

NOTHING: Final[Mapping[str, str]] = {}
"""No further header fields."""

_ABOUT_THE_CACHE: Final = ("Cache-Control", "Vary", "Expires", "Content-Location")
"""What a 304 carries of the fields of the 200, beside ETag and Date (RFC 9110, 15.4.5)."""


class OpenFile(Protocol):
    """A regular file that somebody holds open: `lanline.beneath.Opened` is one."""

    @property
    def fd(self) -> int:
        """Its descriptor, open for reading."""

    @property
    def status(self) -> os.stat_result:
        """What fstat said when it was opened."""


class _Plan(NamedTuple):
    status: int
    """200, 206, 304, 412 or 416."""
    spans: tuple[Span, ...]
    """Of a 206: what to send. Else nothing."""


async def answer_file(
    request: web.BaseRequest,
    opened: OpenFile,
    *,
    content_type: str,
    disposition: str | None = None,
    headers: Mapping[str, str] = NOTHING,
) -> web.StreamResponse:
    """Answers GET or HEAD with a file, whole or in part, or with 304.

    Args:
        request: of method GET or HEAD.
        opened: the file; stays open until this returns, and is not closed here.
        content_type: value of Content-Type.
        disposition: value of Content-Disposition; None sends none.
        headers: further fields of the answer, such as Cache-Control.

    Returns:
        the answer, sent already or ready to be sent.

    Raises:
        Refusal: 412 where a condition fails, 416 where no range is within the file.
    """
    status = opened.status
    size, etag = status.st_size, etag_of(status)
    now = time.time_ns() // 1_000_000_000
    # RFC 9110, 8.8.2.1: a Last-Modified in the future is replaced by the date of the answer.
    modified = min(status.st_mtime_ns // 1_000_000_000, now)
    plan = _plan(request, size, etag, modified, now)
    if plan.status == 304:
        kept = {name: headers[name] for name in _ABOUT_THE_CACHE if name in headers}
        return web.Response(status=304, headers={"ETag": etag, **kept})
    if plan.status == 412:
        raise failed_condition(etag)
    if plan.status == 416:
        text = f"No range that was asked for lies within the {size} bytes of this file."
        raise Refusal(416, text, headers={"Content-Range": unsatisfied(size), "ETag": etag})
    fields = dict(headers)  # plain: aiohttp makes its own of it, and one such is enough
    fields["ETag"] = etag
    fields["Last-Modified"] = http_date(modified)
    fields["Accept-Ranges"] = "bytes"
    if disposition is not None:
        fields["Content-Disposition"] = disposition
    if len(plan.spans) > 1:
        return await _send_several(request, opened, plan.spans, content_type, fields)
    fields["Content-Type"] = content_type
    span = plan.spans[0] if plan.spans else Span(0, size)
    if plan.status == 206:
        fields["Content-Range"] = span.content_range(size)
    return await _send_one(request, opened, plan.status, span, fields)


def _plan(request: web.BaseRequest, size: int, etag: str, modified: int, now: int) -> _Plan:
    """What the conditions and the ranges of the request come to."""
    headers = request.headers
    status = judge(request.method, headers, etag, modified)
    if status != 200 or request.method != "GET":
        return _Plan(status, ())
    wanted = headers.get("Range")
    if wanted is None or not range_holds(headers.get("If-Range"), etag, modified, now=now):
        return _Plan(200, ())
    spans = spans_of(wanted, size)
    if spans is None:
        return _Plan(200, ())
    return _Plan(206, spans) if spans else _Plan(416, ())


async def _send_one(
    request: web.BaseRequest, opened: OpenFile, status: int, span: Span, fields: dict[str, str]
) -> web.StreamResponse:
    """Sends one span, which is the whole file where the status is 200."""
    fields["Content-Length"] = str(span.length)
    response = FileResponse(status=status, headers=fields)
    await response.prepare(request)
    await send_bytes_of(response, opened.fd, span.offset, span.length)
    return response


async def _send_several(
    request: web.BaseRequest,
    opened: OpenFile,
    spans: Iterable[Span],
    content_type: str,
    fields: dict[str, str],
) -> web.StreamResponse:
    """Sends several spans as multipart/byteranges (RFC 9110, 14.6), its length known beforehand."""
    boundary = secrets.token_hex(16)  # 128 random bits: no file holds it but by being told
    size = opened.status.st_size
    parts = [(_frame(boundary, content_type, span, size), span) for span in spans]
    last = f"\r\n--{boundary}--\r\n".encode()
    length = sum(len(frame) + span.length for frame, span in parts) + len(last)
    fields["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    fields["Content-Length"] = str(length)
    response = FileResponse(status=206, headers=fields)
    await response.prepare(request)
    for frame, span in parts:
        await response.write(frame)
        await send_bytes_of(response, opened.fd, span.offset, span.length)
    await response.write(last)
    return response


def _frame(boundary: str, content_type: str, span: Span, size: int) -> bytes:
    """What stands before one part."""
    head = f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {span.content_range(size)}\r\n\r\n"
    return head.encode("latin-1")
