"""A talk over one connection: TCP, TLS or a Unix socket, with a channel of the library."""

from __future__ import annotations

import asyncio
from typing import Final

from lanline.errors import ChannelError, LanlineError, RemoteProtocolError
from lanline.link.channel import Channel
from lanline.services.talk.carrier import Carrier
from lanline.services.talk.conversation import Conversation
from lanline.services.talk.display import Display
from lanline.services.talk.events import How, Noted, Over, Send
from lanline.services.talk.signals import Signals
from lanline.services.talk.typist import Typist
from lanline.translation import _

_GOODBYE: Final = 1.0
"""Seconds that a partner has for closing its side. Closing before it does may destroy the last words on their way: a
socket with unread bytes is closed by a reset (RFC 1122 section 4.2.2.13)."""


class StreamTalk(Carrier):
    """One talk over a channel, which it does not close.

    Args:
        channel: connected.
        conversation, typist, display, signals: as for `Carrier`.
    """

    def __init__(
        self, channel: Channel, conversation: Conversation, typist: Typist, display: Display, signals: Signals
    ) -> None:
        super().__init__(conversation, typist, display, signals)
        self._channel = channel
        self._conversation = conversation

    async def _hear(self) -> None:
        try:
            while True:
                message = await self._channel.receive()
                self._done(self._conversation.received(message, self._loop.time()))
        except (ChannelError, RemoteProtocolError) as error:
            self._done(self._conversation.partner_ended(error, self._loop.time()))
        except LanlineError as error:
            self._fail(error)

    async def _send(self, send: Send) -> None:
        try:
            await self._channel.send(send.data)
        except ChannelError as error:
            self._done(self._conversation.partner_ended(error, self._loop.time()))
        except LanlineError as error:  # the framing cannot carry it
            self._done([Noted("unsent", _("not sent: {reason}").format(reason=error))])

    def _end_half(self) -> None:
        # TLS has no half-close: ending there would close, and the answers would be lost.
        if not self._channel.peer_address.startswith("tls:"):
            self._channel.end()


async def part(channel: Channel, over: Over | None = None) -> None:
    """Closes a channel so that the last words arrive: ends this half, then gives the partner a second to end its own.

    Args:
        channel: to be closed.
        over: how the talk ended. One that broke is closed at once.
    """
    try:
        if over is None or over.how is not How.BROKEN:
            channel.end()
            async with asyncio.timeout(_GOODBYE):
                while True:
                    await channel.receive()
        channel.abort()
    except (ChannelError, RemoteProtocolError, TimeoutError):
        channel.abort()
    await channel.close()
