"""What comes of a site's word, or of its fault."""

from __future__ import annotations

import asyncio
import errno
import logging
import re

import pytest
from aiohttp import web

from lanline.http.exchange import Exchange
from lanline.http.refusal import Refusal
from tests.http.raw import connected, request, serving


def test_a_refusal_after_the_answer_has_begun_cuts_it_off() -> None:
    heard: list[Exchange] = []

    async def main() -> None:
        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": "10"})
            await response.prepare(asked)
            await response.write(b"12345")
            raise Refusal(409, "changed")

        async with serving(site, heard=heard.append) as server, connected(server) as raw:
            await raw.send(request("/"))
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await raw.answer()

    asyncio.run(main())
    assert [one.status for one in heard] == [409]


def test_a_shortage_of_descriptors_is_503_and_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async def site(_asked: web.BaseRequest) -> web.StreamResponse:
            raise OSError(errno.EMFILE, "Too many open files")

        async with serving(site) as server, connected(server) as raw:
            answer = await raw.ask(request("/"))
            assert answer.status == 503 and answer.fields["retry-after"].isdigit()

    asyncio.run(main())
    assert not caplog.records


def test_a_refusal_with_500_is_told_to_the_owner_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async def site(_asked: web.BaseRequest) -> web.StreamResponse:
            raise Refusal(500, "the system failed") from OSError(errno.EIO, "a bad disk")

        async with serving(site) as server, connected(server) as raw:
            answer = await raw.ask(request("/x%1b"))
            assert (answer.status, answer.body) == (500, b"The system failed.\n")

    with caplog.at_level(logging.ERROR, logger="lanline.http"):
        asyncio.run(main())
    assert "a bad disk" in caplog.text
    assert [record.getMessage() for record in caplog.records] == ["GET /x%1b failed: OSError: [Errno 5] a bad disk"]


def test_a_fault_that_comes_again_and_again_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    times = 1000

    async def main() -> None:
        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            if asked.path == "/other":
                raise KeyError("another")
            raise OSError(errno.EIO, "a bad disk")

        async with serving(site) as server, connected(server) as raw:
            for _ in range(times):
                assert (await raw.ask(request("/" + 5000 * "x"))).status == 500
            assert (await raw.ask(request("/other"))).status == 500

    with caplog.at_level(logging.ERROR, logger="lanline.http"):
        asyncio.run(main())
    messages = [record.getMessage() for record in caplog.records]
    assert "OSError: [Errno 5] a bad disk" in messages[0] and caplog.records[0].exc_info
    assert "/other failed: KeyError" in "".join(messages)
    counted = [int(found) for found in re.findall(r"and (\d+) more like it", "".join(messages))]
    assert sum(counted) + len(messages) == times + 1
    assert sum(record.exc_info is not None for record in caplog.records) == 2
    assert len(caplog.text) < 20_000
