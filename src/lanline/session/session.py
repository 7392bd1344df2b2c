"""A session: many calls over one connection, as a plain object without socket, clock or randomness.

Bytes and the time go in; bytes, events and a deadline come out. The same object runs under asyncio (`link/pump.py`),
under a blocking socket (`link/blocking/link.py`) and in rooms of memory. After **every** call of a verb below, the
driver must send what `data_to_send()` gives, handle what `answers()` (if it gives askers) and `events()` give, and arm
its timer for `next_deadline()`.

`now` is seconds on any clock that only goes forward, the same for all calls on one session.

Whose fault: what the peer may not do raises RemoteProtocolError out of `receive_data` (the session is then CLOSED and
a GOAWAY with the reason is waiting to be sent); what the driver may not do raises LocalProtocolError.
This file has the connection: its beginning, its end and its silence. The verbs for calls are in `callbook.py`.
Sources: docs/reference/protocol.md (byte tables), `states.py` (what may follow what).
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final, NoReturn

from lanline.errors import LocalProtocolError, ProtocolError, RemoteProtocolError, Status
from lanline.limits import LAN, Limits
from lanline.session import events, frames
from lanline.session.callbook import Side
from lanline.session.callframes import CallFrames
from lanline.session.calls import ABANDONED, Ask, Unfinished
from lanline.session.events import Event
from lanline.session.frames import UNDECODABLE, Kind
from lanline.session.keepalive import Keepalive
from lanline.session.reader import FrameReader
from lanline.session.states import CONNECTION, State, Step

__all__ = ["Session", "Side"]

Receiver = Callable[[int, int, bytes], None]
"""Takes a frame of one kind: call, flags, body."""

_PRIVATE_FRAMES: Final = frozenset((Kind.HELLO, Kind.ROSTER, Kind.WELCOME, Kind.GOAWAY))
"""All that is read from a peer before both sides have welcomed each other."""

_PINGS_UNDER_WAY: Final = 4
"""Remembered until their PONG comes: more than are sent before a silent peer counts as gone."""


class Session(CallFrames):
    """One connection's conversation.

    Args:
        side: which side of the connection this is.
        hello: this side's HELLO, sent at once.
        now: the time, seconds.
        limits: what is accepted.
        keepalive: False on transports where the end of the stream is liveness enough (unix, mem).
    """

    def __init__(
        self, side: Side, hello: frames.Hello, *, now: float, limits: Limits = LAN, keepalive: bool = True
    ) -> None:
        super().__init__(side, hello.window_bytes, limits, now)
        self.state = State.HELLO
        self.peer_hello: frames.Hello | None = None
        self._keepalive = Keepalive(limits, now) if keepalive else None
        self._pings: list[int] = []
        self._reader = FrameReader(limits, paced=keepalive)
        self._roster = Unfinished(Kind.ROSTER)
        self._has_roster = False
        self._answers: tuple[list[Ask], list[bytes]] = [], []
        self._farewell = ""
        self._receivers_when_open = self._table_of_receivers()
        self._receivers = self._receivers_before_open()
        self._emit(Kind.HELLO, 0, frames.encode_body(hello))

    def __repr__(self) -> str:
        return f"<Session {self.side.name} {self.state.name} calls={self.calls}>"

    @property
    def has_events(self) -> bool:
        """Whether `events()` would give anything."""
        return bool(self._events)

    @property
    def is_open(self) -> bool:
        """Whether calls can begin."""
        return self.state is State.OPEN

    @property
    def is_closed(self) -> bool:
        """Whether the session is over."""
        return self.state is State.CLOSED

    # -- input ---------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> None:
        """Takes bytes from the peer, in any pieces. A closed session takes and drops them.

        Raises:
            RemoteProtocolError: the peer broke the protocol; the events before that remain to be handled.
        """
        if self.state is State.CLOSED:
            return
        if self._keepalive is not None:
            self._keepalive.heard(now)
        self._now = now
        try:
            self._reader.receive_data(data, now, self._receivers, self._mine, self._answers)
        except ProtocolError as error:
            self._fail(str(error))
            raise
        except UNDECODABLE as error:
            refusal = RemoteProtocolError(f"a frame's body is not what its kind says: {error}")
            self._fail(str(refusal))
            raise refusal from error
        if self.state is State.DRAINING:
            self._drained()

    def receive_eof(self, now: float, reason: str = "") -> None:
        """The peer's stream ended, or the connection is gone: every call under way is lost.

        Args:
            now: the time, seconds.
            reason: one sentence, where the driver knows more than that the peer has closed.
        """
        self._now = now
        if not self.is_closed:
            self._close(reason or self._farewell or "the peer closed the connection", clean=False)

    def deadline_passed(self, now: float) -> None:
        """To be called once `now` has reached `next_deadline()`; calling it early or late does no harm."""
        if self.is_closed:
            return
        self._now = now
        self._pass_deadlines(now)
        self._judge_silence(now)

    # -- output --------------------------------------------------------------------------------------------

    def data_to_send(self) -> list[bytes]:
        """The pieces to be written to the connection, in order; empty when there is nothing. They are handed
        over once: the driver joins them and writes once per loop turn."""
        out, self._out = self._out, []
        return out

    @property
    def has_data_to_send(self) -> bool:
        """Whether `data_to_send()` would give anything."""
        return bool(self._out)

    def events(self) -> list[Event]:
        """What has happened since the last time, in order; handed over once."""
        happened, self._events = self._events, []
        return happened

    def answers(self) -> tuple[list[Ask], list[bytes]]:
        """The askers whose results have come, and the results; handed over once, and to be handled before the events.
        A result that is raw, or came in several frames, comes as an `Ended` event instead."""
        answers, self._answers = self._answers, ([], [])
        return answers

    def next_event(self) -> Event | None:
        """The next of them alone, or None. For drivers that take one at a time."""
        return self._events.pop(0) if self._events else None

    def next_deadline(self) -> float | None:
        """When `deadline_passed` wants to be called, on the clock of `now`; None for never."""
        if self.state is State.CLOSED:
            return None
        due = self._reader.due
        if self._keepalive is not None and self._keepalive.due < due:
            due = self._keepalive.due
        if self._deadlines:
            due = min(due, self._first_deadline())
        return None if due == inf else due

    # -- the first exchange --------------------------------------------------------------------------------

    def send_roster(self, data: bytes) -> None:
        """Sends this side's roster, because the peer's HELLO told of an older one. Before `send_welcome`.

        Raises:
            LocalProtocolError: not while judging.
        """
        if self.state not in (State.JUDGING, State.WELCOMED):
            raise LocalProtocolError(f"a roster can be sent only while judging, not in {self.state.name}")
        self._emit(Kind.ROSTER, 0, data)

    def send_welcome(self) -> None:
        """Says that the peer is in. The session is OPEN once the peer has said the same.

        Raises:
            LocalProtocolError: not while judging.
        """
        self._step(Step.WELCOME_SENT, is_local=True)
        self._emit(Kind.WELCOME, 0, b"")
        self._note_open()

    def _hello_received(self, call: int, flags: int, body: bytes) -> None:
        self._step(Step.HELLO_RECEIVED)
        hello = frames.decode_hello(body)
        if frames.VERSION not in hello.versions:
            spoken = ", ".join(str(version) for version in hello.versions[:8]) or "none"
            raise RemoteProtocolError(f"the peer speaks protocol versions {spoken}; this side speaks {frames.VERSION}")
        self.peer_hello = hello
        self._peer_window = hello.window_bytes
        self._reader.hello_received()
        self._events.append(events.Greeted(hello))

    def _roster_received(self, call: int, flags: int, body: bytes) -> None:
        self._step(Step.ROSTER_RECEIVED)
        if self._has_roster:
            raise RemoteProtocolError("a second roster came")
        whole = self._joined(self._roster, flags, body, self._limits.max_roster_bytes, "roster")
        if whole is not None:
            self._has_roster = True
            self._events.append(events.RosterReceived(whole))

    def _welcome_received(self, call: int, flags: int, body: bytes) -> None:
        self._step(Step.WELCOME_RECEIVED)
        if self._roster.pieces.size:
            raise RemoteProtocolError("a WELCOME came before the roster was whole")
        self._note_open()

    def _note_open(self) -> None:
        if self.state is State.OPEN:
            for kind, receiver in self._receivers_when_open.items():
                self._receivers[kind] = receiver
            self._events.append(events.Welcomed())
            if self._keepalive is not None:
                self._keepalive.opened(self._now)

    # -- the end -------------------------------------------------------------------------------------------

    def go_away(self, reason: str = "") -> None:
        """Opens and accepts no more calls; the session closes when those under way are over. Before it is OPEN this is
        a refusal, and closes it at once."""
        if self.is_closed:
            return
        self._emit_farewell(reason)
        if self._step(Step.GOAWAY, is_local=True) is State.CLOSED:
            self._close(reason, clean=True)
        else:
            self._drained()

    def close(self, reason: str = "") -> None:
        """Closes at once, telling the peer why: calls under way are lost."""
        if not self.is_closed:
            self._emit_farewell(reason)
            self._close(reason, clean=not self.calls)

    def _goaway_received(self, call: int, flags: int, body: bytes) -> None:
        farewell = frames.decode_farewell(body)
        self._farewell = farewell.reason
        self._events.append(events.GoingAway(farewell.reason))
        if self._step(Step.GOAWAY) is State.CLOSED:
            self._close(farewell.reason, clean=True)
            return
        for unserved in [one for one in self._mine if one > farewell.last_call]:
            if self.is_under_way(unserved):
                asker = self._own(unserved).asker
                self._events.append(events.Failed(unserved, Status.UNAVAILABLE, farewell.reason, {}, False, asker))
            self._drop_unfinished(self._mine.pop(unserved))
        self._drained()

    def _drained(self) -> None:
        if self.state is State.DRAINING and not self.calls:
            self._step(Step.LAST_CALL_OVER)
            self._close("both sides have finished", clean=True)

    def _fail(self, reason: str) -> None:
        self._emit_farewell(reason)
        self._close(reason, clean=False)

    def _emit_farewell(self, reason: str) -> None:
        farewell = frames.Farewell(frames.sendable(reason), self._highest_peer_call)
        self._emit(Kind.GOAWAY, 0, frames.encode_body(farewell))

    def _close(self, reason: str, *, clean: bool) -> None:
        """The only way to CLOSED: every call that is under way is told, and nothing is read any more."""
        self.state = State.CLOSED
        self._receivers[:] = [self._ignore] * len(self._receivers)
        for call, record in (*self._mine.items(), *self._theirs.items()):
            if record is not ABANDONED:
                asker = record if isinstance(record, Ask) else record.asker
                self._events.append(events.Failed(call, Status.PEER_GONE, reason, {}, True, asker))
        self._mine.clear()
        self._theirs.clear()
        self._deadlines.clear()
        self._events.append(events.Closed(reason, clean))

    # -- silence -------------------------------------------------------------------------------------------

    def _judge_silence(self, now: float) -> None:
        if self.is_closed:
            return
        if self._reader.is_too_slow(now):
            pace = f"within {self._limits.frame_seconds:g} s, at {self._limits.frame_bytes_per_second} bytes/s at least"
            self._fail(f"a frame came too slowly: it must be whole {pace}")
        elif self._keepalive is not None:
            self._keep_alive(self._keepalive, now)

    def _keep_alive(self, keepalive: Keepalive, now: float) -> None:
        silent = keepalive.check(now)
        if silent is not None:
            self._close(f"nothing came from the peer for {silent:.0f} s", clean=False)
        elif keepalive.wants_ping(now) and self.state in (State.OPEN, State.DRAINING):
            stamp = int(now * 1e9)
            self._pings = [*self._pings[1 - _PINGS_UNDER_WAY :], stamp]
            self._emit(Kind.PING, 0, frames.encode_body(frames.Stamps(stamp)))

    def _ping_received(self, call: int, flags: int, body: bytes) -> None:
        stamps = frames.decode_stamps(body)
        now_ns = int(self._now * 1e9)
        self._emit(Kind.PONG, 0, frames.encode_body(frames.Stamps(stamps.ping_sent_ns, now_ns, now_ns)))

    def _pong_received(self, call: int, flags: int, body: bytes) -> None:
        stamps = frames.decode_stamps(body)
        sent_ns = stamps.ping_sent_ns
        if sent_ns not in self._pings:
            raise RemoteProtocolError("a PONG came for a PING that was never sent, or was answered before")
        self._pings.remove(sent_ns)
        now_ns = int(self._now * 1e9)
        self._events.append(events.Ponged(sent_ns, stamps.ping_received_ns, stamps.pong_sent_ns, now_ns))

    # -- private pieces ------------------------------------------------------------------------------------

    def _step(self, step: Step, *, is_local: bool = False) -> State:
        state = CONNECTION[self.state].get(step)
        if state is None:
            kind = LocalProtocolError if is_local else RemoteProtocolError
            raise kind(f"{step.name.lower().replace('_', ' ')} is not allowed in {self.state.name}")
        self.state = state
        return state

    def _table_of_receivers(self) -> dict[Kind, Receiver]:
        return {
            Kind.HELLO: self._hello_received,
            Kind.ROSTER: self._roster_received,
            Kind.WELCOME: self._welcome_received,
            Kind.OPEN: self._open_received,
            Kind.DATA: self._data_received,
            Kind.END: self._end_received,
            Kind.ERROR: self._error_received,
            Kind.CREDIT: self._credit_received,
            Kind.CANCEL: self._cancel_received,
            Kind.PING: self._ping_received,
            Kind.PONG: self._pong_received,
            Kind.GOAWAY: self._goaway_received,
        }

    def _receivers_before_open(self) -> list[Receiver]:
        unknown, unexpected = self._unknown, self._unexpected
        receivers: list[Receiver] = [unknown] * 256  # a list, since looking up a number in it is cheapest
        for kind, receiver in self._receivers_when_open.items():
            receivers[kind] = receiver if kind in _PRIVATE_FRAMES else unexpected
        return receivers

    def _unknown(self, call: int, flags: int, body: bytes) -> NoReturn:
        raise RemoteProtocolError("a frame of an unknown kind came")

    def _unexpected(self, call: int, flags: int, body: bytes) -> NoReturn:
        raise RemoteProtocolError(f"a call's frame came before both sides had welcomed each other ({self.state.name})")

    def _ignore(self, call: int, flags: int, body: bytes) -> None:
        """The session was closed by a frame before this one, in the same bytes."""
