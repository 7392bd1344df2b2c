"""The body of a request, as it comes: with its limit, its pace, and `100 Continue` at the right moment.

It stores nothing. Rules: the client is asked for the body only now, so whoever refuses before costs nobody a transfer;
a body that is too long is refused before its first byte where its length is known.

Sources: RFC 9110 sections 8.4 (Content-Encoding), 10.1.1 (Expect), 15.5.14 (413), 15.5.16 (415).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, TypeVar

from aiohttp import web

from lanline.http.connection import Connection
from lanline.http.exchange import Request
from lanline.http.receiving import blocks_past_parser, can_pass_parser
from lanline.http.refusal import Refusal
from lanline.sizes import show_size

if TYPE_CHECKING:
    from lanline.http.limits import HttpLimits

_T = TypeVar("_T")

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


async def body_of(request: web.BaseRequest, *, limit: int | None) -> AsyncGenerator[bytes, None]:
    """The pieces of the body as they come, none of them empty, 512 KiB at most.

    Args:
        request: of a server of this folder; its body may be read once.
        limit: bytes it may have; None allows any number.

    Raises:
        Refusal: 413 over the limit; 408 when it comes too slowly; 400 when it ended early or is malformed; 415 when
            it is compressed, which is not undone here.
    """
    connection = _asked_for(request, limit)
    assert isinstance(request, Request)
    patience, content, received = _Patience(request, connection.limits), request.content, 0
    while not content.at_eof():
        piece = await patience.wait(content.readany())
        received += len(piece)
        if limit is not None and received > limit:
            raise _too_large(limit)
        if piece:
            yield piece


async def blocks_of(request: web.BaseRequest, *, limit: int | None) -> AsyncGenerator[bytes | memoryview, None]:
    """As `body_of`, for whoever is done with a piece before the next one comes: a large body then comes without being
    copied, in views of a few buffers. A view is valid until the next piece is asked for. Close it (`aclosing`) when it
    is not read to its end.

    Args:
        request, limit: as for `body_of`.

    Raises:
        Refusal: as `body_of`.
    """
    connection = _asked_for(request, limit)
    assert isinstance(request, Request)
    if request.content_length is None:
        async with aclosing(body_of(request, limit=limit)) as body:
            async for piece in body:
                yield piece
        return
    patience, content, may_pass = _Patience(request, connection.limits), request.content, True
    while not content.at_eof():
        if content.exception() is None and (held := content.read_nowait()):
            yield held
        elif may_pass and can_pass_parser(request, connection):
            may_pass = False  # it brings all of the rest; or nothing, and would bring nothing the next time
            async with aclosing(blocks_past_parser(request, connection)) as blocks:
                while (block := await patience.wait(anext(blocks, None))) is not None:
                    yield block
        elif piece := await patience.wait(content.readany()):
            yield piece


def _asked_for(request: web.BaseRequest, limit: int | None) -> Connection:
    """Asks the client for the body, if it is not too large. Returns the connection it comes by.

    Raises:
        Refusal: 413, 415.
    """
    assert isinstance(request, Request)
    connection = request.protocol
    assert isinstance(connection, Connection)
    _refuse_at_once(request, limit)
    if not request.has_begun_body:
        request.has_begun_body = True
        if request.expects_continue and not request.content.total_bytes and connection.transport is not None:
            connection.transport.write(_CONTINUE)
    return connection


def refuse_compressed(request: web.BaseRequest) -> None:
    """Passes if the body is what it is meant to be. Asking for the body does this too. Raises Refusal: 415."""
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding != "identity":
        raise Refusal(415, "a compressed body is not taken: send it as it is", headers={"Accept-Encoding": "identity"})


def _refuse_at_once(request: Request, limit: int | None) -> None:
    refuse_compressed(request)
    length = request.content_length
    if limit is not None and length is not None and length > limit:
        raise _too_large(limit)


class _Patience:
    """How long is waited for one body: for any of it, and for its pace.

    Args:
        request: whose body it is.
        limits: in force.
    """

    def __init__(self, request: Request, limits: HttpLimits) -> None:
        self._request = request
        self._limits = limits
        self._clock = asyncio.get_running_loop().time
        self._waited = 0.0

    async def wait(self, coming: Awaitable[_T]) -> _T:
        """Waits for the next piece.

        Raises:
            Refusal: 408 it did not come, or all of them come too slowly; 400 the body is cut off or malformed.
        """
        limits, began = self._limits, self._clock()
        try:
            async with asyncio.timeout(limits.stall):
                piece = await coming
        except TimeoutError:
            raise Refusal(408, f"nothing of the body came for {limits.stall:g} s") from None
        except (ConnectionError, RuntimeError, web.RequestPayloadError) as error:
            raise _broken(self._request, error) from error
        self._waited += self._clock() - began
        if (
            self._waited > limits.stall
            and self._request.content.total_bytes < limits.body_bytes_per_second * self._waited
        ):
            raise Refusal(408, f"the body came at less than {limits.body_bytes_per_second} bytes a second")
        return piece


def _broken(request: Request, error: Exception) -> Refusal:
    if isinstance(error, web.RequestPayloadError):
        return Refusal(400, "the body is malformed")
    length = request.content_length
    received = request.content.total_bytes
    whole = "a chunked body" if length is None else f"{length} bytes"
    return Refusal(400, f"the body was cut off: {received} bytes of {whole} came")


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"a body may have {show_size(limit)} here at most")
