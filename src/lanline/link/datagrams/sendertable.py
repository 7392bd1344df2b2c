"""Who sends to a UDP address, and who is forgotten: the table behind each served socket, whoever reads it.

Pure: no socket, no clock, no lock, no event loop. The time is an argument, and whoever owns a table guards it where
several threads use it. It makes no handler run: it hands over the channels that one is to be called for. The rules are
told in `datagrams/listener.py`. Two of its own:

- Channels stand in the order in which their senders were heard, the longest silent first: whoever is to go is the
  first one, without a search.
- What waits is counted from above, and exactly only when it seems too much: whoever takes a message tells nobody.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final, Generic, Protocol, TypeVar

from lanline.limits import Limits
from lanline.link.datagrams.datagram import MESSAGE_BYTES
from lanline.translation import _
from lanline.transport.udp.undelivered import Place

ALL_WAITING_BYTES: Final = 64 * 1024 * 1024
"""Received and not yet taken, for all senders of one served address together."""

LEAVING: Final = 64
"""Senders over the limit of `max_connections` that have made way, and whose handlers are on their way out."""


class ChannelOfSender(Protocol):
    """What the table asks of the channel of a sender."""

    @property
    def place(self) -> Place | None:
        """Who sends, as the kernel says it."""

    @property
    def came_to(self) -> bytes:
        """The address of this machine that the sender asked last."""

    @property
    def peer_address(self) -> str:
        """Who sends, for people."""

    @property
    def waiting_bytes(self) -> int:
        """At most so much waits to be received."""

    def heard(self, message: bytes, came_to: bytes) -> None:
        """A datagram of the sender came."""

    def take_unserved(self) -> list[bytes]:
        """Takes out what nobody has received, but for the datagram that began the channel."""

    def end_receiving(self, why: str) -> None:
        """Nothing more will be handed to it."""


_Made = TypeVar("_Made", bound=ChannelOfSender)


class SenderTable(Generic[_Made]):
    """The senders of one socket.

    Args:
        make: makes the channel of a new sender, from its place and the address of this machine that it asked.
        warn: takes what is to be in the log: a kind and a text.
        limits: `max_connections` and `datagram_silence` are used.
        recount: seconds for which new datagrams are dropped once too much waits, before it is counted again.
    """

    def __init__(
        self,
        make: Callable[[Place, bytes], _Made],
        warn: Callable[[str, str], None],
        limits: Limits,
        *,
        recount: float = 0.0,
    ) -> None:
        self._make = make
        self._warn = warn
        self._limits = limits
        self._recount = recount
        self._channels: OrderedDict[Place, tuple[_Made, float]] = OrderedDict()
        """By sender, the longest silent first; when it was heard last."""

        self._unfinished: set[_Made] = set()
        self._waiting_bytes = 0
        self._full_until = 0.0
        self.accepted = 0
        """Channels made."""

        self.refused = 0
        """Datagrams dropped because too much waited, and senders too many."""

        self.made_way = 0
        """Senders that others came in the place of."""

    def __len__(self) -> int:
        """Senders that are known now."""
        return len(self._channels)

    def __iter__(self) -> Iterator[_Made]:
        """Their channels, the longest silent first."""
        return (channel for channel, _heard_at in self._channels.values())

    @property
    def unfinished(self) -> frozenset[_Made]:
        """Channels whose handlers have not ended, whether their senders are still known or not."""
        return frozenset(self._unfinished)

    def find(self, place: Place | None) -> _Made | None:
        """The channel of this sender; None: nobody knows it."""
        known = self._channels.get(place) if place is not None else None
        return known[0] if known is not None else None

    # -- what comes ----------------------------------------------------------------------------------------

    def heard(self, message: bytes, place: Place, came_to: bytes, now: float) -> _Made | None:
        """A datagram came.

        Args:
            message: what it holds. place: who sent it. came_to: the address of this machine that was asked.
            now: seconds on a clock that does not go back.

        Returns:
            The channel of a new sender: a handler is to be called for it. None: nobody is to be called.
        """
        size = len(message) + MESSAGE_BYTES
        self._waiting_bytes += size
        if self._waiting_bytes > ALL_WAITING_BYTES and not self._has_room(size, now):
            return None
        channels = self._channels
        known = channels.get(place)
        if known is not None:
            channel = known[0]
            channels.move_to_end(place)
            channels[place] = channel, now  # dropped or not: it is not silent
            channel.heard(message, came_to)
            return None
        if len(self._unfinished) >= self._limits.max_connections and not self._make_way():
            self.refused += 1
            self._warn("senders", f"{len(self._unfinished)} senders are being served: a new one was not heard")
            return None
        return self._new([message], place, came_to, now)

    # -- who goes ------------------------------------------------------------------------------------------

    def forget_the_silent(self, now: float) -> float | None:
        """Ends the channels of those that were silent for too long.

        Returns:
            When the next of them will have been, on the clock of `now`; None: nobody is known.
        """
        silence = self._limits.datagram_silence
        while self._channels:
            place, (channel, heard_at) = next(iter(self._channels.items()))
            if heard_at + silence > now:
                return heard_at + silence
            del self._channels[place]
            text = _("{peer} has sent nothing for {silence:g} s")
            channel.end_receiving(text.format(peer=channel.peer_address, silence=silence))
        return None

    def gone(self, channel: _Made) -> _Made | None:
        """A channel was closed by its handler.

        Returns:
            The next channel of the same sender, begun by what came and was not received: a handler is to be called
            for it. None: there was nothing, or the sender is not known any more.
        """
        self._unfinished.discard(channel)
        place = channel.place
        known = self._channels.get(place) if place is not None else None
        if place is None or known is None or known[0] is not channel:
            return None
        if unserved := channel.take_unserved():
            return self._new(unserved, place, channel.came_to, known[1])
        del self._channels[place]
        return None

    def refuse(self, channel: _Made) -> None:
        """No handler can be called for this channel: its sender is not known any more."""
        self.refused += 1
        if channel.place is not None and self.find(channel.place) is channel:
            del self._channels[channel.place]

    def end_all(self, why: str) -> None:
        """Ends every channel, and knows nobody any more. Their handlers are still counted."""
        for channel in self:
            channel.end_receiving(why)
        self._channels.clear()

    # -- private pieces ------------------------------------------------------------------------------------

    def _new(self, messages: list[bytes], place: Place, came_to: bytes, heard_at: float) -> _Made:
        channel = self._make(place, came_to)
        self.accepted += 1
        self._channels[place] = channel, heard_at
        self._unfinished.add(channel)
        for message in messages:
            channel.heard(message, came_to)
        return channel

    def _has_room(self, size: int, now: float) -> bool:
        """Whether this much more, counted already, may wait."""
        if now >= self._full_until:
            self._waiting_bytes = size + sum(channel.waiting_bytes for channel in self._unfinished)
            if self._waiting_bytes <= ALL_WAITING_BYTES:
                return True
            self._full_until = now + self._recount
        self._waiting_bytes -= size
        self.refused += 1
        self._warn("full", "64 MiB of datagrams wait for their handlers, the limit: the newest are dropped")
        return False

    def _make_way(self) -> bool:
        """Ends the channel that was silent longest. False: too many handlers have not ended though their channels
        have."""
        if not self._channels or len(self._unfinished) >= self._limits.max_connections + LEAVING:
            return False
        channel = self._channels.popitem(last=False)[1][0]
        text = _("{peer} made way: it was silent longest of too many senders")
        channel.end_receiving(text.format(peer=channel.peer_address))
        self.made_way += 1
        return True
