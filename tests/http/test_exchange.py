"""What is noted of a request for the log."""

from __future__ import annotations

import asyncio

from aiohttp import web

from lanline.http.exchange import Exchange, set_user
from tests.http.raw import connected, request, serving


def test_the_user_whom_a_guard_named_is_in_the_log() -> None:
    heard: list[Exchange] = []

    async def main() -> None:
        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            set_user(asked, "ann")
            return web.Response(text="x")

        async with serving(site, heard=heard.append) as server, connected(server) as raw:
            await raw.ask(request("/"))

    asyncio.run(main())
    assert [(one.user, one.status) for one in heard] == [("ann", 200)]


def test_a_continue_is_expected_by_http_1_1_alone() -> None:
    seen: list[bool] = []

    async def main() -> None:
        async def site(asked: web.BaseRequest) -> web.StreamResponse:
            seen.append(asked.expects_continue)  # type: ignore[attr-defined]  # it is a Request of ours
            return web.Response()

        async with serving(site) as server:
            for version, field in (("1.1", "Expect: 100-Continue"), ("1.0", "Expect: 100-continue"), ("1.1", "X: y")):
                async with connected(server) as raw:
                    await raw.ask(request("/", field, version=version))

    asyncio.run(main())
    assert seen == [True, False, False]
