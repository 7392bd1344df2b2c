"""Links over bad networks: half-open, slow, sliced, cut and reset; and peers that take their time on purpose.

Through the fault proxy and over real sockets, on both event loops, with short limits, so that minutes are parts of a
second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Any

import pytest
import uvloop

from lanline.errors import CallLost, ConnectFailed, LanlineError
from lanline.limits import LAN, Limits
from lanline.link.link import Link
from lanline.link.service import Service, endpoint
from lanline.roles import Role
from lanline.room.identity import load_identity
from lanline.room.names import certificate_name
from lanline.testing.proxy import FaultProxy, Faults
from lanline.testing.room import Room, real_room, until

Run = Callable[[Coroutine[Any, Any, None]], None]

IMPATIENT = LAN._replace(ping_after=0.1, gone_after=0.4, handshake=0.5, connect=2.0, stall=0.3, unsent_bytes=256 * 1024)


class Talk(Service):
    """Says what it hears, or a great deal."""

    name = "talk"

    @endpoint(role=Role.GUEST)
    def echo(self, text: str) -> str:
        """The same."""
        return text

    @endpoint(role=Role.GUEST)
    async def flood(self, chunks: int) -> AsyncIterator[bytes]:
        """So many times 16 KiB."""
        for _ in range(chunks):
            yield bytes(16 * 1024)


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Both event loops: what becomes of a broken connection is their business, and they differ."""
    loop: Run = request.param
    return loop


@pytest.fixture(autouse=True)
def _quick_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes look for their hub again at once."""
    monkeypatch.setattr("lanline.room.hublink.MAX_PAUSE", 0.02)


@asynccontextmanager
async def behind_proxy(faults: Faults, seed: int, limits: Limits = IMPATIENT) -> AsyncIterator[tuple[Room, FaultProxy]]:
    """A hub, and pc2 that knows it only by the proxy's address."""
    async with (
        asyncio.timeout(15),
        real_room(2, services=lambda _: [Talk()], limits=limits, is_started=False) as room,
    ):
        await room.start("hub-1")
        address = room.hub.addresses[0]
        async with FaultProxy(address.host, address.port, faults=faults, seed=seed) as proxy:
            room.routes = {f"{address.host}:{address.port}": proxy.place}
            await room.start("pc2")
            yield room, proxy
            await room.stop("pc2")


@pytest.mark.parametrize("faults", [Faults(), Faults(slice_bytes=5), Faults(delay=0.005, jitter=0.01)], ids=str)
def test_what_only_slows_or_slices_changes_nothing(run: Run, faults: Faults, seed: int) -> None:
    async def main() -> None:
        async with behind_proxy(faults, seed, LAN) as (room, proxy):
            await room.wait_together()
            link = await room["pc2"].link_to("hub-1")
            assert await link.ask("talk.echo", "x" * 5000) == "x" * 5000
            received = [len(chunk) async for chunk in link.stream("talk.flood", 8)]
            assert received == [16 * 1024] * 8 and proxy.figures.connections == 1

    run(main())


def test_a_half_open_link_is_gone_on_both_sides_when_its_silence_is_over(run: Run, seed: int) -> None:
    async def main() -> None:
        async with behind_proxy(Faults(), seed) as (room, proxy):
            await room.wait_together()
            near, far = room["pc2"].live_link("hub-1"), room.hub.live_link("pc2")
            assert near is not None and far is not None
            call = asyncio.get_running_loop().create_task(near.ask("talk.echo", "lost"))
            proxy.faults = Faults(is_swallowing=True)
            began = asyncio.get_running_loop().time()
            assert "nothing came from the peer" in await near.wait_gone()
            await far.wait_gone()
            # Its silence, the second that every peer has for closing, and a margin for a machine that stands still.
            assert asyncio.get_running_loop().time() - began < IMPATIENT.gone_after + 1.0 + 8.0
            await asyncio.gather(call, return_exceptions=True)
            assert "pc2" not in room.hub.presence.online
            proxy.faults = Faults()
            await room.wait_together()

    run(main())


def test_a_silent_but_living_link_is_kept_by_its_pings(run: Run, seed: int) -> None:
    async def main() -> None:
        async with behind_proxy(Faults(), seed) as (room, _):
            await room.wait_together()
            while True:
                link = await room["pc2"].link_to("hub-1")
                if await has_run_on(2 * IMPATIENT.gone_after, IMPATIENT.ping_after):
                    break
            assert link.is_open

    run(main())


async def has_run_on(seconds: float, gap: float) -> bool:
    """Waits so long; whether this machine never stood still for `gap` seconds meanwhile, in which nobody can ping."""
    loop = asyncio.get_running_loop()
    moments = [loop.time()]

    def is_over() -> bool:
        moments.append(loop.time())
        return moments[-1] > moments[0] + seconds

    await until(is_over)
    return all(later - earlier < gap for earlier, later in pairwise(moments))


@pytest.mark.parametrize("after", [0, 1, 300, 1500, 2500, 4000])
def test_a_connection_cut_at_any_place_is_a_failure_that_says_so_and_is_tried_again(
    run: Run, after: int, seed: int
) -> None:
    async def main() -> None:
        async with behind_proxy(Faults(cut_after=after, is_resetting=bool(after % 2)), seed) as (room, proxy):
            await until(lambda: proxy.figures.connections >= 1)
            status = room["pc2"].status()
            await until(lambda: room["pc2"].status().waiting_for != "" or proxy.figures.connections > 1)
            assert status.waiting_for.startswith("the hub hub-1") or status.waiting_for == ""
            proxy.faults = Faults()
            await room.wait_together()

    run(main())


def test_a_call_whose_link_is_reset_is_lost_and_never_hangs(run: Run, seed: int) -> None:
    async def main() -> None:
        async with behind_proxy(Faults(), seed) as (room, proxy):
            await room.wait_together()
            link = await room["pc2"].link_to("hub-1")
            proxy.faults = Faults(is_swallowing=True)
            calls = [asyncio.get_running_loop().create_task(link.ask("talk.echo", "x")) for _ in range(20)]
            await asyncio.sleep(0)
            proxy.break_all()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(outcome, CallLost) for outcome in outcomes)

    run(main())


async def tls_link(room: Room) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A TLS connection with the hub as pc2, on which nothing of a link is said by itself."""
    identity, address = load_identity(room.folders["pc2"]), room.hub.addresses[0]
    return await asyncio.open_connection(
        address.host, address.port, ssl=identity.connecting, server_hostname=certificate_name("hub-1", "lab")
    )


@asynccontextmanager
async def hub_alone(limits: Limits = IMPATIENT) -> AsyncIterator[Room]:
    """A hub; pc2 is on disk only."""
    async with (
        asyncio.timeout(15),
        real_room(2, services=lambda _: [Talk()], limits=limits, is_started=False) as room,
    ):
        await room.start("hub-1")
        yield room


def test_a_member_that_says_nothing_after_its_handshake_is_dropped_in_time(run: Run) -> None:
    async def main() -> None:
        async with hub_alone() as room:
            reader, writer = await tls_link(room)
            assert await reader.read(1), "the hub's HELLO"
            began = asyncio.get_running_loop().time()
            with suppress(ConnectionResetError):  # a peer that is cut off may see either end
                while await reader.read(65536):
                    pass
            assert asyncio.get_running_loop().time() - began < 10, "half a second, were no machine ever to stand still"
            writer.close()

    run(main())


def test_a_frame_that_trickles_is_dropped_and_others_are_served_meanwhile(run: Run) -> None:
    async def main() -> None:
        async with hub_alone(LAN) as room:
            slow = [await tls_link(room) for _ in range(4)]
            for _, writer in slow:
                writer.write(b"\x00\x00\x10\x00\x01")  # a HELLO of 4 KiB begins, and comes byte by byte
            await room.start("pc2")
            link = await room["pc2"].link_to("hub-1")
            for number in range(100):
                for _, writer in slow:
                    writer.write(b"\x00")
                assert await link.ask("talk.echo", str(number), timeout=15.0) == str(number)
            for _, writer in slow:
                writer.close()

    run(main())


def test_a_reader_that_takes_nothing_is_dropped_and_costs_the_others_nothing(run: Run) -> None:
    async def main() -> None:
        async with hub_alone(LAN._replace(stall=IMPATIENT.stall, unsent_bytes=IMPATIENT.unsent_bytes)) as room:
            await room.start("pc2")
            await room.wait_together()
            link = await room["pc2"].link_to("hub-1")
            deaf = await deaf_link(room)
            call = deaf.open("talk.flood", 10_000, last=True, window=2**31)
            answered = 0
            # Its own loop reads nothing, so only the hub can end it. The other is served until then and after it.
            while answered < 10 or (len(room.hub.links()) > 1 and answered < 5000):
                assert await link.ask("talk.echo", "x", timeout=15.0) == "x"
                answered += 1
            await until(lambda: len(room.hub.links()) == 1)
            assert await link.ask("talk.echo", "x", timeout=15.0) == "x"
            call.cancel("over")
            deaf.abort("over")

    run(main())


async def deaf_link(room: Room) -> Link:
    """A second link of pc2 with the hub, whose socket is not read from any more."""
    node, address = room["pc2"], room.hub.addresses[0]
    link = await node._connect_at(f"{address.host}:{address.port}", "hub-1")
    link.pump.transport.pause_reading()
    return link


def test_a_hub_that_is_not_there_is_named_with_its_address(run: Run) -> None:
    async def main() -> None:
        async with hub_alone() as room:
            address = room.hub.addresses[0]
            await room.stop("hub-1")
            await room.start("pc2")
            with pytest.raises(ConnectFailed, match=f"{address.port}"):
                await room["pc2"].link_to("hub-1")

    run(main())


def test_every_error_of_a_bad_network_is_one_of_ours(run: Run, seed: int) -> None:
    async def main() -> None:
        async with hub_alone() as room:
            address = room.hub.addresses[0]
            node = None
            async with FaultProxy(address.host, address.port, seed=seed) as proxy:
                room.routes = {f"{address.host}:{address.port}": proxy.place}
                await room.start("pc2")
                node = room["pc2"]
                for faults in (Faults(is_refusing=True), Faults(cut_after=0), Faults(cut_after=700, is_resetting=True)):
                    proxy.faults = faults
                    proxy.break_all()
                    await until(lambda: not node.links())
                    with pytest.raises(LanlineError):
                        await node.link_to("hub-1")
                proxy.faults = Faults()
                await room.wait_together()
                assert (await node.link_to("hub-1")).is_open
                await room.stop("pc2")

    run(main())
