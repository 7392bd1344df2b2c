"""A channel: a two-way flow of messages with one peer, over any transport and framing.

What a stream of bytes lacks is where one message ends; the framing supplies that, and the channel adds what a program
needs around it: waiting when the peer is slow, telling a clean end from a broken one, one write per loop turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, cast

from lanline.errors import (
    ChannelBroken,
    ChannelClosed,
    ChannelEnded,
    ChannelError,
    LocalProtocolError,
    RemoteProtocolError,
)
from lanline.framing.base import Framing
from lanline.limits import LAN, Limits
from lanline.link.parting import Parting
from lanline.transport.base import Arrival, connection_facts

_PAUSE_BYTES: Final = 256 * 1024
"""Received and not yet used: above it the channel stops reading, so that the peer waits and memory does not grow."""

_MESSAGE_BYTES: Final = 64
"""What a message costs beside its content: without it, endless empty lines would never stop the reading."""

_WRITE_BYTES: Final = 64 * 1024
"""Collected output that is written at once, not at the end of the loop turn: a task that sends and sends without ever
having to wait would not let that come."""


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """Messages and bytes since the channel began, and messages received that nobody has taken yet."""

    sent_messages: int
    sent_bytes: int
    received_messages: int
    received_bytes: int
    waiting_messages: int


class Channel(asyncio.Protocol):
    """Messages to and from one peer.

    Made by `connect` and `serve`, never by hand. Used by one task for receiving and any number for sending.

    Args:
        framing: how messages lie in the stream.
        limits: `unsent_bytes` and `drain` are used here.
        arrival: what the listener knows of it, on the serving side.
        on_connected: called once with this channel when the connection is there.
    """

    def __init__(
        self,
        framing: Framing,
        limits: Limits = LAN,
        *,
        arrival: Arrival | None = None,
        on_connected: Callable[[Channel], None] | None = None,
    ) -> None:
        self._framing = framing
        self._arrival = arrival
        self._on_connected = on_connected
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._decoder = framing.decoder()
        self._messages: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._receiver: asyncio.Future[None] | None = None
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._flush_is_due = False
        self._writers: list[asyncio.Future[None]] = []
        self._is_writable = True
        self._is_reading = True
        self._end: ChannelError | RemoteProtocolError | None = None
        self._ended_here = False
        self._closed_here = False
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._sent_messages = 0
        self._sent_bytes = 0
        self._received_messages = 0
        self._received_bytes = 0
        self._parting: Parting
        self._transport: asyncio.Transport
        self.peer_address = ""
        """Who is at the other end, as text; hostile where it is a name."""

    def __repr__(self) -> str:
        state = "closed" if self._closed_here else "ended" if self._end else "open"
        return f"<Channel {self._framing.name} {self.peer_address} {state}>"

    # -- the program's side --------------------------------------------------------------------------------

    async def send(self, message: bytes) -> None:
        """Sends one message; waits while the peer is slow.

        Raises:
            ChannelClosed: this side has closed, or ended its half.
            ChannelEnded: the peer has closed its side and the connection with it.
            ChannelBroken: the connection broke.
            UsageError: the framing cannot carry this message; MessageTooLarge: it is over the limit.
            TypeError: it is text: write `text.encode()`.
        """
        data = self._framing.encode(message)
        if self._closed_here or self._ended_here or self._transport.is_closing():
            raise self._cannot_send()
        self._sent_messages += 1
        self._sent_bytes += len(data)
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

    async def receive(self) -> bytes:
        """The next message.

        Raises:
            ChannelEnded: the peer has closed; every message it sent was received.
            ChannelBroken: the connection broke.
            EndedInMessage: the stream ended in the middle of a message.
            RemoteProtocolError: the peer does not keep to the framing.
            ChannelClosed: this side has closed.
            LocalProtocolError: another task is receiving already.
        """
        while not self._messages:
            if self._closed_here:
                raise ChannelClosed("this side has closed the channel already")
            if self._end is not None:
                raise self._end
            if self._receiver is not None:
                raise LocalProtocolError("two tasks receive from one channel")
            self._receiver = self._loop.create_future()
            try:
                await self._receiver
            finally:
                self._receiver = None
        message = self._messages.popleft()
        self._waiting_bytes -= len(message) + _MESSAGE_BYTES
        if not self._is_reading and self._waiting_bytes * 2 < _PAUSE_BYTES and not self._transport.is_closing():
            self._is_reading = True
            self._transport.resume_reading()
        return message

    def __aiter__(self) -> Self:
        """Messages until the peer closes."""
        return self

    async def __anext__(self) -> bytes:
        """The next message."""
        try:
            return await self.receive()
        except (ChannelEnded, ChannelClosed):
            raise StopAsyncIteration from None

    def end(self) -> None:
        """Sends nothing more, but goes on receiving (half-close). TLS has no half-close: there it closes."""
        if self._ended_here or self._transport.is_closing():
            return
        self._flush()
        self._ended_here = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._parting.begin()

    async def close(self) -> None:
        """Closes, once what was sent has been taken by the system. A peer that takes none of it for `limits.drain`
        seconds is cut off; so is every peer when this is cancelled."""
        if not self._closed_here:
            self._flush()
            self._closed_here = True
            self._parting.begin()
            self._wake_receiver()
        try:
            await asyncio.shield(self._gone)
        except asyncio.CancelledError:
            self._transport.abort()
            raise

    def abort(self) -> None:
        """Closes at once; what has not been sent is lost."""
        self._closed_here = True
        self._transport.abort()
        self._wake_receiver()

    @property
    def is_gone(self) -> bool:
        """Whether the connection is over."""
        return self._gone.done()

    async def wait_gone(self) -> None:
        """Waits until the connection is over."""
        await asyncio.shield(self._gone)

    def statistics(self) -> ChannelStatistics:
        """Figures since the channel began."""
        return ChannelStatistics(
            self._sent_messages,
            self._sent_bytes,
            self._received_messages,
            self._received_bytes,
            len(self._messages),
        )

    async def __aenter__(self) -> Self:
        """Leaving the block closes the channel."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the channel."""
        await self.close()

    # -- asyncio's side ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self._limits.unsent_bytes // 4)
        self._parting = Parting(self._transport, self._limits)
        self.peer_address = connection_facts(self._transport).peer_address
        if self._on_connected is not None:
            self._on_connected(self)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        try:
            messages = self._decoder.receive_data(data)
        except RemoteProtocolError as error:
            self._break(error)
            return
        self._received_messages += len(messages)
        self._received_bytes += len(data)
        self._messages.extend(messages)
        self._waiting_bytes += sum(map(len, messages)) + _MESSAGE_BYTES * len(messages)
        if self._waiting_bytes > _PAUSE_BYTES and self._is_reading:
            self._is_reading = False
            self._transport.pause_reading()
        if messages:
            self._wake_receiver()
        if self._decoder.error is not None:
            self._break(self._decoder.error)

    def eof_received(self) -> bool:
        """The peer sends no more; this side may still (half-close)."""
        if self._end is None:
            self._end = self._end_of_stream()
            self._wake_receiver()
        return self._transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self._arrival is not None:
            self._arrival.gone()
        if self._end is None:
            self._end = ChannelBroken(f"the connection broke: {exc}") if exc else self._end_of_stream()
        self._parting.over()
        if not self._gone.done():
            self._gone.set_result(None)
        self._wake_receiver()
        self.resume_writing()

    def pause_writing(self) -> None:
        """The transport holds as much as it should."""
        self._is_writable = False

    def resume_writing(self) -> None:
        """There is room again."""
        self._is_writable = True
        writers, self._writers = self._writers, []
        for writer in writers:
            if not writer.done():
                writer.set_result(None)

    # -- private pieces ------------------------------------------------------------------------------------

    def _flush(self) -> None:
        self._flush_is_due = False
        out, self._out, self._out_bytes = self._out, [], 0
        if out and not self._transport.is_closing():
            self._transport.write(b"".join(out))

    async def _wait_writable(self) -> None:
        while not self._is_writable:
            writer: asyncio.Future[None] = self._loop.create_future()
            self._writers.append(writer)
            await writer
        if self._gone.done():
            raise self._cannot_send()

    def _end_of_stream(self) -> ChannelError | RemoteProtocolError:
        try:
            self._decoder.receive_eof()
        except RemoteProtocolError as error:
            return error
        return ChannelEnded("the peer has closed the channel")

    def _break(self, error: RemoteProtocolError) -> None:
        self._end = error
        self._wake_receiver()
        self._transport.abort()

    def _cannot_send(self) -> ChannelError:
        if self._closed_here:
            return ChannelClosed("this side has closed the channel already")
        if self._ended_here:
            return ChannelClosed("this side has ended its half of the channel already")
        if isinstance(self._end, ChannelError):
            return self._end
        return ChannelBroken(f"the connection is over: {self._end or 'it was closed'}")

    def _wake_receiver(self) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)
