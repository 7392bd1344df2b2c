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
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from lanline.address import Address
from lanline.errors import LanlineError, UsageError
from lanline.limits import Limits
from lanline.link.datagrams.channel import DatagramChannel
from lanline.link.datagrams.datagram import ALL_WAITING_BYTES, LEAVING, MESSAGE_BYTES
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
        self._channels: OrderedDict[Place, tuple[DatagramChannel, float]] = OrderedDict()
        """By sender, the longest silent first; when it was heard last, by the loop's clock."""

        self._unfinished: set[DatagramChannel] = set()
        self._silence: asyncio.TimerHandle | None = None
        self._is_stopped = False
        self._waiting_bytes = 0
        self._full_until = 0.0
        self._accepted = self._refused = self._made_way = 0

    def __repr__(self) -> str:
        return f"<DatagramListener {self._address} senders={len(self._channels)}>"

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it is bound, with the real port."""
        return (self._address,)

    def statistics(self) -> ListenerStatistics:
        """As of every listener: senders in place of connections. Refused are datagrams of senders too many; dropped
        strangers are senders that made way."""
        return ListenerStatistics(
            accepted=self._accepted,
            refused=self._refused,
            dropped_strangers=self._made_way,
            strangers=0,
            connections=len(self._unfinished),
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
        for channel, _heard in self._channels.values():
            channel.end_receiving("the server is stopping")
        self._channels.clear()

    async def close(self) -> None:
        """As `stop_accepting`. The socket stays open for the handlers' last words until `release`."""
        self.stop_accepting()

    async def release(self) -> None:
        """Gives the port back, once the system has taken what was sent, or after `limits.drain` seconds."""
        self.stop_accepting()
        for channel in list(self._unfinished):
            channel.abort()
        await self._driver.close(drain=self._limits.drain)

    # -- one datagram --------------------------------------------------------------------------------------

    def _heard(self, message: bytes, sender: Place, came_to: bytes) -> None:
        if self._is_stopped or not self._has_room(len(message) + MESSAGE_BYTES):
            return
        now = self._loop.time()
        known = self._channels.get(sender)
        if known is not None:
            self._channels.move_to_end(sender)
            known[0].heard(message, came_to)
            self._channels[sender] = known[0], now
            return
        if len(self._unfinished) >= self._limits.max_connections and not self._make_way():
            self._refused += 1
            self._driver.warn("senders", f"{len(self._unfinished)} senders are being served: a new one was not heard")
            return
        self._begin([message], sender, came_to, now)

    def _begin(self, messages: list[bytes], sender: Place, came_to: bytes, heard_at: float) -> None:
        channel = DatagramChannel(
            self._driver,
            self._driver.port.address_of(sender),
            sender,
            came_to=came_to,
            limits=self._limits,
            leave=self._gone,
        )
        self._accepted += 1
        self._channels[sender] = channel, heard_at
        self._unfinished.add(channel)
        for message in messages:
            channel.heard(message, came_to)
        if self._silence is None:
            self._silence = self._loop.call_at(heard_at + self._limits.datagram_silence, self._forget_the_silent)
        self._on_channel(channel)

    def _fell_short(self, trouble: LanlineError, place: Place | None) -> None:
        known = self._channels.get(place) if place is not None else None
        if known is not None:
            known[0].fell_short(trouble)
        else:
            self._driver.pass_over(trouble)

    def _has_room(self, size: int) -> bool:
        """Whether this much more may wait. Counted from above, and exactly only when it seems too much: whoever takes
        a message tells nobody."""
        self._waiting_bytes += size
        if self._waiting_bytes <= ALL_WAITING_BYTES:
            return True
        now = self._loop.time()
        if now >= self._full_until:
            self._waiting_bytes = size + sum(channel.waiting_bytes for channel in self._unfinished)
            if self._waiting_bytes <= ALL_WAITING_BYTES:
                return True
            self._full_until = now + _RECOUNT
        self._waiting_bytes -= size
        self._refused += 1
        self._driver.warn("full", "64 MiB of datagrams wait for their handlers, the limit: the newest are dropped")
        return False

    # -- the end of a channel ------------------------------------------------------------------------------

    def _make_way(self) -> bool:
        """Ends the channel that was silent longest. False: too many handlers have not ended though their channels
        have."""
        if self._channels and len(self._unfinished) < self._limits.max_connections + LEAVING:
            channel = self._channels.popitem(last=False)[1][0]
            text = _("{peer} made way: it was silent longest of too many senders")
            channel.end_receiving(text.format(peer=channel.peer_address))
            self._made_way += 1
            return True
        return False

    def _forget_the_silent(self) -> None:
        self._silence = None
        now, silence = self._loop.time(), self._limits.datagram_silence
        while self._channels:
            sender, (channel, heard_at) = next(iter(self._channels.items()))
            if heard_at + silence > now:
                self._silence = self._loop.call_at(heard_at + silence, self._forget_the_silent)
                return
            del self._channels[sender]
            text = _("{peer} has sent nothing for {silence:g} s")
            channel.end_receiving(text.format(peer=channel.peer_address, silence=silence))

    def _gone(self, channel: DatagramChannel) -> None:
        self._unfinished.discard(channel)
        place = channel.place
        known = self._channels.get(place) if place is not None else None
        if place is None or known is None or known[0] is not channel:
            return
        if unserved := channel.take_unserved():
            self._begin(unserved, place, channel.came_to, known[1])
        else:
            del self._channels[place]


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
