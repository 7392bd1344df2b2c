"""From a request to its answer: calls the site and turns whatever comes of it into a response.

A response, a `Refusal`, a lost connection, a shortage of descriptors or a fault of ours: each ends in one `Outcome`.
Rule: a fault is told to the owner, with its traceback, and to the peer as a bare 500; one that comes again and again is
counted, for a disk that fails is read a thousand times a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from aiohttp import web
from aiohttp.http import HttpVersion11

from lanline.http.exchange import CUT_OFF, Request
from lanline.http.refusal import Refusal, answer_of, refusal_of_system
from lanline.transport.quiet import QuietLog

Site = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
"""Answers one request: returns a response, begun or not, or raises `Refusal`."""

_MAX_TARGET: Final = 100
"""Characters of a target in the line about its fault; the log of requests has more of it."""


class Outcome(NamedTuple):
    """How a request ended."""

    status: int
    """Of the answer; `CUT_OFF` where the peer was gone before its end."""

    is_whole: bool
    """Whether all of the answer was written. Else the connection is of no more use."""

    keeps_alive: bool
    """Whether another request may follow."""


GONE: Final = Outcome(CUT_OFF, is_whole=False, keeps_alive=False)
"""The peer is gone."""


async def answer(request: Request, site: Site, faults: QuietLog) -> Outcome:
    """Lets the site answer.

    Args:
        request: what is asked.
        site: answers.
        faults: through which the owner hears of ours.
    """
    try:
        _check_framing(request)
        return await _deliver(request, await site(request))
    except Refusal as refusal:
        if refusal.status == 500:
            _tell_owner(request, refusal, faults)
        return await refuse(request, refusal)
    except ConnectionError:
        return _left(request)
    except Exception as error:
        shortage = refusal_of_system(error)
        if shortage is not None:
            return await refuse(request, shortage)
        _tell_owner(request, error, faults)
        return await refuse(request, Refusal(500, "this server made a mistake; its owner has been told"))


async def refuse(request: Request, refusal: Refusal) -> Outcome:
    """Answers with a refusal, unless another answer has begun: that one cannot be completed any more."""
    if request.answered_status:
        return Outcome(refusal.status, is_whole=False, keeps_alive=False)
    try:
        response = answer_of(refusal, request)
        if refusal.status == 408 or _is_misframed(request):
            response.force_close()  # RFC 9110 section 15.5.9: what would come next is the rest of this request
        return await _deliver(request, response)
    except ConnectionError:
        return GONE


async def _deliver(request: Request, response: web.StreamResponse) -> Outcome:
    await response.prepare(request)
    await response.write_eof()
    return Outcome(response.status, is_whole=True, keeps_alive=bool(response.keep_alive))


def _left(request: Request) -> Outcome:
    """The peer has closed: it broke off, unless a site knows better."""
    return GONE._replace(status=request.answered_status) if request.has_arrived else GONE


def _check_framing(request: Request) -> None:
    """What aiohttp leaves open.

    Raises:
        Refusal: 417 for an expectation other than the one there is, 501 for a body in a transfer coding beside chunked,
            400 for any transfer coding in HTTP/1.0, which has none (RFC 9112 section 6.1).
    """
    if _is_misframed(request):
        raise Refusal(400, "HTTP/1.0 has no transfer codings")
    expected = request.headers.get("Expect")
    if expected is not None and expected.lower() != "100-continue":
        raise Refusal(417, "the only expectation met here is 100-continue")
    coding = request.headers.get("Transfer-Encoding")
    if coding is not None and coding.lower() != "chunked":
        raise Refusal(501, "the only transfer coding known here is chunked")


def _is_misframed(request: Request) -> bool:
    return request.version < HttpVersion11 and "Transfer-Encoding" in request.headers


def _tell_owner(request: Request, error: Exception, faults: QuietLog) -> None:
    cause = error.__cause__ or error
    text = f"{request.method} {request.raw_path[:_MAX_TARGET]} failed: {type(cause).__name__}: {cause}"
    faults.warn(_kind_of(error), text, asyncio.get_running_loop().time(), level=logging.ERROR, error=error)


def _kind_of(error: Exception) -> str:
    """Faults are of one kind where they come from the same line."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" at {place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
    return type(error.__cause__ or error).__name__ + where
