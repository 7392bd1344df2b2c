"""A talk over datagrams: with one named peer, or with whoever speaks to an address."""

from __future__ import annotations

import asyncio
from typing import Protocol

from lanline.errors import (
    ChannelError,
    DatagramRefused,
    DatagramTruncated,
    LanlineError,
    MessageTooLarge,
    TransportError,
)
from lanline.link.channel import Channel
from lanline.link.datagrams.datagramsocket import DatagramSocket
from lanline.services.talk.carrier import Carrier
from lanline.services.talk.display import Display
from lanline.services.talk.events import How, Noted, Over, Send
from lanline.services.talk.signals import Signals
from lanline.services.talk.speakers import Speakers
from lanline.services.talk.typist import Typist
from lanline.translation import _


class Datagrams(Protocol):
    """Where datagrams come from and go to."""

    async def receive(self) -> tuple[str, bytes]:
        """The next datagram, with who sent it."""

    async def send(self, data: bytes, to: str) -> None:
        """Sends one datagram."""


class OnePeer:
    """A channel to a named peer: nobody else is heard."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def receive(self) -> tuple[str, bytes]:
        """See `Datagrams.receive`."""
        return self._channel.peer_address, await self._channel.receive()

    async def send(self, data: bytes, to: str) -> None:
        """See `Datagrams.send`."""
        await self._channel.send(data)


class AnyPeer:
    """A socket that anybody can speak to."""

    def __init__(self, socket: DatagramSocket) -> None:
        self._socket = socket

    async def receive(self) -> tuple[str, bytes]:
        """See `Datagrams.receive`."""
        datagram = await self._socket.receive()
        return str(datagram.sender), datagram.message

    async def send(self, data: bytes, to: str) -> None:
        """See `Datagrams.send`."""
        await self._socket.send(data, to)


class DatagramTalk(Carrier):
    """One talk over datagrams. It does not close the socket.

    Args:
        datagrams: open.
        speakers, typist, display, signals: as for `Carrier`.
    """

    def __init__(
        self, datagrams: Datagrams, speakers: Speakers, typist: Typist, display: Display, signals: Signals
    ) -> None:
        super().__init__(speakers, typist, display, signals)
        self._datagrams = datagrams
        self._speakers = speakers
        self._has_spoken = asyncio.Event()

    async def _type(self) -> None:
        if self._speakers.holds_input:
            await self._has_spoken.wait()
        await super()._type()

    async def _hear(self) -> None:
        while True:
            try:
                sender, data = await self._datagrams.receive()
                self._has_spoken.set()
                self._done(self._speakers.received(sender, data, self._loop.time()))
            except DatagramRefused as error:
                self._done(self._speakers.refused(error, self._loop.time()))
            except DatagramTruncated as error:
                self._display.show(Noted("truncated", str(error), error.sender))
            except TransportError as error:
                self._display.show(Noted("undelivered", str(error)))
            except ChannelError as error:
                self._done([Over(How.BROKEN, str(error), error)])
                return
            except LanlineError as error:
                self._fail(error)
                return

    def _end_half(self) -> None:
        """There are no halves of a datagram socket."""

    async def _send(self, send: Send) -> None:
        try:
            await self._datagrams.send(send.data, send.to)
        except DatagramRefused as error:
            self._done(self._speakers.refused(error, self._loop.time()))
        except (MessageTooLarge, TransportError) as error:
            self._done([Noted("unsent", _("not sent: {reason}").format(reason=error))])
        except ChannelError as error:
            self._done([Over(How.BROKEN, str(error), error)])
