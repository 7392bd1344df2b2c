"""A session: many calls over one connection, as a plain object without socket, clock or randomness.

Bytes and the time go in; bytes, events and a deadline come out. The same object runs under asyncio (`link/pump.py`),
under a blocking socket (`link/blocking.py`) and in rooms of memory. After **every** call of a verb below, the driver
must send what `data_to_send()` gives, handle what `events()` gives, and arm its timer for `next_deadline()`.

`now` is seconds on any clock that only goes forward, the same for all calls on one session.

Whose fault: what the peer may not do raises RemoteProtocolError out of `receive_data` (the session is then CLOSED and
a GOAWAY with the reason is waiting to be sent); what the driver may not do raises LocalProtocolError.
Sources: docs/reference/protocol.md (byte tables), `states.py` (what may follow what).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from enum import IntEnum
from typing import Final, NoReturn

import msgspec

from lanline.errors import LocalProtocolError, MessageTooLarge, ProtocolError, RemoteProtocolError, Status
from lanline.limits import LAN, Limits
from lanline.session import events, frames
from lanline.session.calls import ANSWERING, ASKED, CallRecord
from lanline.session.frames import HEADER, HEADER_BYTES, LAST, MORE, RAW, Kind
from lanline.session.keepalive import Keepalive
from lanline.session.reader import FrameReader
from lanline.session.states import CALL_ROWS, CONNECTION, CallState, CallStep, State, Step

_pack = HEADER.pack

_PRIVATE_FRAMES: Final = frozenset((Kind.HELLO, Kind.ROSTER, Kind.WELCOME, Kind.GOAWAY))
"""All that is read from a peer before both sides have welcomed each other."""


class Side(IntEnum):
    """Who opened the connection. The number is the first call id of that side."""

    CONNECTING = 1
    ACCEPTING = 2


class Session:
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
        self.state = State.HELLO
        self.side = side
        self.peer_hello: frames.Hello | None = None
        self._limits = limits
        self._max_frame = limits.max_frame_bytes
        self._window = hello.window_bytes
        self._keepalive = Keepalive(limits, now) if keepalive else None
        self._reader = FrameReader(limits, paced=keepalive)
        self._calls: dict[int, CallRecord] = {}
        self._next_call: int = side
        self._highest_peer_call = 0
        self._deadlines: list[tuple[float, int]] = []
        self._roster_parts = CallRecord(CallState.ASKED, 0, 0, None)
        self._out: list[bytes] = []
        self._events: list[events.Event] = []
        self._receivers = self._receivers_by_kind()
        self._emit(Kind.HELLO, 0, frames.encode_body(hello))

    def __repr__(self) -> str:
        return f"<Session {self.side.name} {self.state.name} calls={len(self._calls)}>"

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
        """Takes bytes from the peer, in any pieces.

        Raises:
            RemoteProtocolError: the peer broke the protocol; the events before that remain to be handled.
        """
        if self.state is State.CLOSED:
            return
        if self._keepalive is not None:
            self._keepalive.heard(now)
        self._now = now
        try:
            self._reader.receive_data(data, now, self._receivers)
        except ProtocolError as error:
            self._fail(error)
            raise
        except msgspec.MsgspecError as error:
            refusal = RemoteProtocolError(f"a frame's body is not what its kind says: {error}")
            self._fail(refusal)
            raise refusal from error

    def receive_eof(self, now: float) -> None:
        """The peer's stream ended: every call under way is lost."""
        if self.state is not State.CLOSED:
            clean = self.state is State.DRAINING and not self._calls and not self._reader.is_inside_frame
            self._close("the peer closed the connection", clean=clean)

    def deadline_passed(self, now: float) -> None:
        """To be called once `now` has reached `next_deadline()`; calling it early or late does no harm."""
        if self.state is State.CLOSED:
            return
        self._now = now
        heap = self._deadlines
        while heap and heap[0][0] <= now:
            _, call = heapq.heappop(heap)
            self._call_deadline_passed(call)
        if self._reader.is_too_slow(now):
            self._fail(
                RemoteProtocolError(
                    "a frame came too slowly: it must be whole within 30 s, at 1 KiB/s at least"
                )
            )
        if self._keepalive is not None:
            self._keep_alive(self._keepalive, now)

    # -- output --------------------------------------------------------------------------------------------

    def data_to_send(self) -> list[bytes]:
        """The pieces to be written to the connection, in order; empty when there is nothing. They are handed
        over once: the driver joins the small ones and writes once per loop turn."""
        out, self._out = self._out, []
        return out

    @property
    def has_data_to_send(self) -> bool:
        """Whether `data_to_send()` would give anything."""
        return bool(self._out)

    def events(self) -> list[events.Event]:
        """What has happened since the last time, in order; handed over once."""
        happened, self._events = self._events, []
        return happened

    def next_event(self) -> events.Event | None:
        """The next of them alone, or None. For drivers that take one at a time."""
        return self._events.pop(0) if self._events else None

    def next_deadline(self) -> float | None:
        """When `deadline_passed` wants to be called, on the clock of `now`; None for never."""
        if self.state is State.CLOSED:
            return None
        due = self._reader.due
        if self._keepalive is not None:
            due = min(due, self._keepalive.due)
        heap = self._deadlines
        while heap and heap[0][1] not in self._calls:
            heapq.heappop(heap)
        if heap:
            due = min(due, heap[0][0])
        return None if due == float("inf") else due

    # -- the first exchange --------------------------------------------------------------------------------

    def send_roster(self, data: bytes) -> None:
        """Sends this side's roster, because the peer's HELLO told of an older one."""
        if self.state not in (State.JUDGING, State.WELCOMED):
            raise LocalProtocolError(f"a roster can be sent only while judging, not in {self.state.name}")
        self._emit(Kind.ROSTER, 0, data)

    def send_welcome(self) -> None:
        """Says that the peer is in. The session is OPEN once the peer has said the same."""
        self._step(Step.WELCOME_SENT, remote=False)
        self._emit(Kind.WELCOME, 0, b"")
        self._note_open()

    def go_away(self, reason: str = "") -> None:
        """Opens and accepts no more calls. Before the session is OPEN this is a refusal, and ends it."""
        if self.state is State.CLOSED:
            return
        self._emit(Kind.GOAWAY, 0, frames.encode_body(frames.Farewell(reason, self._highest_peer_call)))
        self._step(Step.GOAWAY, remote=False)
        if self.state is State.CLOSED:
            self._close(reason, clean=True)
        else:
            self._drained()

    # -- calls ---------------------------------------------------------------------------------------------

    @property
    def calls(self) -> int:
        """How many calls are under way."""
        return len(self._calls)

    def is_under_way(self, call: int) -> bool:
        """Whether a call is neither over nor given up."""
        record = self._calls.get(call)
        return record is not None and record.state is not CallState.ABANDONED

    def open(
        self,
        endpoint: str,
        arguments: bytes,
        *,
        last: bool,
        now: float | None = None,
        timeout: float | None = None,
        window: int = 0,
    ) -> int:
        """Begins a call.

        Args:
            endpoint: `service.endpoint`.
            arguments: one msgpack array.
            last: this side sends nothing more on it.
            now: the time, seconds; needed with a timeout.
            timeout: seconds until the call must be over; None for no deadline.
            window: bytes the answering side may have under way; 0 for the window of our HELLO.

        Returns:
            The call's number.

        Raises:
            LocalProtocolError: the session is not OPEN, or `max_calls` are under way.
        """
        if self.state is not State.OPEN:
            raise LocalProtocolError(
                f"calls can begin only on an open session, this one is {self.state.name}"
            )
        if len(self._calls) >= self._limits.max_calls * 2:
            raise LocalProtocolError(f"{len(self._calls)} calls are under way on this link, the limit")
        call = self._next_call
        self._next_call = call + 2
        if last and timeout is None and not window:
            self._calls[call] = ASKED
            body = frames.encode_open(endpoint, arguments)
        else:
            body = self._open_with_terms(call, endpoint, arguments, timeout, now or self._now, last, window)
        if len(body) <= self._max_frame:
            self._out += (_pack(len(body), Kind.OPEN, LAST if last else 0, call), body)
        else:
            self._emit(Kind.OPEN, call, body, LAST if last else 0)
        return call

    def _open_with_terms(
        self,
        call: int,
        endpoint: str,
        arguments: bytes,
        timeout: float | None,
        now: float,
        last: bool,
        window: int,
    ) -> bytes:
        deadline = None if timeout is None else now + timeout
        state = CallState.ASKED if last else CallState.STREAMING
        self._calls[call] = CallRecord(state, self._peer_window, window or self._window, deadline)
        if deadline is not None:
            heapq.heappush(self._deadlines, (deadline, call))
        left_ms = 0 if timeout is None else max(1, int(timeout * 1000))
        return frames.encode_open(endpoint, arguments, left_ms, window)

    def credit(self, call: int) -> int:
        """Bytes that may be sent on this call now; at 0 or below `send_item` is not allowed. 0 for a call that
        is over. Asking and finding none makes a `CreditReceived` event follow when there is some again."""
        if call not in self._calls:
            return 0
        record = self._own(call)
        if record.credit <= 0:
            record.starved = True
        return record.credit

    def send_item(self, call: int, body: bytes, *, raw: bool = False) -> None:
        """Sends one item on a call.

        Raises:
            LocalProtocolError: the call is over or ended, there is no credit, or the item is over the limit.
        """
        record = self._record(call)
        self._call_step(record, CallStep.DATA_SENT, call)
        if record.credit <= 0:
            raise LocalProtocolError(f"call {call} has no credit left to send with")
        if len(body) > self._limits.max_item_bytes:
            raise LocalProtocolError(f"item of {len(body)} bytes, limit {self._limits.max_item_bytes} bytes")
        record.credit -= len(body) + HEADER_BYTES
        self._emit(Kind.DATA, call, body, RAW if raw else 0)

    def send_end(self, call: int, body: bytes = b"", *, raw: bool = False) -> None:
        """Ends this side's half of a call, with its result if it has one."""
        record = self._calls.get(call)
        if record is ANSWERING and len(body) <= self._max_frame:
            del self._calls[call]
            self._out += (_pack(len(body), Kind.END, RAW if raw else 0, call), body)
            if self.state is State.DRAINING:
                self._drained()
            return
        record = self._record(call)
        state = CALL_ROWS[record.state][CallStep.END_SENT]
        if state is None:
            raise LocalProtocolError(f"call {call} is {record.state.name}: its half cannot be ended")
        if len(body) > self._limits.max_item_bytes:
            raise LocalProtocolError(
                f"result of {len(body)} bytes, limit {self._limits.max_item_bytes} bytes"
            )
        record.state = state
        self._emit(Kind.END, call, body, RAW if raw else 0)
        if state is CallState.ENDED:
            self._forget(call)

    def send_error(
        self,
        call: int,
        status: Status,
        text: str = "",
        *,
        details: dict[str, str] | None = None,
        may_have_run: bool = True,
    ) -> None:
        """Ends a call that did not end well. A call that is over already is left alone."""
        if not self.is_under_way(call):
            return
        self._call_step(self._own(call), CallStep.ERROR_SENT, call)
        failure = frames.Failure(status, text, details or {}, may_have_run)
        self._emit(Kind.ERROR, call, frames.encode_body(failure))
        self._forget(call)

    def consumed(self, call: int, size: int) -> None:
        """Gives credit back: the application has used `size` bytes of received items."""
        if call not in self._calls:
            return
        record = self._own(call)
        record.received -= size
        record.owed += size
        refill = record.take_refill()
        if refill and record.state in (CallState.ASKED, CallState.STREAMING):
            self._emit(Kind.CREDIT, call, frames.encode_body(refill))

    def cancel(self, call: int, reason: str = "", status: Status = Status.CANCELLED) -> None:
        """Gives a call up: the peer's handler is cancelled, whatever still comes is dropped, and a `Failed` event with
        `status` says that the call is over on this side."""
        if not self.is_under_way(call):
            return
        self._call_step(self._own(call), CallStep.CANCEL_SENT, call)
        self._emit(Kind.CANCEL, call, frames.encode_body(reason))
        self._events.append(events.Failed(call, status, reason, {}, True))

    # -- frames received -----------------------------------------------------------------------------------

    def _receivers_by_kind(self) -> list[Callable[[int, int, bytes], None]]:
        table: dict[Kind, Callable[[int, int, bytes], None]] = {
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
        self._receivers_when_open = table
        return [
            table[Kind(k)] if k in _PRIVATE_FRAMES else self._unexpected_or_unknown(k) for k in range(256)
        ]

    def _unexpected_or_unknown(self, kind: int) -> Callable[[int, int, bytes], None]:
        return self._unexpected if 0 < kind <= len(Kind) else self._unknown

    def _unknown(self, call: int, flags: int, body: bytes) -> NoReturn:
        raise RemoteProtocolError("a frame of an unknown kind came")

    def _unexpected(self, call: int, flags: int, body: bytes) -> NoReturn:
        raise RemoteProtocolError(
            f"a call's frame came before both sides had welcomed each other ({self.state.name})"
        )

    def _hello_received(self, call: int, flags: int, body: bytes) -> None:
        self._step(Step.HELLO_RECEIVED)
        hello = frames.decode_hello(body)
        if frames.VERSION not in hello.versions:
            spoken = ", ".join(str(version) for version in hello.versions[:8])
            raise RemoteProtocolError(
                f"the peer speaks protocol versions {spoken}; this side speaks {frames.VERSION}"
            )
        self.peer_hello = hello
        self._peer_window = hello.window_bytes
        self._reader.hello_received()
        self._events.append(events.Greeted(hello))

    def _roster_received(self, call: int, flags: int, body: bytes) -> None:
        self._step(Step.ROSTER_RECEIVED)
        whole = self._joined(self._roster_parts, body, flags, self._limits.max_roster_bytes, "roster")
        if whole is not None:
            self._events.append(events.RosterReceived(whole))

    def _welcome_received(self, call: int, flags: int, body: bytes) -> None:
        self._step(Step.WELCOME_RECEIVED)
        self._note_open()

    def _open_received(self, call: int, flags: int, body: bytes) -> None:
        if call > self._highest_peer_call:
            self._check_new_call(call)
            self._highest_peer_call = call
            if flags == LAST:
                self._calls[call] = ANSWERING
                self._request_received(call, frames.decode_open(body), last=True)
                return
            self._calls[call] = CallRecord(CallState.STREAMING, self._peer_window, self._window, None)
        record = self._calls.get(call)
        if record is None or record is ANSWERING:
            raise RemoteProtocolError(f"call {call} was opened twice, or out of order")
        whole = self._joined(record, body, flags, self._limits.max_item_bytes, "request")
        if whole is not None:
            last = bool(flags & LAST)
            record.state = CallState.ANSWERING if last else CallState.STREAMING
            self._request_received(call, frames.decode_open(whole), last=last)

    def _check_new_call(self, call: int) -> None:
        if (call ^ self._next_call) & 1 == 0:
            raise RemoteProtocolError(f"call {call} was opened with a number of this side's")
        if len(self._calls) >= self._limits.max_calls * 2:
            raise RemoteProtocolError(f"more than {self._limits.max_calls} calls at once on one link")

    def _request_received(self, call: int, request: frames.Open, *, last: bool) -> None:
        timeout = None
        if request.credit or request.deadline_ms:
            record = self._own(call)
            if request.credit:
                record.credit = request.credit
            if request.deadline_ms:
                timeout = request.deadline_ms / 1000
                record.deadline = self._now + timeout
                heapq.heappush(self._deadlines, (record.deadline, call))
        self._events.append(events.Opened(call, request.endpoint, request.arguments, timeout, last))

    def _data_received(self, call: int, flags: int, body: bytes) -> None:
        record = self._peer_record(call, CallStep.DATA_RECEIVED)
        if record is None:
            return
        size = len(body) + HEADER_BYTES
        record.received += size
        if record.received > record.window + self._limits.max_item_bytes:
            raise RemoteProtocolError(
                f"the peer overran the credit of call {call}: {record.received} bytes under way"
            )
        whole: bytes | None = body
        if flags & MORE or record.parts is not None:
            whole = self._joined(record, body, flags, self._limits.max_item_bytes, "item")
            if whole is None:
                return
            size = len(whole) + HEADER_BYTES
        self._events.append(events.ItemReceived(call, whole, bool(flags & RAW), size))

    def _end_received(self, call: int, flags: int, body: bytes) -> None:
        record = self._calls.get(call)
        if record is ASKED and not flags & MORE:
            del self._calls[call]
            self._events.append(events.Ended(call, body, bool(flags & RAW), True))
            if self.state is State.DRAINING:
                self._drained()
            return
        if record is None or record.state is CallState.ABANDONED:
            self._late(call, over=not flags & MORE)
            return
        if flags & MORE or record.parts is not None:
            record = self._own(call)
            whole = self._joined(record, body, flags, self._limits.max_item_bytes, "result")
            if whole is None:
                return
            body = whole
        state = CALL_ROWS[record.state][CallStep.END_RECEIVED]
        if state is None:
            raise RemoteProtocolError(f"the peer ended call {call} twice")
        record = self._own(call)
        record.state = state
        is_over = state is CallState.ENDED
        self._events.append(events.Ended(call, body, bool(flags & RAW), is_over))
        if is_over:
            self._forget(call)

    def _error_received(self, call: int, flags: int, body: bytes) -> None:
        failure = frames.decode_failure(body)
        record = self._calls.get(call)
        if record is None or record.state is CallState.ABANDONED:
            self._late(call, over=True)
            return
        try:
            status = Status(failure.status)
        except ValueError:
            status = Status.INTERNAL
        failed = events.Failed(call, status, failure.text, failure.details, failure.may_have_run)
        self._events.append(failed)
        self._forget(call)

    def _credit_received(self, call: int, flags: int, body: bytes) -> None:
        refill = frames.decode_credit(body)
        if call not in self._calls:
            self._late(call, over=False)
            return
        record = self._own(call)
        if refill <= 0 or record.credit + refill > 2**40:
            raise RemoteProtocolError(f"credit of {refill} bytes makes no sense")
        record.credit += refill
        if record.starved and record.credit > 0:
            record.starved = False
            self._events.append(events.CreditReceived(call))

    def _cancel_received(self, call: int, flags: int, body: bytes) -> None:
        reason = frames.decode_reason(body)
        record = self._peer_record(call, CallStep.CANCEL_RECEIVED)
        if record is not None:
            self._events.append(events.Cancelled(call, reason))

    def _ping_received(self, call: int, flags: int, body: bytes) -> None:
        stamps = frames.decode_stamps(body)
        now_ns = int(self._now * 1e9)
        self._emit(Kind.PONG, 0, frames.encode_body(frames.Stamps(stamps.ping_sent_ns, now_ns, now_ns)))

    def _pong_received(self, call: int, flags: int, body: bytes) -> None:
        stamps = frames.decode_stamps(body)
        now_ns = int(self._now * 1e9)
        self._events.append(
            events.Ponged(stamps.ping_sent_ns, stamps.ping_received_ns, stamps.pong_sent_ns, now_ns)
        )

    def _goaway_received(self, call: int, flags: int, body: bytes) -> None:
        farewell = frames.decode_farewell(body)
        self._step(Step.GOAWAY)
        self._events.append(events.GoingAway(farewell.reason))
        if self.state is State.CLOSED:
            self._close(farewell.reason, clean=True)
        else:
            self._drained()

    # -- private pieces ------------------------------------------------------------------------------------

    _now = 0.0
    _peer_window = 0

    def _emit(self, kind: int, call: int, body: bytes, flags: int = 0) -> None:
        limit = self._limits.max_frame_bytes
        out = self._out
        start = 0
        while len(body) - start > limit:
            out += (_pack(limit, kind, flags | MORE, call), body[start : start + limit])
            start += limit
        if start:
            body = body[start:]
        out += (_pack(len(body), kind, flags, call), body)

    def _step(self, step: Step, *, remote: bool = True) -> None:
        state = CONNECTION[self.state].get(step)
        if state is None:
            kind = RemoteProtocolError if remote else LocalProtocolError
            raise kind(f"{step.name.lower()} is not allowed in {self.state.name}")
        self.state = state

    def _note_open(self) -> None:
        if self.state is State.OPEN:
            for kind, receiver in self._receivers_when_open.items():
                self._receivers[kind] = receiver
            self._events.append(events.Welcomed())

    def _record(self, call: int) -> CallRecord:
        if call not in self._calls:
            raise LocalProtocolError(f"call {call} is over")
        return self._own(call)

    def _own(self, call: int) -> CallRecord:
        """The record of a call that is under way, to be changed: a shared one is replaced by one of its own."""
        record = self._calls[call]
        if record is ASKED or record is ANSWERING:
            record = self._calls[call] = CallRecord(record.state, self._peer_window, self._window, None)
        return record

    def _peer_record(self, call: int, step: CallStep) -> CallRecord | None:
        """The record a received frame belongs to, or None for a call that is over or given up."""
        if call not in self._calls:
            self._late(call, over=False)
            return None
        record = self._own(call)
        state = CALL_ROWS[record.state][step]
        if state is None:
            raise RemoteProtocolError(f"{step.name.lower()} on call {call}, which is {record.state.name}")
        return None if state is CallState.ABANDONED else record

    def _late(self, call: int, *, over: bool) -> None:
        """A frame for a call that is over here: legal, since the two sides may cross; dropped."""
        ours = (call ^ self._next_call) & 1 == 0
        if call == 0 or call > (self._next_call - 2 if ours else self._highest_peer_call):
            raise RemoteProtocolError(f"a frame came for call {call}, which was never opened")
        if over and call in self._calls:
            self._forget(call)

    def _call_step(self, record: CallRecord, step: CallStep, call: int) -> None:
        state = CALL_ROWS[record.state][step]
        if state is None:
            raise LocalProtocolError(
                f"{step.name.lower()} is not allowed: call {call} is {record.state.name}"
            )
        record.state = state

    def _joined(self, record: CallRecord, body: bytes, flags: int, limit: int, what: str) -> bytes | None:
        whole = record.join(body, bool(flags & MORE), limit)
        if isinstance(whole, int):
            raise MessageTooLarge(whole, limit, what)
        return whole

    def _forget(self, call: int) -> None:
        del self._calls[call]
        if self.state is State.DRAINING:
            self._drained()

    def _drained(self) -> None:
        if not self._calls and self.state is State.DRAINING:
            self._step(Step.LAST_CALL_OVER)
            self._close("both sides have finished", clean=True)

    def _call_deadline_passed(self, call: int) -> None:
        record = self._calls.get(call)
        if record is None or record.state is CallState.ABANDONED:
            return
        if (call ^ self._next_call) & 1:
            self._events.append(events.DeadlinePassed(call))
            return
        self.cancel(call, "the deadline passed before the answer came", Status.DEADLINE)

    def _keep_alive(self, keepalive: Keepalive, now: float) -> None:
        silent = keepalive.check(now)
        if silent is not None:
            self._close(f"nothing came from the peer for {silent:.0f} s", clean=False)
        elif keepalive.wants_ping(now) and self.state in (State.OPEN, State.DRAINING):
            self._emit(Kind.PING, 0, frames.encode_body(frames.Stamps(int(now * 1e9))))

    def _fail(self, error: ProtocolError) -> None:
        reason = str(error)
        self._emit(Kind.GOAWAY, 0, frames.encode_body(frames.Farewell(reason, self._highest_peer_call)))
        self._close(reason, clean=False)

    def _close(self, reason: str, *, clean: bool) -> None:
        self.state = State.CLOSED
        for call, record in self._calls.items():
            if record.state is not CallState.ABANDONED:
                self._events.append(events.Failed(call, Status.PEER_GONE, reason, {}, True))
        self._calls.clear()
        self._deadlines.clear()
        self._events.append(events.Closed(reason, clean))
