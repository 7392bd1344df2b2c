"""Channels over a stream of bytes: TCP, TLS, Unix sockets and memory, all through asyncio's Transport.

What a stream of bytes lacks is where one message ends; the framing supplies that, and the channel adds what a program
needs around it: waiting when the peer is slow, telling a clean end from a broken one, one write per loop turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

from lanline.errors import (
    BufferFull,
    ChannelBroken,
    ChannelClosed,
    ChannelEnded,
    ChannelError,
    RemoteProtocolError,
)
from lanline.framing.base import Framing
from lanline.limits import LAN, Limits
from lanline.link.channel import Channel
from lanline.link.parting import Parting
from lanline.translation import _
from lanline.transport.base import Arrival, connection_facts, local_address, translate_loss
from lanline.transport.hangup import can_be_asked, has_hung_up

_PAUSE_BYTES: Final = 256 * 1024
"""Received and not yet used: above it the channel stops reading, so that the peer waits and memory does not grow."""

_MESSAGE_BYTES: Final = 64
"""What a message costs beside its content: without it, endless empty lines would never stop the reading."""

_LOOK: Final = 5.0
"""Seconds between two looks at whether a connection is over whose reading is paused."""

_WRITE_BYTES: Final = 64 * 1024
"""Collected output that is written at once, not at the end of the loop turn: a task that sends and sends without ever
having to wait would not let that come."""


class Source(Protocol):
    """Whoever collects encoded messages for many channels: a group."""

    def take(self, channel: StreamChannel) -> list[bytes]:
        """What waits there for this channel, and is its own to send from now on."""


class StreamChannel(Channel, asyncio.Protocol):
    """A channel over one connection.

    Args:
        framing: how messages lie in the stream.
        limits: `unsent_bytes` and `drain` are used here.
        arrival: what the listener knows of it, on the serving side.
        on_connected: called once with this channel when the connection is there.
    """

    __slots__ = (
        "_framing",
        "_decoder",
        "_limits",
        "_arrival",
        "_keeper",
        "_on_connected",
        "_transport",
        "_parting",
        "_waiting_bytes",
        "_out",
        "_out_bytes",
        "_flush_is_due",
        "_writers",
        "_is_writable",
        "_ended_here",
        "_is_shut",
        "_is_looking",
        "_broken_by",
        "sources",
    )

    def __init__(
        self,
        framing: Framing,
        limits: Limits = LAN,
        *,
        arrival: Arrival | None = None,
        on_connected: Callable[[StreamChannel], None] | None = None,
    ) -> None:
        super().__init__()
        self._framing = framing
        self._decoder = framing.decoder()
        self._limits = limits
        self._arrival = arrival
        self._keeper = None if arrival is None else arrival.keeper
        self._on_connected = on_connected
        self._waiting_bytes = 0
        self._out: list[bytes] | None = None
        self._out_bytes = 0
        self._flush_is_due = False
        self._writers: list[asyncio.Future[None]] | None = None
        self._is_writable = True
        self._ended_here = False
        self._is_shut = False
        self._is_looking = False
        self._broken_by: ChannelBroken | None = None
        self._parting: Parting | None = None
        self.sources: tuple[Source, ...] = ()
        """Where messages for this channel may wait that come before what is sent from now on."""
        self._transport: asyncio.Transport

    # -- sending -------------------------------------------------------------------------------------------

    async def send(self, message: bytes) -> None:
        """See `Channel.send`."""
        data = self._framing.encode(message)
        if not self._is_writable:  # else senders that are cancelled while they wait, again and again, fill the memory
            await self._wait_writable(self._limits.unsent_bytes)
        if self._is_shut:
            raise self._cannot_send()
        if self.sources:
            self.catch_up()
        self._sent_messages += 1
        if self._out is None:
            self._out = [data]
        else:
            self._out.append(data)
        self._out_bytes += len(data)
        if self._out_bytes > _WRITE_BYTES:
            self._flush()
            await asyncio.sleep(0)
        elif not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)
        if not self._is_writable:
            await self._wait_writable()

    def send_now(self, message: bytes) -> None:
        """See `Channel.send_now`."""
        data = self._framing.encode(message)
        if self._is_shut:
            raise self._cannot_send()
        if not self._is_writable:
            limit = self._limits.unsent_bytes // 4
            raise BufferFull(
                _("{peer_address} has more than {limit} bytes to take before this message").format(
                    peer_address=self.peer_address, limit=limit
                )
            )
        if self.sources:
            self.catch_up()
        self._sent_messages += 1
        if self._out is None:
            self._out = [data]
        else:
            self._out.append(data)
        self._out_bytes += len(data)
        if self._out_bytes > _WRITE_BYTES:
            self._flush()
        elif not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    @property
    def framing(self) -> Framing:
        """How messages lie in the stream."""
        return self._framing

    def catch_up(self) -> None:
        """Takes over what waits for this channel elsewhere, so that what is sent next comes after it."""
        for source in self.sources:
            pieces = source.take(self)
            if pieces and not self._is_shut:
                self._sent_messages += len(pieces)
                self._out = [*(self._out or ()), *pieces]
                self._out_bytes += sum(map(len, pieces))
                if not self._flush_is_due:
                    self._flush_is_due = True
                    self._loop.call_soon(self._flush)

    def write_encoded(self, data: bytes, messages: int) -> bool:
        """Writes messages that are encoded in this channel's framing, behind what was sent before. Never waits.

        Returns:
            False when the peer holds back more than `limits.unsent_bytes`: then it is cut off.
        """
        if self._is_shut:
            return True
        if self._out:
            self._flush()
        if not self._is_writable:
            held = self._transport.get_write_buffer_size()
            if held > self._limits.unsent_bytes:
                self._cut_off(held)
                return False
        self._sent_messages += messages
        self._sent_bytes += len(data)
        self._transport.write(data)
        return True

    # -- ending --------------------------------------------------------------------------------------------

    def end(self) -> None:
        """See `Channel.end`."""
        if self._is_shut:
            return
        self._flush()
        self._ended_here = self._is_shut = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._part()

    async def close(self) -> None:
        """See `Channel.close`."""
        if not self._closed_here:
            self._flush()
            self._is_shut = True
            self._close_here()
            self._part()
        try:
            await self.wait_gone()
        except asyncio.CancelledError:
            self._transport.abort()
            raise

    def abort(self) -> None:
        """See `Channel.abort`."""
        self._is_shut = True
        self._close_here()
        self._transport.abort()

    @property
    def local_address(self) -> str:
        """See `Channel.local_address`."""
        return local_address(self._transport)

    # -- asyncio's side ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self._limits.unsent_bytes // 4)
        if self._arrival is not None:
            self._peer_address, self._arrival = self._arrival.peer_address, None
        else:
            self._peer_address = connection_facts(self._transport).peer_address
        on_connected, self._on_connected = self._on_connected, None
        if on_connected is not None:
            on_connected(self)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        try:
            messages = self._decoder.receive_data(data)
        except RemoteProtocolError as error:
            self._break(error)
            return
        self._received_bytes += len(data)
        if messages:
            self._count_waiting(len(data) + _MESSAGE_BYTES * len(messages))
            self._deliver(messages)
            if self._waiting_bytes > _PAUSE_BYTES:
                self._stop_reading()
        if self._decoder.error is not None:
            self._break(self._decoder.error)

    def eof_received(self) -> bool:
        """The peer sends no more; this side may still (half-close)."""
        if self._ended_by is None:
            self._end_receiving(self._end_of_stream())
        may_go_on = self._transport.can_write_eof()
        if not may_go_on:
            self._flush()
            self._is_shut = True
        return may_go_on

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._is_shut = True
        if self._keeper is not None:
            self._keeper.forget()
        if exc is not None:
            self._broken_by = translate_loss(self._peer_address, exc)
        if self._ended_by is None:
            self._end_receiving(self._broken_by or self._end_of_stream())
        if self._parting is not None:
            self._parting.over()
        self._be_gone()
        self.resume_writing()

    def pause_writing(self) -> None:
        """The transport holds as much as it should."""
        self._is_writable = False

    def resume_writing(self) -> None:
        """There is room again."""
        self._is_writable = True
        writers, self._writers = self._writers, None
        for writer in writers or ():
            if not writer.done():
                writer.set_result(None)

    # -- private pieces ------------------------------------------------------------------------------------

    @property
    def _kind(self) -> str:
        return self._framing.name

    def _flush(self) -> None:
        self._flush_is_due = False
        if self._out:
            data = b"".join(self._out)
            self._out = None
            self._out_bytes = 0
            self._sent_bytes += len(data)
            if not self._transport.is_closing():
                self._transport.write(data)

    async def _wait_writable(self, held: int = -1) -> None:  # or until the transport holds no more than so many bytes
        while not self._is_writable and self._transport.get_write_buffer_size() > held:
            writer: asyncio.Future[None] = self._loop.create_future()
            self._writers = writers = self._writers or []
            writers.append(writer)
            try:
                await writer
            except asyncio.CancelledError:
                writers.remove(writer)
                raise
        if self._is_gone:
            raise self._cannot_send()

    def _count_waiting(self, size: int) -> None:
        """Counts from above: what is taken while there is room is not subtracted, message by message, but forgotten
        when the queue is empty."""
        self._waiting_bytes = self._waiting_bytes + size if self._messages else size

    def _stop_reading(self) -> None:
        """Stops reading if as much waits as it seems."""
        self._waiting_bytes = sum(map(len, self._messages)) + _MESSAGE_BYTES * len(self._messages)
        if self._waiting_bytes > _PAUSE_BYTES and not self._is_full:
            self._is_full = True
            self._transport.pause_reading()
            self._look_later()

    def _look_later(self) -> None:
        if not self._is_looking and can_be_asked(self._transport):
            self._is_looking = True
            self._loop.call_later(_LOOK, self._look)

    def _look(self) -> None:
        """While reading is paused nobody tells of a reset. What the system still has is read then, and the end."""
        self._is_looking = False
        if not self._is_full or self._is_gone or self._transport.is_closing():
            return
        if has_hung_up(self._transport):
            self._transport.resume_reading()
        else:
            self._look_later()

    def _taken(self, message: bytes) -> None:
        self._waiting_bytes -= len(message) + _MESSAGE_BYTES
        if self._waiting_bytes * 2 < _PAUSE_BYTES:
            self._is_full = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _part(self) -> None:
        if self._is_gone:
            return
        if self._parting is None:
            self._parting = Parting(self._transport, self._limits)
        self._parting.begin()

    def _end_of_stream(self) -> ChannelError | RemoteProtocolError:
        try:
            messages = self._decoder.receive_eof()
        except RemoteProtocolError as error:
            return error
        if messages:
            self._deliver(messages)
        return ChannelEnded(_("the peer has closed the channel"))

    def _cut_off(self, held: int) -> None:
        self._is_shut = True
        why = _("{peer} has not taken {held} bytes, limit {limit} bytes: it was cut off")
        self._end_receiving(BufferFull(why.format(peer=self.peer_address, held=held, limit=self._limits.unsent_bytes)))
        self._transport.abort()

    def _break(self, error: RemoteProtocolError) -> None:
        self._is_shut = True
        self._end_receiving(error)
        self._transport.abort()

    def _cannot_send(self) -> ChannelError:
        if self._ended_here and not self._closed_here:
            return ChannelClosed(_("this side has ended its half of the channel already"))
        if self._broken_by is not None and not self._closed_here:
            return self._broken_by
        return super()._cannot_send()
