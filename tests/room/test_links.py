"""The links of one node: shared while they are opened, found again, closed when nobody uses them, all gone at the
end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from lanline.errors import ConnectFailed
from lanline.link.client import connect_link
from lanline.link.link import Link
from lanline.link.server import Server, serve
from lanline.link.service import Service, endpoint
from lanline.roles import Role
from lanline.room.links import IDLE_AFTER, MAX_HANDSHAKES, LinkBook
from lanline.testing import clock
from lanline.testing.room import until


class Slow(Service):
    """Answers at once, or never."""

    name = "slow"

    @endpoint
    def now(self) -> str:
        """At once."""
        return "now"

    @endpoint
    async def never(self) -> None:
        """Never."""
        await asyncio.get_running_loop().create_future()


class Desk:
    """A link book whose links lead to one server in memory."""

    def __init__(self) -> None:
        self.book = LinkBook(self.connect)
        self.attempts: list[str] = []
        self.gate: asyncio.Future[None] | None = None

    async def connect(self, name: str) -> Link:
        self.attempts.append(name)
        if self.gate is not None:
            await asyncio.shield(self.gate)
        if name == "away":
            raise ConnectFailed("away refused")
        link = await connect_link("mem://member")
        link.caller = replace(link.caller, name=name, role=Role.MEMBER)
        self.book.add(link)
        link.when_gone(self.book.discard)
        return link

    def hold(self) -> asyncio.Future[None]:
        """Attempts wait for this from here on."""
        self.gate = asyncio.get_running_loop().create_future()
        return self.gate


@asynccontextmanager
async def desk() -> AsyncIterator[tuple[Desk, Server]]:
    """A desk, and the server it connects to."""
    async with serve([Slow()], "mem://member") as server:
        one = Desk()
        yield one, server
        await one.book.close()


def run(test: Callable[[Desk, Server], Coroutine[None, None, None]]) -> None:
    """Runs a test at a desk in virtual time."""

    async def main() -> None:
        async with desk() as (one, server):
            await test(one, server)

    clock.run(main())


def test_a_link_is_opened_once_and_then_found() -> None:
    async def test(desk: Desk, server: Server) -> None:
        link = await desk.book.to("pc2")
        assert await desk.book.to("pc2") is link and desk.book.live("pc2") is link
        assert desk.attempts == ["pc2"] and desk.book.all() == [link]

    run(test)


def test_those_who_ask_at_once_share_one_attempt() -> None:
    async def test(desk: Desk, server: Server) -> None:
        links = await asyncio.gather(*(desk.book.to("pc2") for _ in range(50)))
        assert len(set(links)) == 1 and desk.attempts == ["pc2"]

    run(test)


def test_one_who_no_longer_waits_does_not_end_the_attempt_of_the_others() -> None:
    async def test(desk: Desk, server: Server) -> None:
        gate = desk.hold()
        first, second = (asyncio.get_running_loop().create_task(desk.book.to("pc2")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        gate.set_result(None)
        assert (await second).is_open

    run(test)


def test_a_failed_attempt_is_told_to_all_who_wait_and_the_next_tries_anew() -> None:
    async def test(desk: Desk, server: Server) -> None:
        outcomes = await asyncio.gather(*(desk.book.to("away") for _ in range(3)), return_exceptions=True)
        assert [str(outcome) for outcome in outcomes] == ["away refused"] * 3
        with pytest.raises(ConnectFailed):
            await desk.book.to("away")
        assert desk.attempts == ["away", "away"]

    run(test)


def test_a_link_that_is_gone_is_forgotten_and_opened_anew() -> None:
    async def test(desk: Desk, server: Server) -> None:
        link = await desk.book.to("pc2")
        link.abort("the cable was pulled")
        await link.wait_gone()
        assert desk.book.live("pc2") is None
        assert await desk.book.to("pc2") is not link
        assert repr(desk.book) == "<LinkBook members=1 opening=0>"

    run(test)


def test_a_link_whose_peer_says_goodbye_is_not_used_for_new_calls() -> None:
    async def test(desk: Desk, server: Server) -> None:
        link = await desk.book.to("pc2")
        under_way = asyncio.get_running_loop().create_task(link.ask("slow.never"))
        await link.ask("slow.now")
        closing = asyncio.get_running_loop().create_task(server.close(drain=5.0))
        await until(lambda: not link.is_open)
        assert not link.is_gone and desk.book.live("pc2") is None
        await closing
        await asyncio.gather(under_way, return_exceptions=True)

    run(test)


def test_a_link_without_any_right_is_not_used() -> None:
    async def test(desk: Desk, server: Server) -> None:
        link = await desk.book.to("pc2")
        link.caller = replace(link.caller, role=None)
        assert desk.book.live("pc2") is None

    run(test)


def test_of_several_links_the_measured_one_is_used_else_the_newest() -> None:
    async def test(desk: Desk, server: Server) -> None:
        links = [await desk.connect("pc2") for _ in range(3)]
        assert desk.book.live("pc2") is links[2]
        links[1].round_trip = 0.001
        assert desk.book.live("pc2") is links[1]

    run(test)


def test_a_link_is_found_under_the_name_its_member_has_now() -> None:
    async def test(desk: Desk, server: Server) -> None:
        link = await desk.book.to("pc2")
        link.caller = replace(link.caller, name="pc3")
        desk.book.discard(link)
        desk.book.add(link)
        assert desk.book.live("pc2") is None and desk.book.live("pc3") is link

    run(test)


def test_an_idle_link_is_closed_after_ten_minutes_and_not_before() -> None:
    async def test(desk: Desk, server: Server) -> None:
        link = await desk.book.to("pc2")
        assert await desk.book.close_idle(lambda _: False, now=0) == 0
        assert await desk.book.close_idle(lambda _: False, now=IDLE_AFTER) == 0
        assert await desk.book.close_idle(lambda _: False, now=IDLE_AFTER + 1) == 1
        assert link.is_gone and desk.book.all() == []

    run(test)


def test_a_link_that_was_used_has_ten_minutes_from_then() -> None:
    async def test(desk: Desk, server: Server) -> None:
        link = await desk.book.to("pc2")
        await desk.book.close_idle(lambda _: False, now=0)
        await link.ask("slow.now")
        await desk.book.close_idle(lambda _: False, now=IDLE_AFTER)
        assert await desk.book.close_idle(lambda _: False, now=IDLE_AFTER + 1) == 0
        assert await desk.book.close_idle(lambda _: False, now=2 * IDLE_AFTER + 1) == 1

    run(test)


def test_a_link_with_a_call_under_way_or_one_that_is_needed_stays() -> None:
    async def test(desk: Desk, server: Server) -> None:
        busy, needed = await desk.book.to("pc2"), await desk.book.to("hub-1")
        call = asyncio.get_running_loop().create_task(busy.ask("slow.never"))
        await asyncio.sleep(0)
        for now in (0, IDLE_AFTER + 1, 3 * IDLE_AFTER):
            assert await desk.book.close_idle(lambda link: link is needed, now=now) == 0
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    run(test)


def test_no_more_links_are_opened_at_once_than_the_loop_can_bear() -> None:
    async def test(desk: Desk, server: Server) -> None:
        gate = desk.hold()
        asking = [asyncio.get_running_loop().create_task(desk.book.to(f"pc{n}")) for n in range(MAX_HANDSHAKES + 20)]
        await until(lambda: len(desk.attempts) == MAX_HANDSHAKES)
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(desk.attempts) == MAX_HANDSHAKES
        gate.set_result(None)
        assert len(await asyncio.gather(*asking)) == MAX_HANDSHAKES + 20

    run(test)


def test_a_link_that_comes_in_while_an_attempt_waits_its_turn_is_taken() -> None:
    async def test(desk: Desk, server: Server) -> None:
        gate = desk.hold()
        others = [asyncio.get_running_loop().create_task(desk.book.to(f"pc{n}")) for n in range(MAX_HANDSHAKES)]
        asking = asyncio.get_running_loop().create_task(desk.book.to("late"))
        await until(lambda: len(desk.attempts) == MAX_HANDSHAKES)
        gate.set_result(None)
        incoming = await desk.connect("late")
        await asyncio.gather(*others)
        assert await asking is incoming and desk.attempts.count("late") == 1

    run(test)


def test_at_the_end_every_attempt_and_link_is_over_and_none_begins() -> None:
    async def test(desk: Desk, server: Server) -> None:
        link = await desk.book.to("pc2")
        desk.hold()
        waiting = asyncio.get_running_loop().create_task(desk.book.to("pc3"))
        await until(lambda: "pc3" in desk.attempts)
        await desk.book.close()
        assert link.is_gone
        with pytest.raises(ConnectFailed, match="this node is stopping"):
            await waiting
        with pytest.raises(ConnectFailed, match="this node is stopping"):
            await desk.book.to("pc4")
        assert repr(desk.book) == "<LinkBook members=0 opening=0>"

    run(test)
