"""The listening side of talks over streams: one partner at a time; whoever else calls is told that the line is busy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

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

_ENDS_ALL: Final = (How.CTRL_C, How.SIGNAL)


class Switchboard:
    """Listens at one address, and has talks with those who call.

    Args:
        address: where to listen.
        framing: how messages lie in the stream.
        converse: has one talk over a channel, and says how it ended. Does not close the channel.
        display, signals: as for `Carrier`.
    """

    def __init__(
        self,
        address: Address,
        framing: Framing,
        converse: Callable[[Channel], Awaitable[Over]],
        display: Display,
        signals: Signals,
    ) -> None:
        self._address = address
        self._framing = framing
        self._converse = converse
        self._display = display
        self._signals = signals
        self._called: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()
        self._turned_away = 0

    async def run(self, *, keeps_on: bool) -> Over:
        """Waits for a partner and has the talk; with `keeps_on` one after another until a signal comes.

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
                if not keeps_on or over.how in _ENDS_ALL:
                    return over
        finally:
            await server.close(drain=_DRAIN)

    async def _wait_called(self) -> Channel:
        return await asyncio.shield(self._called)

    async def _talk(self, channel: Channel) -> Over:
        self._turned_away = 0
        over: Over | None = None
        try:
            over = await self._converse(channel)
        finally:
            # Free again only now: who calls while this one is being closed gets the line next.
            self._called = asyncio.get_running_loop().create_future()
            await part(channel, over)
        if self._turned_away > 1:
            text = _("{count} calls in all found the line busy").format(count=self._turned_away)
            self._display.show(Noted("busy", text))
        return over

    async def _call(self, channel: Channel) -> None:
        """A caller. Its channel is closed when this returns."""
        if not self._called.done():
            self._called.set_result(channel)
            await channel.wait_gone()
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
