"""The parser as this server feeds it."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from lanline.http.limits import WEB
from lanline.http.parsing import feed, new_parser
from tests.http.raw import request


def parsed(data: bytes) -> tuple[list[str], bool]:
    """The targets of the requests in these bytes, and whether the last one is CONNECT."""

    async def main() -> tuple[list[str], bool]:
        loop = asyncio.get_running_loop()
        messages, is_connect = feed(new_parser(BaseProtocol(loop), loop, WEB, 32), data)
        return [message.path for message, _ in messages], is_connect

    return asyncio.run(main())


def test_requests_in_one_piece_are_all_there() -> None:
    assert parsed(request("/1") + request("/2", method="PUT", body=b"abc") + request("/3")) == (
        ["/1", "/2", "/3"],
        False,
    )


def test_who_asks_for_an_upgrade_is_one_request_among_others() -> None:
    asking = request("/1", "Connection: Upgrade", "Upgrade: websocket")
    assert parsed(asking + asking + request("/2")) == (["/1", "/1", "/2"], False)


def test_after_connect_nothing_is_parsed() -> None:
    asking = request("x:1", method="CONNECT")
    assert parsed(asking + b"anything\r\n\r\n") == (["x:1"], True)


def test_the_limits_are_those_it_was_made_with() -> None:
    with pytest.raises(LineTooLong):
        parsed(request("/" + WEB.max_target_bytes * "x"))
    with pytest.raises(HttpProcessingError):
        parsed(request("/", *(f"X{number}: y" for number in range(WEB.max_header_fields))))
