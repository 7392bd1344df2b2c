"""Claims about one complete download: who may take it, what counts as having taken it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from tests.services.share.once_site import Visitor, once_site

from lanline.address import Address
from lanline.beneath import Folder
from lanline.http.exchange import Exchange
from lanline.http.server import HttpServer
from lanline.room.paths import StateFolder
from lanline.services.share.answers.delivery import deliver
from lanline.services.share.answers.once import Framing, Once, Parts
from lanline.services.share.assembly import site_of
from lanline.services.share.owner.certificate import https_context, own_identity
from lanline.services.share.shared import Permissions, Shared

SIZE = 3_000_000


def _run(tmp_path: Path, test: Callable[[Once, Callable[..., Visitor]], Awaitable[None]], size: int = SIZE) -> None:
    (tmp_path / "build.tar").write_bytes(bytes(range(250)) * (size // 250))

    async def main() -> None:
        async with once_site(tmp_path, "build.tar") as (once, visitor):
            await asyncio.wait_for(test(once, visitor), 60)

    asyncio.run(main())


def test_who_has_all_of_it_has_taken_it(tmp_path: Path) -> None:
    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        async with visitor() as one:
            assert len(await one.get("/build.tar")) == SIZE
            assert await once.taken_by == "127.0.0.1"

    _run(tmp_path, test)


def test_an_empty_file_is_taken_too(tmp_path: Path) -> None:
    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        async with visitor() as one:
            assert await one.get("/build.tar") == b""
            assert await once.taken_by == "127.0.0.1"

    _run(tmp_path, test, size=0)


def test_the_list_a_header_and_a_part_take_nothing(tmp_path: Path) -> None:
    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        async with visitor() as one:
            await one.get("/")
            await one.get("/build.tar", method="HEAD")
            assert len(await one.get("/build.tar", Range=f"bytes=0-{SIZE - 2}")) == SIZE - 1
            assert not once.taken_by.done()

    _run(tmp_path, test)


def test_several_ranges_at_once_are_refused_and_one_with_empty_elements_is_not(tmp_path: Path) -> None:
    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        async with visitor() as one:
            for ranges in (f"bytes=0-{SIZE - 2},{SIZE - 1}-", "bytes=0-0,-1", "bytes = 0-0 , 5-5"):
                assert await one.status("/build.tar", Range=ranges) == 416
                assert one.length < 200, "no byte of the file"
            assert await one.get("/build.tar", Range="bytes=0-1, ,") == b"\0\1"

    _run(tmp_path, test)


def test_whoever_has_been_given_more_than_half_keeps_it_and_nobody_else_gets_a_byte(tmp_path: Path) -> None:
    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        async with visitor("127.0.0.2") as one:
            assert await one.when_free("/build.tar", Range=f"bytes=0-{SIZE - 2}") == 206
        for _ in range(3):
            async with visitor("127.0.0.3") as other:
                assert await other.when_free("/build.tar", Range="bytes=0-0") == 409
                assert await other.status("/") == 200, "the list is for everybody"
        async with visitor("127.0.0.2") as one:
            assert await one.when_free("/build.tar", Range=f"bytes={SIZE - 1}-") == 206
        assert await once.taken_by == "127.0.0.2"

    _run(tmp_path, test)


def test_small_parts_to_many_visitors_count_in_all(tmp_path: Path) -> None:
    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        statuses = []
        for number in range(2, 8):
            async with visitor(f"127.0.0.{number}") as one:
                statuses.append(await one.when_free("/build.tar", Range=f"bytes=0-{SIZE // 5}"))
        assert statuses == [206, 206, 206, 409, 409, 409]
        async with visitor("127.0.0.4") as holder:
            assert await holder.when_free("/build.tar") == 200
        assert await once.taken_by == "127.0.0.4"

    _run(tmp_path, test)


def test_what_was_cut_counts_as_far_as_it_came(tmp_path: Path) -> None:
    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        async with visitor("127.0.0.2") as one:
            assert await one.begin("/build.tar") == 200
            await one.some(40 * SIZE)
            one.reset()
        async with visitor("127.0.0.3") as other:
            assert await other.when_free("/build.tar") == 409
        async with visitor("127.0.0.2") as one:
            assert await one.when_free("/build.tar", Range=f"bytes={40 * SIZE}-") == 206
        assert await once.taken_by == "127.0.0.2"

    _run(tmp_path, test, size=60 * SIZE)


def test_a_picture_on_a_page_of_another_site_takes_nothing_and_a_link_there_does(tmp_path: Path) -> None:
    embedded = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        async with visitor() as one:
            assert await one.status("/build.tar", **embedded) == 403
            assert not once.taken_by.done()
            assert await one.status("/build.tar", **followed) == 200
            assert await once.taken_by == "127.0.0.1"

    _run(tmp_path, test)


@pytest.mark.parametrize("target", ["/?zip", "/?tar", "/?zip&name=build.tar"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_has_it_in_an_archive(tmp_path: Path, target: str, method: str) -> None:
    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        async with visitor() as one:
            assert await one.begin(target, method=method) == 403

    _run(tmp_path, test)


def test_who_breaks_off_and_asks_for_the_rest_has_what_is_before(tmp_path: Path) -> None:
    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        kept = 0
        for part in (SIZE, 5 * SIZE):
            async with visitor() as one:
                assert await one.when_begun("/build.tar", Range=f"bytes={kept}-") == 206
                await one.some(part)
                one.reset()
            kept += part
        async with visitor() as one:
            assert await one.when_free("/build.tar", Range=f"bytes={kept}-") == 206
        assert await once.taken_by == "127.0.0.1"

    _run(tmp_path, test, size=60 * SIZE)


def test_who_asks_for_a_rest_before_which_he_was_sent_nothing_has_not_taken_it(tmp_path: Path) -> None:
    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        async with visitor() as one:
            await one.begin("/build.tar")
            await one.some(1000)
            one.reset()
        async with visitor() as one:
            assert await one.when_free("/build.tar", Range=f"bytes={59 * SIZE}-") == 206
        assert not once.taken_by.done()

    _run(tmp_path, test, size=60 * SIZE)


def test_parts_of_a_download_count_as_one(tmp_path: Path) -> None:
    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        async with visitor() as one:
            await one.get("/build.tar", Range="bytes=0-999999")
        assert not once.taken_by.done()
        async with visitor() as one:
            await one.get("/build.tar", Range="bytes=1000000-")
        assert await once.taken_by == "127.0.0.1"

    _run(tmp_path, test)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("is_tls", [False, True])
def test_who_closes_before_that_was_looked_at_has_it_all_the_same(
    tmp_path: Path, is_tls: bool, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    (tmp_path / "build.tar").write_bytes(bytes(SIZE))
    heard: list[Exchange] = []

    async def main() -> None:
        ours, theirs = _contexts(tmp_path / "state") if is_tls else (None, None)
        with Folder(tmp_path) as held:
            once = Once(("build.tar",))
            only = Shared(held, Permissions(), name="build.tar", only="build.tar")
            inner = site_of(only, guards=[once.guard])

            async def closed_at_once(request: web.BaseRequest) -> web.StreamResponse:
                await deliver(request, await inner(request))
                raise ConnectionResetError("the connection is lost")

            site, place = once.around(closed_at_once), Address("tcp", "127.0.0.1", 0)
            async with HttpServer(site, place, tls=ours, heard=heard.append) as server:
                async with Visitor(server.addresses[0].port, tls=theirs) as one:
                    assert len(await one.get("/build.tar")) == SIZE
                    assert await asyncio.wait_for(once.taken_by, 60) == "127.0.0.1"
                await server.close(0)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())
    assert [one.status for one in heard] == [200], "nobody has broken off"


def _contexts(state: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS of a share, and of a visitor who takes it as it is."""
    identity = own_identity(StateFolder(state), ["localhost"])
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.check_hostname, theirs.verify_mode = False, ssl.CERT_NONE
    return https_context(identity.file, identity.file), theirs


def test_a_cut_answer_counts_up_to_where_another_connection_had_begun_before(tmp_path: Path) -> None:
    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        async with visitor() as first, visitor() as second:
            assert await first.begin("/build.tar") == 200
            assert await second.when_free("/build.tar", Range=f"bytes={10 * SIZE}-") == 206
            await first.some(10 * SIZE)
            assert not once.taken_by.done()
            first.reset()
            assert await once.taken_by == "127.0.0.1"

    _run(tmp_path, test, size=60 * SIZE)


def test_a_cut_answer_that_did_not_come_to_where_another_had_begun_lacks_what_is_between(tmp_path: Path) -> None:
    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        async with visitor() as first, visitor() as second:
            assert await first.begin("/build.tar") == 200
            await first.some(1000)
            assert await second.when_free("/build.tar", Range=f"bytes={59 * SIZE}-") == 206
            first.reset()
        async with visitor("127.0.0.2") as other:
            await other.when_begun("/build.tar")
        assert not once.taken_by.done()

    _run(tmp_path, test, size=60 * SIZE)


@given(st.integers(0, 1 << 40), st.sampled_from([0, 22]))
def test_what_records_carry_is_told_exactly_where_they_are_full(count: int, frame: int) -> None:
    framing = Framing(frame)
    assert framing.content_bytes(framing.wire_bytes(count)) == count
    assert framing.wire_bytes(framing.content_bytes(count)) <= count + frame


def test_parts_of_a_file_that_changed_in_between_do_not_make_one(tmp_path: Path) -> None:
    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        async with visitor() as one:
            await one.get("/build.tar", Range="bytes=0-999999")
            (tmp_path / "build.tar").write_bytes(b"y" * SIZE)
            await one.get("/build.tar", Range="bytes=1000000-")
            assert not once.taken_by.done()
            await one.get("/build.tar", Range="bytes=0-999999")
            assert await once.taken_by == "127.0.0.1"

    _run(tmp_path, test)


def test_who_breaks_off_has_not_taken_it_and_another_may(tmp_path: Path) -> None:
    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        async with visitor("127.0.0.2") as one:
            await one.begin("/build.tar")
            async with visitor("127.0.0.3") as other:
                assert (await other.status("/build.tar"), other.headers["retry-after"]) == (503, "5")
                assert await other.status("/") == 200, "the list is for everybody"
            one.reset()
        async with visitor("127.0.0.3") as other:
            assert await other.when_free("/build.tar") == 200
            assert other.length == 20 * SIZE
            assert await once.taken_by == "127.0.0.3"
        async with visitor("127.0.0.4") as late:
            assert await late.status("/build.tar") == 410

    _run(tmp_path, test, size=20 * SIZE)


def test_parts_of_two_visitors_do_not_make_one(tmp_path: Path) -> None:
    async def test(once: Once, visitor: Callable[..., Visitor]) -> None:
        for host, part in (("127.0.0.2", "bytes=0-999999"), ("127.0.0.3", "bytes=1000000-")):
            async with visitor(host) as one:
                assert await one.when_free("/build.tar", Range=part) == 206
        assert not once.taken_by.done()

    _run(tmp_path, test)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40))
def test_stretches_cover_what_single_bytes_would(stretches: list[tuple[int, int]]) -> None:
    parts, seen = Parts(), set[int]()
    for begin, end in stretches:
        parts.add(begin, end)
        seen |= set(range(begin, end))
        assert parts.cover(25) is (seen >= set(range(25)) and not seen & {*range(25, 31)})


def test_what_is_kept_of_parts_is_bounded() -> None:
    parts = Parts()
    for number in range(3 * Parts.MOST):
        parts.add(10 * number, 10 * number + 5)
    assert len(parts._stretches) == Parts.MOST
    assert not parts.cover(30 * Parts.MOST)


def test_an_empty_file_needs_no_part() -> None:
    assert Parts().cover(0) and not Parts().cover(1)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_both_loops_tell_what_has_arrived(tmp_path: Path, loop: str) -> None:
    (tmp_path / "build.tar").write_bytes(bytes(SIZE))

    async def main() -> None:
        async with once_site(tmp_path, "build.tar") as (once, visitor), visitor() as one:
            await one.get("/build.tar")
            assert await asyncio.wait_for(once.taken_by, 60) == "127.0.0.1"

    factory = asyncio.new_event_loop if loop == "asyncio" else pytest.importorskip("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
