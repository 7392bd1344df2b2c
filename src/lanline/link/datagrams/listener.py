"""The serving side of UDP: one socket, and a channel for each sender that is heard on it.

Who the sender is, is what its datagrams say, and anybody can write that: a channel here is a convenience, no identity.
So all that it costs is bounded. Rules:

- A sender that was silent for `limits.datagram_silence` seconds is forgotten, and its channel ends; its next datagram
  begins a new one. What this side sends is no sign of life.
- There are at most `limits.max_connections` senders. For one more, the one that was silent longest makes way.
- What a handler has not received when it returns is no end of the conversation: the next call of it gets that, as if it
  had come a moment later. The datagram that began a call is that call's own.
- A handler that does not end when its channel has ended counts on; too many of them, and new senders are not heard.
- All that waits on all channels of a socket is bounded too, at 64 MiB.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from lanline.address import Address
from lanline.errors import LanlineError, UsageError
from lanline.limits import Limits
from lanline.link.datagrams.channel import DatagramChannel
from lanline.link.datagrams.sendertable import SenderTable
from lanline.translation import _
from lanline.transport.base import ListenerStatistics
from lanline.transport.udp.driver import Answer, UdpDriver
from lanline.transport.udp.opening import open_at
from lanline.transport.udp.udpsocket import UdpSocket
from lanline.transport.udp.undelivered import MAX_DATAGRAM_BYTES, Place

_RECOUNT: Final = 0.05
"""Seconds for which new datagrams are dropped once too much waits on all channels, before it is counted again."""


class DatagramListener:
    """A `Listener` over one UDP socket.

    Args:
        port: the bound socket; owned by this object from now on.
        on_channel: called with the channel of each new sender; its handler closes it.
        answer: answers datagrams at once, in place of channels: then nothing is kept of senders.
        limits: `max_connections`, `datagram_silence` and `drain` are used.
    """

    def __init__(
        self,
        port: UdpSocket,
        *,
        on_channel: Callable[[DatagramChannel], None],
        answer: Answer | None = None,
        limits: Limits,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._address = port.address
        self._on_channel = on_channel
        self._limits = limits
        self._driver = (
            UdpDriver(port, answer=answer)
            if answer is not None
            else UdpDriver(port, receive=self._heard, on_trouble=self._fell_short)
        )
        self._senders = SenderTable(self._make, self._driver.warn, limits, recount=_RECOUNT)
        self._silence: asyncio.TimerHandle | None = None
        self._is_stopped = False

    def __repr__(self) -> str:
        return f"<DatagramListener {self._address} senders={len(self._senders)}>"

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it is bound, with the real port."""
        return (self._address,)

    def statistics(self) -> ListenerStatistics:
        """As of every listener: senders in place of connections. Refused are datagrams of senders too many; dropped
        strangers are senders that made way."""
        return ListenerStatistics(
            accepted=self._senders.accepted,
            refused=self._senders.refused,
            dropped_strangers=self._senders.made_way,
            strangers=0,
            connections=len(self._senders.unfinished),
            accept_errors=0,
        )

    def stop_accepting(self) -> None:
        """Hears nothing more, so that another process which shares the socket does: every channel ends once what came
        for it has been received. They may still send."""
        self._is_stopped = True
        self._driver.stop_receiving()
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        self._senders.end_all("the server is stopping")

    async def close(self) -> None:
        """As `stop_accepting`. The socket stays open for the handlers' last words until `release`."""
        self.stop_accepting()

    async def release(self) -> None:
        """Gives the port back, once the system has taken what was sent, or after `limits.drain` seconds."""
        self.stop_accepting()
        for channel in self._senders.unfinished:
            channel.abort()
        await self._driver.close(drain=self._limits.drain)

    # -- one datagram --------------------------------------------------------------------------------------

    def _heard(self, message: bytes, sender: Place, came_to: bytes) -> None:
        if self._is_stopped:
            return
        channel = self._senders.heard(message, sender, came_to, self._loop.time())
        if channel is not None:
            self._serve(channel)

    def _make(self, sender: Place, came_to: bytes) -> DatagramChannel:
        return DatagramChannel(
            self._driver,
            self._driver.port.address_of(sender),
            sender,
            came_to=came_to,
            limits=self._limits,
            leave=self._gone,
        )

    def _serve(self, channel: DatagramChannel) -> None:
        if self._silence is None:
            self._silence = self._loop.call_later(self._limits.datagram_silence, self._forget_the_silent)
        self._on_channel(channel)

    def _fell_short(self, trouble: LanlineError, place: Place | None) -> None:
        known = self._senders.find(place)
        if known is not None:
            known.fell_short(trouble)
        else:
            self._driver.pass_over(trouble)

    # -- the end of a channel ------------------------------------------------------------------------------

    def _forget_the_silent(self) -> None:
        next_at = self._senders.forget_the_silent(self._loop.time())
        self._silence = None if next_at is None else self._loop.call_at(next_at, self._forget_the_silent)

    def _gone(self, channel: DatagramChannel) -> None:
        successor = self._senders.gone(channel)
        if successor is not None:
            self._serve(successor)


def is_datagrams(address: Address | socket.socket) -> bool:
    """Whether it is an address of datagrams, or a socket that is bound to one."""
    if isinstance(address, Address):
        return address.scheme == "udp"
    return address.type == socket.SOCK_DGRAM


async def ports_of(address: Address | socket.socket) -> list[UdpSocket]:
    """Bound sockets: what an address stands for, or the one that was made elsewhere.

    Raises:
        ListenFailed: the address cannot be served. UsageError: the socket is of another family.
    """
    if isinstance(address, Address):
        return await open_at(address)
    if address.family not in (socket.AF_INET, socket.AF_INET6):
        raise UsageError(
            _("datagrams are served over IPv4 and IPv6, and this socket is of {name}").format(name=address.family.name)
        )
    return [UdpSocket(address, max_datagram_bytes=MAX_DATAGRAM_BYTES)]
