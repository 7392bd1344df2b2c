"""One message to many channels: a chat room, a score board, whatever everybody shall see.

A message is encoded once for each framing among the members. What was sent in one turn of the event loop is joined once
and given to each member in one write: with many messages in a turn, that is most of the speed. Nobody waits for a slow
member: one that holds back more than `limits.unsent_bytes` is cut off.

Order: each member sees the group's messages and those sent to it alone in the order in which they were sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lanline.errors import BufferFull, ChannelError, DatagramRefused, TransportError
from lanline.framing.base import Framing, as_bytes
from lanline.link.channel import Channel
from lanline.link.streamchannel import StreamChannel

_FLUSH_BYTES: Final = 64 * 1024
"""Collected for one framing, it is written at once: whoever sends and sends would not let the turn's end come."""


@dataclass(frozen=True, slots=True)
class GroupStatistics:
    """Figures since the group began, and how many members it has now."""

    members: int
    sent_messages: int
    """Messages given to `send`, however many members got them."""

    cut_members: int
    """Members cut off because they took too little."""

    lost_messages: int
    """Messages that a member over datagrams did not get, as the system had no room for them, or had just told that an
    earlier one was refused or found no way there."""


class Group:
    """Channels that get the same messages.

    A channel leaves by itself when its connection is over. Used within one event loop. Nothing has to be closed.
    """

    def __init__(self) -> None:
        self._members: dict[Channel, _Streams | None] = {}
        self._streams: dict[Framing, _Streams] = {}
        self._sent_messages = 0
        self._cut_members = 0
        self._lost_messages = 0
        self._flush_is_due = False

    def __repr__(self) -> str:
        return f"<Group of {len(self._members)}>"

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Channel]:
        """The members, in the order they came."""
        return iter(tuple(self._members))

    def __contains__(self, channel: object) -> bool:
        return channel in self._members

    def add(self, channel: Channel) -> None:
        """Takes a channel in: it gets what is sent from now on. One that is in already, or gone, stays as it is."""
        if channel in self._members or channel.is_gone:
            return
        streams: _Streams | None = None
        if isinstance(channel, StreamChannel):
            streams = self._streams.get(channel.framing)
            if streams is None:
                streams = self._streams[channel.framing] = _Streams(channel.framing)
            streams.add(channel)
        self._members[channel] = streams
        channel.when_gone(self.discard)

    def discard(self, channel: Channel) -> None:
        """Lets a channel out: it gets what was sent until now. One that is not in is no mistake."""
        streams = self._members.pop(channel, None)
        if streams is not None and isinstance(channel, StreamChannel):
            streams.discard(channel)
            if not streams.members:
                del self._streams[streams.framing]

    def send(self, message: bytes, *, skip: Channel | None = None) -> None:
        """Sends a message to every member. Never waits.

        Args:
            message: what to send.
            skip: a member that shall not get it, such as the one it came from.

        Raises:
            UsageError: the framing of a member cannot carry it; MessageTooLarge: it is over a limit. Nobody gets it.
            TextNotBytes: it is text.
        """
        message = as_bytes(message)
        encoded = [(streams, streams.framing.encode(message)) for streams in self._streams.values()]
        if len(self._members) > sum(len(streams.members) for streams, _ in encoded):
            self._send_datagrams(message, skip)  # first: it is here that a message may be too large for a datagram
        self._sent_messages += 1
        for streams, data in encoded:
            streams.collect(data, skip)
            if streams.waiting_bytes > _FLUSH_BYTES:
                self._cut_members += streams.flush()
        if encoded and not self._flush_is_due:
            self._flush_is_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def statistics(self) -> GroupStatistics:
        """Figures, as they are now."""
        return GroupStatistics(len(self._members), self._sent_messages, self._cut_members, self._lost_messages)

    def _flush(self) -> None:
        self._flush_is_due = False
        for streams in tuple(self._streams.values()):
            self._cut_members += streams.flush()

    def _send_datagrams(self, message: bytes, skip: Channel | None) -> None:
        for channel, streams in tuple(self._members.items()):
            if streams is None and channel is not skip:
                try:
                    channel.send_now(message)
                except (BufferFull, DatagramRefused, TransportError):
                    self._lost_messages += 1
                except ChannelError:
                    continue  # it is told to whoever uses that channel; it leaves when it is gone


class _Streams:
    """The members with one framing, and what they shall get at the end of this loop turn."""

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        self.members: dict[StreamChannel, None] = {}
        self.waiting_bytes = 0
        self._waiting: list[bytes] = []
        # Members that do not get just what all get: how many of the waiting messages are done with, and which are not
        # for them.
        self._done: dict[StreamChannel, int] = {}
        self._skipped: dict[StreamChannel, set[int]] = {}

    def add(self, channel: StreamChannel) -> None:
        """What waits already is not for it."""
        self.members[channel] = None
        channel.sources = (*channel.sources, self)
        self._done[channel] = len(self._waiting)

    def discard(self, channel: StreamChannel) -> None:
        """What waits is still for it."""
        channel.catch_up()
        del self.members[channel]
        self._done.pop(channel, None)
        channel.sources = tuple(source for source in channel.sources if source is not self)

    def collect(self, data: bytes, skip: Channel | None) -> None:
        """One more for all, or for all but one."""
        if isinstance(skip, StreamChannel) and skip in self.members:
            self._skipped.setdefault(skip, set()).add(len(self._waiting))
        self._waiting.append(data)
        self.waiting_bytes += len(data)

    def take(self, channel: StreamChannel) -> list[bytes]:
        """What waits for this member, which sends it itself: it has something to send after it."""
        first, skipped = self._done.get(channel, 0), self._skipped.get(channel, ())
        self._done[channel] = len(self._waiting)
        return [data for index, data in enumerate(self._waiting[first:], first) if index not in skipped]

    def flush(self) -> int:
        """Gives each member what waits for it, in one write; how many were cut off for it."""
        if not self._waiting:
            self._done.clear()
            return 0
        special = {member: self.take(member) for member in self._done.keys() | self._skipped}
        whole, count = b"".join(self._waiting), len(self._waiting)
        self._waiting, self.waiting_bytes = [], 0
        self._done.clear()
        self._skipped.clear()
        cut = 0
        for member in tuple(self.members):
            if special and (own := special.get(member)) is not None:
                cut += bool(own) and not member.write_encoded(b"".join(own), len(own))
            else:
                cut += not member.write_encoded(whole, count)
        return cut
