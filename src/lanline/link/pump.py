"""Drives a Session over an asyncio transport: bytes in, events out, one write per loop turn, one timer.

The only place where a session, a socket and a clock meet under asyncio (`blocking/link.py` is its twin). It knows
nothing of services and rooms: it hands events to `handle`, in order. Rules:

- One write per connection per loop turn: frames are collected and joined once. This is the largest single lever for
  speed (17 to 33 times, docs/explanation/speed.md). Only a lot of output is written at once.
- Unsent bytes are bounded. Whoever sends on its own account waits for `is_writable`; what a peer asks for is not begun
  while it does not take what it has asked for before (`incoming.py`). Reading goes on all the time: two sides that
  stop reading because the other one has stopped would wait for each other for ever.
- A peer that does not take its bytes for `limits.stall` seconds is dropped, and so is one that has made this side owe
  it `_OWED_ITEMS` items of full size: only one that floods and does not read gets there.
- A protocol error of the peer is answered with GOAWAY and its reason, then the connection is closed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, cast

from lanline.errors import ProtocolError
from lanline.limits import Limits
from lanline.link.parting import Parting
from lanline.session.events import Event
from lanline.session.session import Session

_WRITE_BYTES: Final = 64 * 1024
"""Size of one write at most: larger ones are slower over TLS (they pile up in its memory buffers). So much output is
also written before the end of the loop turn."""

_LARGE_BYTES: Final = 16 * 1024
"""A piece above it is not copied into a joined write: the copy costs more than a TLS record of its own for the header
before it. A frame's body is at most 64 KiB, so this too stays below `_WRITE_BYTES`."""

_EVENTS_PER_WRITE: Final = 64
"""When more events than this came at once, what they led to is written in between, so that the peer works on the first
answers while this side makes the next (both cores busy instead of one after the other)."""

MUCH_BYTES: Final = 4 * 1024
"""Above it, whoever gives the session something says so with `wrote`; below it the count would cost more than it
tells."""

_OWED_ITEMS: Final = 16
"""Beyond `limits.unsent_bytes`, and far beyond what serving alone leads to: one item, or 64 small ones."""


class Pump(asyncio.Protocol):
    """One connection's driver.

    Args:
        make_session: called with the time once the connection is there.
        connected: called with this pump once the session exists.
        answered: called with the askers whose results have come, and the results, before `handle`. Raises nothing.
        handle: called with the events that have happened, in order. Raises nothing.
        writable: called when the peer takes bytes again, after a time in which it did not.
        lost: called once with a sentence when the connection is gone, whoever closed it.
        limits: `unsent_bytes`, `stall` and `drain` are used here.
        is_patient: a peer may take nothing for as long as it likes (on unix and mem transports).
    """

    def __init__(
        self,
        make_session: Callable[[float], Session],
        connected: Callable[[Pump], None],
        answered: Callable[[list[Any], list[bytes]], None],
        handle: Callable[[list[Event]], None],
        writable: Callable[[], None],
        lost: Callable[[str], None],
        *,
        limits: Limits,
        is_patient: bool,
    ) -> None:
        self._make_session = make_session
        self._connected = connected
        self._answered = answered
        self._handle = handle
        self._writable = writable
        self._lost = lost
        self._limits = limits
        self._is_patient = is_patient
        self._loop = asyncio.get_running_loop()
        self._unwritten = 0
        self._clock = _exact_clock(self._loop)
        self._answers = 0
        self._has_large = False
        self._timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._writers: list[asyncio.Future[None]] = []
        self._closing = ""
        self.flush_is_due = False
        """What the session was given will be sent in this loop turn: `wake` would do nothing."""
        self.is_connected = False
        self.is_writable = True
        """Whether the transport takes more; else what this side sends on its own account has to wait."""
        self.received_bytes = 0
        self.sent_bytes = 0
        self._parting: Parting
        self.transport: asyncio.Transport
        self.session: Session

    def __repr__(self) -> str:
        return f"<Pump {self.session!r}>" if self.is_connected else "<Pump not connected>"

    # -- asyncio's side ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there: the session begins, and its HELLO goes out."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=self._limits.unsent_bytes // 4)
        self._parting = Parting(self.transport, self._limits)
        self.session = self._make_session(self._clock())
        self.is_connected = True
        self._connected(self)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self.received_bytes += len(data)
        try:
            self.session.receive_data(data, self._clock())
        except ProtocolError as error:
            self._closing = self._closing or str(error)
        askers, results = self.session.answers()
        if askers:
            self._answered(askers, results)
        if self.session.has_events:
            self._pass_events_on()
        if not self.is_writable and self._owes_too_much():
            self.abort("the peer goes on asking and takes no answers")
        if not self.flush_is_due:
            self.flush_is_due = True
            self._loop.call_soon(self._flush)

    def eof_received(self) -> bool:
        """The peer closed its half; a link has no use for the other half alone."""
        self.session.receive_eof(self._clock())
        self._pass_events_on()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        reason = self._closing or (f"the connection broke: {exc}" if exc else "")
        self.session.receive_eof(self._clock(), reason)
        self._pass_events_on()
        for timer in (self._timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        self._parting.over()
        self.is_writable = True
        self._wake_writers()
        self._lost(reason or "the peer closed the connection")

    def pause_writing(self) -> None:
        """The transport holds as much as it should: senders wait from here on."""
        self.is_writable = False
        if not self._is_patient:
            self._stall_timer = self._loop.call_later(self._limits.stall, self._stalled)

    def resume_writing(self) -> None:
        """There is room again."""
        self.is_writable = True
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
        self._wake_writers()
        self._writable()

    # -- the link's side -----------------------------------------------------------------------------------

    def wake(self) -> None:
        """The session was given something: send it in this loop turn."""
        if not self.flush_is_due:
            self.flush_is_due = True
            self._loop.call_soon(self._flush)

    def wrote(self, size_bytes: int) -> None:
        """The session was given so many bytes: much is sent now, so that `is_writable` is true to the facts, little in
        this loop turn."""
        self._unwritten += size_bytes
        if size_bytes > _LARGE_BYTES:
            self._has_large = True
        if self._unwritten > _WRITE_BYTES:
            self._send()
        self.wake()

    def answered(self) -> None:
        """A task has given the session one more answer: every so many are written at once, for the reason that
        `_EVENTS_PER_WRITE` gives. Tasks that run in the same loop turn would else make the peer wait for the last of
        them (1.6 times as many asks a second at 256 outstanding)."""
        self._answers += 1
        if self._answers >= _EVENTS_PER_WRITE:
            self._send()
        if not self.flush_is_due:
            self.wake()

    async def wait_writable(self) -> None:
        """Waits until the transport takes more; returns too when the connection is gone."""
        while not self.is_writable:
            writer = self._loop.create_future()
            self._writers.append(writer)
            await writer

    def close(self, reason: str) -> None:
        """Sends what is due, then closes the connection, with patience for a peer that goes on taking bytes."""
        self._closing = self._closing or reason
        self._send()
        self._parting.begin()

    def abort(self, reason: str) -> None:
        """Closes the connection at once; unsent bytes are lost."""
        self._closing = self._closing or reason
        self.transport.abort()

    # -- private pieces ------------------------------------------------------------------------------------

    def _pass_events_on(self) -> None:
        while happened := self.session.events():
            if len(happened) <= _EVENTS_PER_WRITE:
                self._handle(happened)
                continue
            for start in range(0, len(happened), _EVENTS_PER_WRITE):
                self._handle(happened[start : start + _EVENTS_PER_WRITE])
                self._send()

    def _flush(self) -> None:
        self.flush_is_due = False
        session = self.session
        if session.has_events:
            self._pass_events_on()
        self._send()
        due = session.next_deadline()
        if due is None:
            if session.is_closed:
                self._parting.begin()
        elif self._timer is None or due < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(due, self._timer_fired)

    def _send(self) -> None:
        pieces = self.session.data_to_send()
        has_large, self._has_large = self._has_large, False
        self._unwritten = self._answers = 0
        if not pieces or self.transport.is_closing():
            return
        if has_large:
            self._send_large(pieces)
            return
        joined = b"".join(pieces)
        self.sent_bytes += len(joined)
        for start in range(0, len(joined), _WRITE_BYTES):
            self.transport.write(joined[start : start + _WRITE_BYTES])

    def _send_large(self, pieces: list[bytes]) -> None:
        """As the last lines of `_send`, for output with large bodies in it, which are not copied where that can be
        helped."""
        batch: list[bytes] = []
        size = 0
        for piece in pieces:
            self.sent_bytes += len(piece)
            if len(piece) > _LARGE_BYTES:
                self.transport.writelines([b"".join(batch), piece] if batch else [piece])
                batch, size = [], 0
                continue
            if size + len(piece) > _WRITE_BYTES:
                self.transport.write(b"".join(batch))
                batch, size = [], 0
            batch.append(piece)
            size += len(piece)
        if batch:
            self.transport.write(b"".join(batch))

    def _owes_too_much(self) -> bool:
        most = self._limits.unsent_bytes + _OWED_ITEMS * self._limits.max_item_bytes
        return self.transport.get_write_buffer_size() > most

    def _timer_fired(self) -> None:
        self._timer = None
        self.session.deadline_passed(self._clock())
        self._flush()

    def _stalled(self) -> None:
        self.abort(f"the peer took no bytes for {self._limits.stall:g} s")

    def _wake_writers(self) -> None:
        writers, self._writers = self._writers, []
        for writer in writers:
            if not writer.done():
                writer.set_result(None)


def _exact_clock(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """The loop's clock, where it is exact. uvloop's stands still for a loop turn and counts milliseconds, which makes
    most round trips in a LAN 0; it is CLOCK_MONOTONIC all the same, so that times of both can be compared."""
    return time.monotonic if type(loop).__module__.startswith("uvloop") else loop.time
