"""Claims about the listening side: one partner at a time, the next is told, and afterwards the line is free."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import pytest
from tests.services.talk.hands import Hands

from lanline.address import Address
from lanline.errors import ListenFailed, RemoteProtocolError
from lanline.framing.base import Framing
from lanline.framing.netstring import Netstring
from lanline.framing.raw import Raw
from lanline.link.channel import Channel
from lanline.link.client import connect
from lanline.services.talk.events import How, Over
from lanline.services.talk.signals import Signals, Told
from lanline.services.talk.switchboard import Switchboard

ANYWHERE = Address.parse("tcp://127.0.0.1:0")
OVER = Over(How.OWN_Q, "it is over")


class Talks:
    """Conversations that say hello and end when the test says so."""

    def __init__(self) -> None:
        self.end = asyncio.Event()

    async def converse(self, channel: Channel, *, has_hung_up: bool) -> Over:
        if has_hung_up:
            return Over(How.HUNG_UP, "somebody has called and hung up")
        await channel.send(b"hello\n")
        await self.end.wait()
        self.end.clear()
        return OVER


async def with_board(
    hands: Hands,
    check: Callable[[str, Talks, asyncio.Task[Over], Signals], Awaitable[None]],
    *,
    keeps_on: bool = False,
    talks: Talks | None = None,
    framing: Framing | None = None,
) -> None:
    talks = talks or Talks()
    with Signals() as signals:
        board = Switchboard(ANYWHERE, framing or Raw(), talks.converse, hands.display, signals)
        task = asyncio.get_running_loop().create_task(board.run(keeps_on=keeps_on))
        try:
            await hands.shows("waiting at ")
            await check(hands.console.err.split()[2], talks, task, signals)
        finally:
            task.cancel()
            await asyncio.wait([task])


def test_a_second_caller_is_told_that_the_line_is_busy() -> None:
    async def check(address: str, talks: Talks, task: asyncio.Task[Over], signals: Signals) -> None:
        async with connect(address) as first, connect(address) as second:
            assert await first.receive() == b"hello\n"
            await second.send(b"unread words")
            assert [message async for message in second] == [b"the line is busy: try again later\n"]
            async with connect(address) as third:
                assert [message async for message in third] == [b"the line is busy: try again later\n"]
            talks.end.set()
            assert [message async for message in first] == []
        assert await task == OVER

    hands = Hands()
    asyncio.run(with_board(hands, check))
    assert hands.console.err.count("was told that the line is busy") == 1
    assert "2 calls in all found the line busy" in hands.console.err


def test_with_keep_the_next_one_is_waited_for() -> None:
    async def check(address: str, talks: Talks, task: asyncio.Task[Over], signals: Signals) -> None:
        for _ in range(3):
            async with connect(address) as caller:
                assert await caller.receive() == b"hello\n"
                talks.end.set()
                assert [message async for message in caller] == []
        assert not task.done()
        signals.tell(signal.SIGINT)
        with pytest.raises(Told):
            await task

    asyncio.run(with_board(Hands(), check, keeps_on=True))


def test_a_caller_that_hangs_up_without_a_word_is_not_counted() -> None:
    async def check(address: str, talks: Talks, task: asyncio.Task[Over], signals: Signals) -> None:
        (await connect(address)).abort()
        async with connect(address) as second:
            assert await second.receive() == b"hello\n"
            talks.end.set()
            assert await task == OVER

    asyncio.run(with_board(Hands(), check))


def test_a_caller_whose_bytes_make_no_message_has_not_hung_up_in_silence() -> None:
    class Errors(Talks):
        async def converse(self, channel: Channel, *, has_hung_up: bool) -> Over:
            assert not has_hung_up
            with pytest.raises(RemoteProtocolError):
                await channel.receive()
            return OVER

    async def check(address: str, talks: Talks, task: asyncio.Task[Over], signals: Signals) -> None:
        async with connect(address) as caller:
            await caller.send(b"garbage")
            assert await task == OVER

    asyncio.run(with_board(Hands(), check, talks=Errors(), framing=Netstring()))


def test_a_signal_ends_the_waiting() -> None:
    async def check(address: str, talks: Talks, task: asyncio.Task[Over], signals: Signals) -> None:
        signals.tell(signal.SIGTERM)
        with pytest.raises(Told) as told:
            await task
        assert told.value.exit_code == 143

    asyncio.run(with_board(Hands(), check))


def test_an_address_that_cannot_be_served_is_said() -> None:
    async def check(address: str, talks: Talks, task: asyncio.Task[Over], signals: Signals) -> None:
        other = Switchboard(Address.parse(address), Raw(), talks.converse, Hands().display, signals)
        with pytest.raises(ListenFailed, match="in use"):
            await other.run(keeps_on=False)

    asyncio.run(with_board(Hands(), check))
