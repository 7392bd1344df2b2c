"""`shout` and `hear`: one datagram to everybody on the networks of this machine, and the socket that hears it.

A shout is not private, is not confirmed, and anybody can send one in any name: do nothing of importance because of one.
Rules:

- It leaves by every way of every interface (`transport/udp/multicast.py`), and each listener hears it once
  (`transport/udp/copies.py`).
- Listeners share their port with each other, and with nobody else.
- What waits to be heard is kept by the system, but for one wake-up's worth; beyond its bound the newest is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Final, Self

from lanline.address import Address
from lanline.errors import ChannelClosed, LocalProtocolError
from lanline.link.client import Connecting
from lanline.link.datagrams.datagram import Datagram
from lanline.translation import _
from lanline.transport.udp import multicast
from lanline.transport.udp.copies import Copies
from lanline.transport.udp.hearing import Listener
from lanline.transport.udp.multicast import PORT, Delivery

_BATCH: Final = 64
"""Datagrams for one wake-up: whoever iterates gives others their turn at least that often."""


class Shouts:
    """What is shouted at one port. Made by `hear`, closed by whoever made it. Used by one task.

    Args:
        listener: owned by this object from now on.
    """

    def __init__(self, listener: Listener) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._copies = Copies()
        self._waiting: deque[Datagram] = deque()
        self._receiver: asyncio.Future[None] | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<Shouts {self.address} {'closed' if self._is_closed else 'open'}>"

    @property
    def address(self) -> Address:
        """Where it listens: every interface, with the real port."""
        return Address("udp", "*", self._listener.port)

    @property
    def interfaces(self) -> list[str]:
        """Names of the interfaces on which multicast is heard. Broadcasts are heard on all."""
        return self._listener.interfaces

    async def receive(self) -> Datagram:
        """The next shout, once however many copies of it come.

        Raises:
            ChannelClosed: this side has closed. LocalProtocolError: another task is receiving already.
        """
        while not self._waiting:
            if self._is_closed:
                raise ChannelClosed(_("this side has closed the socket already"))
            await self._wait_for_more()
        return self._waiting.popleft()

    async def __aiter__(self) -> AsyncIterator[Datagram]:
        """Shouts until this side closes."""
        while True:
            try:
                shout = await self.receive()
            except ChannelClosed:
                return
            yield shout

    async def close(self) -> None:
        """Gives the port back. A second call does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._stop_watching()
            self._listener.close()

    async def __aenter__(self) -> Self:
        """Leaving the block closes it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        await self.close()

    # -- private pieces ------------------------------------------------------------------------------------

    async def _wait_for_more(self) -> None:
        """Waits until something may be there, or until it is time to look for new interfaces; then takes it."""
        if self._receiver is not None:
            raise LocalProtocolError("two tasks receive from one socket")
        self._receiver = self._loop.create_future()
        for descriptor in self._listener.filenos():
            self._loop.add_reader(descriptor, self._wake)
        look = self._loop.call_later(max(0.0, self._listener.looks_at - time.monotonic()), self._wake)
        try:
            await self._receiver
        finally:
            look.cancel()
            self._stop_watching()
        if not self._is_closed:
            self._take()

    def _take(self) -> None:
        for _number in range(_BATCH):
            heard = self._listener.take()
            if heard is None:
                return
            if not self._copies.is_copy(heard.message, heard.sender.port, time.monotonic()):
                self._waiting.append(Datagram(heard.message, heard.sender, time.time_ns()))

    def _wake(self) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    def _stop_watching(self) -> None:
        if self._receiver is not None:
            for descriptor in self._listener.filenos():
                self._loop.remove_reader(descriptor)
            self._wake()
            self._receiver = None


def hear(port: int = PORT) -> Connecting[Shouts]:
    """Hears what is shouted on the networks of this machine: `async with hear() as shouts: async for one in shouts`.

    Args:
        port: 1 to 65,535, or 0 for any free one. Other listeners may have it too; a server may not.

    Raises:
        ListenFailed: when entered or awaited: the port cannot be listened to.
    """

    async def make() -> Shouts:
        return Shouts(Listener(port))

    return Connecting(make)


async def shout(message: bytes, to: Address | str | None = None, *, port: int = PORT) -> list[Delivery]:
    """Sends one datagram to everybody on the networks of this machine, who hears it with `hear` or any other program.

    Args:
        message: at most 1,200 bytes, which every network carries in one piece.
        to: an address for this one, of a machine, of all of a network (`udp://192.168.1.255:9529`) or of a group; of
            text, `udp://` and the port may be left out. None: broadcast and multicast by every interface.
        port: where listeners listen, 1 to 65,535; where `to` names one, that one.

    Returns:
        what became of each way, of which one at least was taken. Whether anybody has heard it, nobody knows.

    Raises:
        MessageTooLarge: it is longer. TextNotBytes: it is text: write `text.encode()`.
        AddressError: not an address a datagram can go to. ConnectFailed: the name does not resolve.
        TransportError: it left this machine by no way.
    """
    return await asyncio.to_thread(multicast.shout, message, to, port=port)
