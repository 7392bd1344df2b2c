"""One connection that speaks HTTP/1.1: aiohttp's protocol with the parts that it leaves out.

aiohttp parses, and writes what responses hold. This class takes headers within their time and size, gives one request
after the other to `answering.py`, and ends connections so that the last answer arrives. States::

    IDLE -> HEADER -> BUSY -> IDLE
                        \\-> LINGERING -> CLOSING

Rules: all of a connection happens in one task; what is not understood, or not read, is followed by the answer and the
end of the connection, but never by a reset that destroys the answer on its way.

Overrides of `aiohttp.web_protocol.RequestHandler`: connection_made, connection_lost, data_received, eof_received and
start. Used of what it inherits: the flow control of `BaseProtocol`, and the pause while too many pipelined requests
wait. See docs/decisions/0090-the-connection-of-http.md. Source: RFC 9112 sections 2.2, 9.3 and 9.6.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import Any, Final, cast

from aiohttp import web
from aiohttp.http import HttpVersion10, HttpVersion11, RawRequestMessage, StreamWriter
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler

from lanline.http.answering import GONE, Outcome, answer, refuse
from lanline.http.badrequest import header_too_large, refusal_of_parser, unreadable
from lanline.http.buffers import Buffers
from lanline.http.connectiontable import ConnectionTable
from lanline.http.exchange import Request, exchange_of
from lanline.http.gauge import Gauge
from lanline.http.limits import HttpLimits
from lanline.http.outflow import Outflow
from lanline.http.parsing import Parsed, feed, new_parser
from lanline.http.refusal import Refusal, too_many_connections
from lanline.limits import KiB
from lanline.transport.base import Arrival
from lanline.transport.tuning import bear_silence

_UNSENT_BYTES: Final = 64 * KiB
"""What the transport holds before a writer has to wait: asyncio's own figure without TLS."""

IDLE, HEADER, BUSY, LINGERING, CLOSING = range(5)
"""IDLE: no byte of a request is here. HEADER: one has begun. BUSY: requests are being answered. LINGERING: the last
answer is written, what still comes is thrown away. CLOSING: nothing is read, what is written goes out."""

_Message = tuple[RawRequestMessage | Refusal, StreamReader]
"""A request with its body; or what to say instead, where none could be read."""


class Connection(RequestHandler):
    """One connection.

    Args:
        table: of all connections of the server, and what they share.
        arrival: from the listener.
    """

    __slots__ = (
        "phase",
        "receiving",
        "sending",
        "task",
        "_arrival",
        "_gauge",
        "_host",
        "_is_cut",
        "_table",
        "_is_deaf",
        "_is_half_closed",
        "_is_last",
        "_is_over",
        "_is_surplus",
        "_latest",
        "_lingered",
        "_outflow",
        "_peer",
        "_queue",
        "_since",
    )

    def __init__(self, table: ConnectionTable, arrival: Arrival) -> None:
        limits = table.limits
        super().__init__(
            cast(Any, table),
            loop=table.loop,
            keepalive_timeout=0,  # the table looks after time
            tcp_keepalive=False,  # the listener has set that
            access_log=cast(Any, None),
            max_line_size=limits.max_target_bytes,
            max_field_size=limits.max_header_bytes + 1,  # another number than the line's: an error names it
            max_headers=limits.max_header_fields,
            read_bufsize=limits.read_bytes,
            auto_decompress=False,
        )
        self.phase = IDLE
        self.task: asyncio.Task[None] | None = None
        self.sending: asyncio.Future[None] | None = None
        self.receiving: asyncio.Future[None] | None = None
        self._since = self._loop.time()
        self._table = table
        self._arrival: Arrival | None = arrival
        self._peer = arrival.peer_address
        self._host = arrival.host
        self._queue: deque[_Message] = cast(Any, self._messages)  # aiohttp's own, whose length it looks at
        self._latest: StreamReader = EMPTY_PAYLOAD
        self._lingered: asyncio.Future[None] | None = None
        self._gauge = Gauge(limits.max_header_bytes)
        self._outflow = Outflow()
        self._is_cut = self._is_deaf = self._is_half_closed = self._is_last = self._is_over = self._is_surplus = False

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins to serve."""
        super(RequestHandler, self).connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            bear_silence(sock, self._table.limits.stall + 1)  # a second later than the table
        if transport.get_extra_info("sslcontext") is not None:
            # asyncio and uvloop let 512 KiB wait over TLS, and copy them twice more on their way.
            cast(asyncio.Transport, transport).set_write_buffer_limits(high=_UNSENT_BYTES)
        self._is_surplus = not self._table.admit(self, self._host)
        self.task = self._loop.create_task(self.start())

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wakes whoever reads, writes or waits; a site learns of it there, and is not cancelled."""
        super(RequestHandler, self).connection_lost(exc)
        self._parser = None
        if self._arrival is not None:
            self._arrival.gone()
            self._arrival = None
        lost = ConnectionResetError("the connection is lost")
        if not self._latest.is_eof():
            self._latest.set_exception(lost)
        for moving in (self.sending, self.receiving):
            if moving is not None and not moving.done():
                moving.set_exception(lost)
        for waiter in (self._lingered, self._waiter):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
        self._is_last = True
        if self._is_over:
            self._table.forget(self)

    def data_received(self, data: bytes) -> None:
        """Feeds the parser, and judges what a header takes."""
        if self._is_deaf or self._parser is None:
            return
        was_body = not self._latest.is_eof()
        try:
            messages, is_connect = feed(self._parser, data)
        except HttpProcessingError as error:
            begun = b"" if was_body else self._gauge.first_bytes(data)
            self._take_last(refusal_of_parser(error, begun, self._table.limits))
            return
        if messages:
            self._take(self._judged(messages, len(data)))
            if is_connect:
                self._is_deaf = True  # what follows is no HTTP
        elif not was_body and data:
            self._judge_part(data)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks for it; aiohttp leaves it None
        """The peer sends no more. An answer under way still goes to it; True keeps the connection open for that."""
        self._is_half_closed = True
        if self._lingered is not None and not self._lingered.done():
            self._lingered.set_result(None)
        if self.phase != BUSY or self.transport is None:
            return False
        if not self._latest.is_eof():
            self._latest.set_exception(ConnectionResetError("the body was cut off"))
        return self.transport.get_extra_info("sslcontext") is None

    # What the table calls

    def check(self, now: float) -> None:
        """Ends what takes too long.

        Args:
            now: the loop's time.
        """
        passed, limits = now - self._since, self._table.limits
        if self.phase == IDLE and passed >= (limits.header if self._is_surplus else limits.idle):
            self.leave()
        elif self.phase == HEADER and passed >= limits.header:
            self._take_last(Refusal(408, f"the header of the request was not whole after {limits.header:g} s"))
        elif self.phase == LINGERING and passed >= limits.linger:
            if self._lingered is not None and not self._lingered.done():
                self._lingered.set_result(None)
        transport = self.transport
        if transport is not None and not self._is_cut:
            waits = self.sending is not None and not self.sending.done()
            if self._outflow.stuck_seconds(transport.get_write_buffer_size(), now, waits=waits) >= limits.stall:
                self.cut()

    def leave(self) -> None:
        """Closes an idle connection now, another one after the answer that is under way."""
        self._is_last = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def cut(self) -> None:
        """Ends the connection at once. What was written and not sent is lost."""
        if self.transport is not None and not self._is_cut:
            self._is_cut = True
            self.transport.abort()

    # What answering, reading and sending ask

    @property
    def limits(self) -> HttpLimits:
        """In force for this connection."""
        return self._table.limits

    @property
    def buffers(self) -> Buffers:
        """Into which large bodies are received."""
        return self._table.buffers

    def moved(self) -> None:
        """The peer has taken something that was not written through the transport."""
        self._outflow.moved(self._loop.time())

    def pass_parser(self) -> None:
        """From here on the body under way is read past the transport, which rests."""
        self._pause_transport_reading()

    def return_to_parser(self, *, is_whole: bool) -> None:
        """The transport reads again.

        Args:
            is_whole: the body has been read to its end: a new parser, for which the next byte begins a request, takes
                over. Otherwise nothing that comes can be understood, and the next answer is the last.
        """
        if self._parser is None:
            return  # the connection is lost
        if is_whole:
            self._parser = new_parser(self, self._loop, self._table.limits, self._max_msg_queue_size)
            self._latest.feed_eof()
        else:
            self._is_last = True
        self._resume_transport_reading()

    def must_close_after(self, request: Request) -> bool:
        """Whether the answer to this request is the last on its connection."""
        hears_more = not self._is_half_closed and not self._is_deaf
        if self._is_last or request.method == "CONNECT" or not (hears_more or self._queue):
            return True
        return not request.can_be_followed(self._table.limits.max_rest_bytes)

    # Taking requests in

    def _judged(self, messages: Sequence[Parsed], arrived_bytes: int) -> list[_Message]:
        """The same messages, up to the first whose header is too large: that one is refused."""
        judged: list[_Message] = list(messages)
        if self._gauge.finish(arrived_bytes):
            place = self._gauge.too_large_of(message for message, _ in messages)
            if place is not None:
                self._is_deaf = True
                judged[place:] = [(header_too_large(self._table.limits), EMPTY_PAYLOAD)]
        return judged

    def _judge_part(self, data: bytes) -> None:
        self._gauge.add(data)
        if self.phase == IDLE and self._gauge.has_begun:
            self.phase, self._since = HEADER, self._loop.time()
        if self._gauge.is_too_large:
            self._take_last(header_too_large(self._table.limits))

    def _take(self, messages: list[_Message]) -> None:
        self._latest = messages[-1][1]
        self._queue.extend(messages)
        if self.phase < BUSY:
            self.phase = BUSY
            self._table.works(self)
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)
        if not self._buffer_paused and len(self._queue) >= self._max_msg_queue_size:
            self._pause_reading_for_buffer()

    def _take_last(self, refusal: Refusal) -> None:
        """Says this after the answers that are due before it, and hears nothing more."""
        self._is_deaf = True
        if self._latest.is_eof():
            self._take([(refusal, EMPTY_PAYLOAD)])
        else:
            self._latest.set_exception(refusal)  # the fault is in the body: whoever reads it says so

    # The task

    async def start(self) -> None:
        """Answers one request after the other, then closes."""
        try:
            while await self._wait_request():
                message, body = self._queue.popleft()
                if self._parser is not None:
                    self._parser.message_consumed()
                if self._buffer_paused and len(self._queue) <= self._msg_queue_resume_size:
                    self._resume_reading_if_drained()
                if not await self._exchange(message, body):
                    break
        finally:
            self._end()

    async def _wait_request(self) -> bool:
        """Waits for a request; False when there will be none."""
        if not self._queue and not self._is_last and not self._is_half_closed:
            self.phase = HEADER if self._gauge.has_begun else IDLE
            self._since = self._loop.time()
            if not self._is_surplus:
                self._table.rests(self)
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return bool(self._queue)

    async def _exchange(self, message: RawRequestMessage | Refusal, body: StreamReader) -> bool:
        """Answers one request and tells the table of it. Returns whether the connection can carry another."""
        if not isinstance(message, Refusal) and message.version not in (HttpVersion10, HttpVersion11):
            message = Refusal(505, "this server speaks HTTP/1.1 and HTTP/1.0")  # aiohttp would answer as HTTP/2.0
        head, refusal = (unreadable(), message) if isinstance(message, Refusal) else (message, self._crowded())
        began = monotonic()
        request = Request(head, body, self, StreamWriter(self, self._loop), cast(Any, self.task), self._loop)
        outcome = GONE
        try:
            if refusal is not None:
                outcome = await refuse(request, refusal)
            else:
                outcome = await answer(request, self._table.site, self._table.faults)
        finally:
            if self._table.heard is not None:
                self._table.heard(exchange_of(self._peer, request, outcome.status, monotonic() - began))
        return await self._settle(outcome, body)

    def _crowded(self) -> Refusal | None:
        """What a connection beyond the limit is told, unless others have left meanwhile."""
        if not self._is_surplus or not self._table.is_full:
            return None
        self._is_last = True
        return too_many_connections(self._table.limits)

    async def _settle(self, outcome: Outcome, body: StreamReader) -> bool:
        """What is left of a request once it is answered: its unread body, and the connection."""
        if not outcome.is_whole:
            self.cut()
            return False
        if outcome.keeps_alive and not self._is_last and (body.is_eof() or await self._read_away(body)):
            return True
        if self._is_deaf or self._queue or self._gauge.has_begun or not body.is_eof():
            await self._linger()
        return False

    async def _read_away(self, body: StreamReader) -> bool:
        """Reads the small rest of a body, so that the next request is found behind it."""
        try:
            async with asyncio.timeout(self._table.limits.linger):
                while not body.is_eof():
                    await body.readany()
        except (TimeoutError, ConnectionError, Refusal, web.RequestPayloadError):
            return False
        return True

    async def _linger(self) -> None:
        """Throws away what still comes, until the peer has read its answer and closes, or time is over.

        Closing with unread bytes makes the system send a reset, which destroys what the peer has not read yet
        (RFC 9112 section 9.6).
        """
        transport = self.transport
        if transport is None or transport.is_closing() or self._is_half_closed:
            return
        self._is_deaf, self.phase, self._since = True, LINGERING, self._loop.time()
        self._lingered = self._loop.create_future()
        if transport.can_write_eof():
            try:
                transport.write_eof()
            except OSError:  # whoever rests from reading has not been told: the peer is gone
                return
        self._resume_transport_reading()
        await self._lingered

    def _end(self) -> None:
        self.phase, self._is_deaf, self._is_over = CLOSING, True, True
        self._queue.clear()
        if self.transport is None:
            self._table.forget(self)
        elif not self._is_cut:
            self.transport.close()

    def __repr__(self) -> str:
        phase = ("IDLE", "HEADER", "BUSY", "LINGERING", "CLOSING")[self.phase]
        return f"<Connection {self._peer} {phase}{' surplus' if self._is_surplus else ''}>"
