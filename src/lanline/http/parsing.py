"""aiohttp's parser as this server uses it: made with its limits, fed so that no upgrade happens.

It decides nothing about what was parsed. Rule: whoever asks for an upgrade gets an answer in HTTP/1.1, and what follows
is the next request (RFC 9110 section 7.8); after CONNECT alone nothing follows that could be parsed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.http_parser import HttpParser, HttpRequestParser
from aiohttp.streams import StreamReader

from lanline.http.limits import HttpLimits

if TYPE_CHECKING:
    from aiohttp.base_protocol import BaseProtocol

Parsed = tuple[RawRequestMessage, StreamReader]
"""A request with its body."""


def new_parser(
    protocol: BaseProtocol, loop: asyncio.AbstractEventLoop, limits: HttpLimits, max_waiting: int
) -> HttpRequestParser:
    """A parser for which the next byte begins a request, as aiohttp makes one for a new connection.

    Args:
        protocol: whose reading it pauses.
        loop: of the protocol.
        limits: of headers, and of what waits of a body.
        max_waiting: requests that may wait before reading pauses.
    """
    return HttpRequestParser(
        protocol,
        loop,
        limits.read_bytes,
        max_line_size=limits.max_target_bytes,
        max_field_size=limits.max_header_bytes + 1,
        max_headers=limits.max_header_fields,
        payload_exception=web.RequestPayloadError,
        auto_decompress=False,
        max_msg_queue_size=max_waiting,
    )


def feed(parser: HttpParser[RawRequestMessage], data: bytes) -> tuple[list[Parsed], bool]:
    """Parses what came.

    Returns:
        the requests whose headers are whole now, and whether the last is CONNECT: what follows is no HTTP.

    Raises:
        HttpProcessingError: it cannot be parsed.
    """
    messages, is_upgraded, tail = parser.feed_data(data)
    while is_upgraded and not (messages and messages[-1][0].method == "CONNECT"):
        parser.set_upgraded(False)
        more, is_upgraded, tail = parser.feed_data(tail)
        messages = [*messages, *more]
    return messages, is_upgraded
