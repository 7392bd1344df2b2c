"""The body of a request, as it comes: with its limit, its pace, and `100 Continue` at the right moment.

It stores nothing. Rules: the client is asked for the body only now, so whoever refuses before costs nobody a transfer;
a body that is too long is refused before its first byte where its length is known.

Sources: RFC 9110 sections 8.4 (Content-Encoding), 10.1.1 (Expect), 15.5.14 (413), 15.5.16 (415).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from aiohttp import web

from lanline.http.connection import Connection
from lanline.http.exchange import Request
from lanline.http.refusal import Refusal

if TYPE_CHECKING:
    from lanline.http.limits import HttpLimits

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


async def body_of(request: web.BaseRequest, *, limit: int | None) -> AsyncIterator[bytes]:
    """The pieces of the body as they come, none of them empty, 512 KiB at most.

    Args:
        request: of a server of this folder; its body may be read once.
        limit: bytes it may have; None allows any number.

    Raises:
        Refusal: 413 over the limit; 408 when it comes too slowly; 400 when it ended early or is malformed; 415 when
            it is compressed, which is not undone here.
    """
    assert isinstance(request, Request)
    connection = request.protocol
    assert isinstance(connection, Connection)
    _refuse_at_once(request, limit)
    if not request.has_begun_body:
        request.has_begun_body = True
        if request.expects_continue and not request.content.total_bytes and connection.transport is not None:
            connection.transport.write(_CONTINUE)
    received = 0
    async for piece in _pieces(request, connection.limits):
        received += len(piece)
        if limit is not None and received > limit:
            raise _too_large(limit)
        yield piece


def _refuse_at_once(request: Request, limit: int | None) -> None:
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding != "identity":
        raise Refusal(415, "a compressed body is not taken: send it as it is", headers={"Accept-Encoding": "identity"})
    length = request.content_length
    if limit is not None and length is not None and length > limit:
        raise _too_large(limit)


async def _pieces(request: Request, limits: HttpLimits) -> AsyncIterator[bytes]:
    content = request.content
    clock = asyncio.get_running_loop().time
    waited = 0.0
    while not content.at_eof():
        began = clock()
        try:
            async with asyncio.timeout(limits.stall):
                piece = await content.readany()
        except TimeoutError:
            raise Refusal(408, f"nothing of the body came for {limits.stall:g} s") from None
        except (ConnectionError, RuntimeError, web.RequestPayloadError) as error:
            raise _broken(request, error) from error
        waited += clock() - began
        if waited > limits.stall and content.total_bytes < limits.body_bytes_per_second * waited:
            raise Refusal(408, f"the body came at less than {limits.body_bytes_per_second} bytes a second")
        if piece:
            yield piece


def _broken(request: Request, error: Exception) -> Refusal:
    if isinstance(error, web.RequestPayloadError):
        return Refusal(400, "the body is malformed")
    length = request.content_length
    received = request.content.total_bytes
    whole = "a chunked body" if length is None else f"{length} bytes"
    return Refusal(400, f"the body was cut off: {received} bytes of {whole} came")


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"a body may have {limit} bytes here at most")
