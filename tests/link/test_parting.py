"""Closing in bounded time: patience with who goes on taking bytes, none with who does not. In virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lanline.framing.raw import Raw
from lanline.limits import LAN
from lanline.link.channel import Channel
from lanline.link.client import connect
from lanline.link.server import serve
from lanline.link.streamchannel import StreamChannel
from lanline.testing import clock
from tests.link.conftest import Run
from tests.link.desk import Desk, linked


async def _silent(channel: Channel) -> None:
    """Takes nothing, for ever."""
    assert isinstance(channel, StreamChannel)
    channel._transport.pause_reading()
    await asyncio.Event().wait()


async def _closing_takes(mem: str, size: int, handler: Any) -> float:
    """Virtual seconds that closing takes with so much unsent towards a peer like this."""
    loop = asyncio.get_running_loop()
    async with serve(handler, mem, framing=Raw(), limits=LAN._replace(drain=5.0)) as server:
        channel = await connect(mem, framing=Raw())
        for _ in range(10):
            await asyncio.sleep(0)
        assert isinstance(channel, StreamChannel)
        channel._out = [bytes(size)]
        began = loop.time()
        await channel.close()
        taken = loop.time() - began
        await server.close(drain=0.0)
    return taken


def test_who_takes_everything_is_waited_for_no_longer_than_it_takes(mem: str, run_virtual: Run[Any]) -> None:
    async def greedy(channel: Channel) -> None:
        async for _ in channel:
            continue

    assert run_virtual(_closing_takes(mem, 3_000_000, greedy)) == 0


def test_who_takes_nothing_is_cut_off_after_the_drain_time(mem: str, run_virtual: Run[Any]) -> None:
    assert run_virtual(_closing_takes(mem, 3_000_000, _silent)) == pytest.approx(5)


def test_who_takes_a_little_now_and_then_is_waited_for(mem: str, run_virtual: Run[Any]) -> None:
    async def sips(channel: Channel) -> None:
        assert isinstance(channel, StreamChannel)
        loop = asyncio.get_running_loop()
        transport = channel._transport
        transport.pause_reading()

        def sip() -> None:
            channel._messages = ()
            channel._waiting_bytes = 0
            transport.resume_reading()
            loop.call_later(0, transport.pause_reading)
            loop.call_later(3, sip)

        sip()
        await channel.wait_gone()

    assert 12 < run_virtual(_closing_takes(mem, 2_000_000, sips)) < 60


def test_who_has_everything_and_does_not_close_is_given_a_second(run_virtual: Run[Any]) -> None:
    """As over TLS, where asyncio waits half a minute for the peer's goodbye."""
    from lanline.link.parting import Parting

    class Lingering(asyncio.Transport):
        """A transport that has sent everything and never hears the end."""

        events: list[tuple[float, str]]

        def is_closing(self) -> bool:
            return bool(self.events)

        def get_write_buffer_size(self) -> int:
            return 0

        def close(self) -> None:
            self.events.append((asyncio.get_running_loop().time(), "close"))

        def abort(self) -> None:
            self.events.append((asyncio.get_running_loop().time(), "abort"))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        loop.call_later(10, done.set_result, None)
        kept, cut = Lingering(), Lingering()
        kept.events, cut.events = [], []
        partings = [Parting(transport, LAN) for transport in (kept, cut)]
        for parting in partings:
            parting.begin()
            parting.begin()
        partings[0].over()
        await done
        assert kept.events == [(0, "close")]
        assert cut.events == [(0, "close"), (1, "abort")]

    run_virtual(main())


def test_a_closed_connection_leaves_nothing_on_the_clock(mem: str, run_virtual: Run[Any]) -> None:
    async def main() -> None:
        desk, loop = Desk(), asyncio.get_running_loop()
        assert isinstance(loop, clock.VirtualTimeLoop), "whose timers lie open"
        async with linked(mem, desk) as link:
            assert await link.ask("desk.say", "x", timeout=60) == "x"
        assert _set(loop) == []
        async with serve(_silent, mem), connect(mem) as channel:
            await channel.send(b"x")
            channel.abort()
        assert _set(loop) == []

    run_virtual(main())


def _set(loop: clock.VirtualTimeLoop) -> list[asyncio.TimerHandle]:
    """The timers that will go off."""
    timers: list[asyncio.TimerHandle] = loop._scheduled  # type: ignore[attr-defined]
    return [timer for timer in timers if not timer.cancelled()]
