"""Drives a Session over an asyncio transport: bytes in, events out, one write per loop turn, one timer.

The only place where a session, a socket and a clock meet under asyncio (`blocking.py` is its twin). It knows nothing of
services and rooms: it hands events to `handlers`, in order. Rules:

- One write per connection per loop turn: frames are collected and joined once. This is the largest single lever for
  speed (17 to 33 times, docs/explanation/speed.md).
- A peer that does not take its bytes for `limits.stall` seconds is dropped; unsent bytes are bounded, since senders
  wait for `is_writable`.
- A protocol error of the peer is answered with GOAWAY and its reason, then the connection is closed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from lanline.errors import ProtocolError
from lanline.limits import Limits
from lanline.session import events
from lanline.session.session import Session

log = logging.getLogger("lanline.link")

_JOIN_BYTES: Final = 64 * 1024
"""Pieces are joined up to this size: larger writes are slower over TLS (they pile up in its memory buffers)."""

_EVENTS_PER_WRITE: Final = 64
"""When more events than this came at once, what they led to is written in between, so that the peer works on the first
answers while this side makes the next (both cores busy instead of one after the other)."""


class Pump(asyncio.Protocol):
    """One connection's driver.

    Args:
        make_session: called with the time once the connection is there.
        handlers: called with each event, by its type.
        connected: called with this pump once the session exists.
        lost: called once with a sentence when the connection is gone, whoever closed it.
        limits: `unsent_bytes` and `stall` are used here.
        stallable: whether a peer that takes nothing is dropped (not on unix and mem transports).
    """

    def __init__(
        self,
        make_session: Callable[[float], Session],
        handlers: Mapping[type[events.Event], Callable[[Any], None]],
        connected: Callable[[Pump], None],
        lost: Callable[[str], None],
        *,
        limits: Limits,
        stallable: bool,
    ) -> None:
        self._make_session = make_session
        self._handlers = handlers
        self._connected = connected
        self._lost = lost
        self._limits = limits
        self._stallable = stallable
        self._loop = asyncio.get_running_loop()
        self._flush_is_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._writable_waiters: list[asyncio.Future[None]] = []
        self._closing = ""
        self.is_writable = True
        self.received_bytes = 0
        self.sent_bytes = 0
        self.transport: asyncio.Transport
        self.session: Session

    def __repr__(self) -> str:
        return f"<Pump {self.session!r}>"

    # -- asyncio's side ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there: the session begins, and its HELLO goes out."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=self._limits.unsent_bytes // 4)
        self.session = self._make_session(self._loop.time())
        self._connected(self)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self.received_bytes += len(data)
        session = self.session
        try:
            session.receive_data(data, self._loop.time())
        except ProtocolError as error:
            self._closing = str(error)
        self._pass_events_on()
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    def eof_received(self) -> bool:
        """The peer closed its half; a link has no use for the other half alone."""
        self.session.receive_eof(self._loop.time())
        self._pass_events_on()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.session.receive_eof(self._loop.time())
        self._pass_events_on()
        for timer in (self._timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        self.is_writable = True
        self._wake_writers()
        self._lost(self._closing or (str(exc) if exc else "the peer closed the connection"))

    def pause_writing(self) -> None:
        """The transport holds as much as it should: senders wait from here on."""
        self.is_writable = False
        if self._stallable:
            self._stall_timer = self._loop.call_later(self._limits.stall, self._stalled)

    def resume_writing(self) -> None:
        """There is room again."""
        self.is_writable = True
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
        self._wake_writers()

    # -- the link's side -----------------------------------------------------------------------------------

    def wake(self) -> None:
        """The session was given something: send it in this loop turn."""
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    async def wait_writable(self) -> None:
        """Waits until the transport takes more; returns too when the connection is gone."""
        while not self.is_writable:
            waiter = self._loop.create_future()
            self._writable_waiters.append(waiter)
            await waiter

    def close(self, reason: str) -> None:
        """Sends what is due, then closes the connection."""
        self._closing = self._closing or reason
        self._flush()
        self.transport.close()

    def abort(self, reason: str) -> None:
        """Closes the connection at once; unsent bytes are lost."""
        self._closing = self._closing or reason
        self.transport.abort()

    def abort_if_connected(self, reason: str) -> None:
        """As `abort`, where a connection may not have come about at all."""
        if hasattr(self, "transport"):
            self.abort(reason)

    # -- private pieces ------------------------------------------------------------------------------------

    def _pass_events_on(self) -> None:
        handlers = self._handlers
        session = self.session
        while happened := session.events():
            for start in range(0, len(happened), _EVENTS_PER_WRITE):
                for event in happened[start : start + _EVENTS_PER_WRITE]:
                    handlers[type(event)](event)
                if len(happened) > _EVENTS_PER_WRITE:
                    self._send()

    def _flush(self) -> None:
        self._flush_is_due = False
        session = self.session
        if session.has_events:
            self._pass_events_on()
        self._send()
        due = session.next_deadline()
        if due is None:
            if session.is_closed:
                self.transport.close()
        elif self._timer is None or due < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(due, self._timer_fired)

    def _send(self) -> None:
        pieces = self.session.data_to_send()
        if pieces and not self.transport.is_closing():
            self._write(pieces)

    def _write(self, pieces: list[bytes]) -> None:
        write = self.transport.write
        if len(pieces) <= 2 or sum(map(len, pieces)) <= _JOIN_BYTES:
            joined = b"".join(pieces)
            self.sent_bytes += len(joined)
            write(joined)
            return
        batch: list[bytes] = []
        size = 0
        for piece in pieces:
            if size + len(piece) > _JOIN_BYTES and batch:
                write(b"".join(batch))
                self.sent_bytes += size
                batch, size = [], 0
            batch.append(piece)
            size += len(piece)
        write(b"".join(batch))
        self.sent_bytes += size

    def _timer_fired(self) -> None:
        self._timer = None
        self.session.deadline_passed(self._loop.time())
        self._pass_events_on()
        self._flush()

    def _stalled(self) -> None:
        self.abort(f"the peer took no bytes for {self._limits.stall:.0f} s")

    def _wake_writers(self) -> None:
        waiters, self._writable_waiters = self._writable_waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
