"""What the parser refuses, said as a status and a sentence: 400, 414, 431 or 501.

aiohttp answers 400 to all of it and repeats the bytes. Here none are repeated: they may be a password in the wrong
place, or a page. Rule: a sentence of this file holds numbers of ours and no byte of the peer.

Source: RFC 9112 section 3 (a request line too long: 414; a method nobody knows: 501), RFC 6585 section 5 (431).
"""

from __future__ import annotations

import re
from typing import Final

from aiohttp.http import HttpVersion11, RawRequestMessage
from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError, InvalidURLError, LineTooLong
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from lanline.http.limits import HttpLimits
from lanline.http.refusal import Refusal

_METHOD: Final = re.compile(
    rb"[\r\n]*[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}(?:\Z| [^ \r\n]*(?:\Z| (?:HTTP/1\.[01]\r?\n|[HTP/1.0]*\Z)))"
)
"""A token (RFC 9110 section 5.6.2) and, as far as it has come, the rest of a request line."""

_TLS: Final = re.compile(rb"\x16\x03")
"""How a TLS handshake begins (RFC 8446 section 5.1)."""

_ALWAYS: Final = "GET, HEAD, OPTIONS"
"""Methods that every site answers for whatever is there. What else one answers, its own 405 and OPTIONS say."""


def refusal_of_parser(error: HttpProcessingError, begun: bytes, limits: HttpLimits) -> Refusal:
    """The refusal for what could not be parsed.

    Args:
        error: what the parser raised.
        begun: the first bytes of this request; empty where it began within a piece together with others.
        limits: that were in force.
    """
    if isinstance(error, LineTooLong):
        is_target = len(error.args) > 1 and error.args[1] == limits.max_target_bytes
        return target_too_long(limits) if is_target else header_too_large(limits)
    if isinstance(error, BadHttpMethod):
        if _TLS.match(begun):
            return Refusal(400, "this port speaks plain HTTP, and TLS was spoken: use http:// in the address")
        if _METHOD.match(begun):
            return Refusal(501, "this server does not know the method", headers={"Allow": _ALWAYS})
    if isinstance(error, InvalidURLError):
        return Refusal(400, "the target of the request is malformed")
    text = str(error.args[0]) if error.args else ""
    if text.startswith("Too many headers"):
        return header_too_large(limits)
    if text.startswith("Missing 'Host'"):
        return Refusal(400, "a request of HTTP/1.1 needs a Host field")
    if text.startswith("Duplicate"):
        return Refusal(400, "a field that may stand once stands twice")
    return Refusal(400, "the request is malformed")


def unreadable() -> RawRequestMessage:
    """In place of a request that could not be read."""
    fields: CIMultiDict[str] = CIMultiDict()
    return RawRequestMessage("-", "-", HttpVersion11, CIMultiDictProxy(fields), (), True, None, False, False, URL("/"))


def target_too_long(limits: HttpLimits) -> Refusal:
    """414."""
    return Refusal(414, f"the target of the request is longer than {limits.max_target_bytes} bytes")


def header_too_large(limits: HttpLimits) -> Refusal:
    """431."""
    return Refusal(
        431,
        f"the header of the request is over {limits.max_header_bytes} bytes or {limits.max_header_fields} fields",
    )
