"""The listening side of talks over streams: one partner at a time; whoever else calls is told that the line is busy."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from lanline.address import Address
from lanline.errors import ChannelError
from lanline.framing.base import Framing
from lanline.limits import PLAIN
from lanline.link.channel import Channel
from lanline.link.server import serve
from lanline.services.talk.display import Display
from lanline.services.talk.events import How, Noted, Over
from lanline.services.talk.overstream import part
from lanline.services.talk.signals import Signals
from lanline.translation import _

_DRAIN: Final = 1.0
"""Seconds for callers that are just being told."""

_LISTENS: Final = 0.005
"""Seconds before a talk begins: who has ended by then without a word did not want to talk. Nobody notices the pause."""

_RINGS: Final = 0.5
"""Seconds that a caller waits before it is told that the line is busy: longer than a call that is none takes."""

_ENDS_ALL: Final = (How.CTRL_C, How.SIGNAL)


class Converse(Protocol):
    """Has one talk over a channel."""

    async def __call__(self, channel: Channel, *, has_hung_up: bool) -> Over:
        """How the talk ended. The channel is left open.

        Args:
            channel: connected.
            has_hung_up: whether the caller has ended already, without a word.
        """


class Switchboard:
    """Listens at one address, and has talks with those who call.

    Args:
        address: where to listen.
        framing: how messages lie in the stream.
        converse: has the talks.
        display, signals: as for `Carrier`.
    """

    def __init__(
        self,
        address: Address,
        framing: Framing,
        converse: Converse,
        display: Display,
        signals: Signals,
    ) -> None:
        self._address = address
        self._framing = framing
        self._converse = converse
        self._display = display
        self._signals = signals
        self._called: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()
        self._freed = asyncio.Event()
        self._parted = asyncio.Event()
        """Of the talk that has the line: its channel is closed."""
        self._turned_away = 0

    async def run(self, *, keeps_on: bool) -> Over:
        """Waits for a partner and has the talk; with `keeps_on` one after another until a signal comes. A caller that
        hangs up before a word was said does not count.

        Returns:
            how the last talk ended.

        Raises:
            ListenFailed: the address cannot be served. Told: a signal came while nobody was there.
        """
        server = await serve(self._call, self._address, framing=self._framing, limits=PLAIN).start()
        try:
            while True:
                self._display.waiting(server.addresses)
                over = await self._talk(await self._signals.unless_told(self._wait_called()))
                is_talk = over.how is not How.HUNG_UP
                if over.how in _ENDS_ALL or (is_talk and not keeps_on):
                    return over
        finally:
            await server.close(drain=_DRAIN)

    async def _wait_called(self) -> Channel:
        return await asyncio.shield(self._called)

    async def _talk(self, channel: Channel) -> Over:
        over: Over | None = None
        parted = self._parted
        try:
            await asyncio.sleep(_LISTENS)
            is_silent = not channel.statistics().received_messages
            # Bytes that make no message are no silence: what is wrong with them is said.
            has_ended = isinstance(channel.ended_by, ChannelError)
            over = await self._converse(channel, has_hung_up=has_ended and is_silent)
        finally:
            # Free before it is closed: who calls meanwhile is next.
            self._called = asyncio.get_running_loop().create_future()
            self._freed.set()
            try:
                await part(channel, over)
            finally:
                parted.set()
        if self._turned_away > 1:
            text = _("{count} calls in all found the line busy").format(count=self._turned_away)
            self._display.show(Noted("busy", text))
        self._turned_away = 0
        return over

    async def _gets_line(self) -> bool:
        try:
            async with asyncio.timeout(_RINGS):
                while self._called.done():
                    self._freed.clear()
                    await self._freed.wait()
        except TimeoutError:
            return False
        return True

    async def _call(self, channel: Channel) -> None:
        """A caller. Its channel is closed when this returns."""
        if await self._gets_line():
            parted = self._parted = asyncio.Event()
            self._called.set_result(channel)
            await parted.wait()  # not for the partner to go: why it went, and its last words, are still to be heard
            return
        self._turned_away += 1
        if self._turned_away == 1:  # one note for each talk: callers must not fill the screen
            text = _("{peer} has called and was told that the line is busy").format(peer=channel.peer_address)
            self._display.show(Noted("busy", text, channel.peer_address))
        try:
            await channel.send(_("the line is busy: try again later").encode() + b"\n" * (self._framing.name == "raw"))
            await part(channel)
        except ChannelError:
            return  # it did not wait for an answer
