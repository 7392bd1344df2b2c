"""What the peer does with calls: the frames OPEN, DATA, END, ERROR, CREDIT and CANCEL.

Everything here is hostile until it has been judged: numbers, states, sizes, credit, text. What is not allowed raises
RemoteProtocolError, which ends the connection; what is merely too much (calls, windows) is answered with an ERROR, and
the connection goes on. What the peer can make this side keep is bounded per connection: `limits.max_calls` calls,
`_RESERVED_BYTES` for windows it has been promised, `_UNFINISHED_BYTES` for items of which frames are missing.

Frames cross: one may come for a call that is over here. It is dropped, if the call was ever there.
"""

from __future__ import annotations

from typing import Final

from lanline.errors import MessageTooLarge, RemoteProtocolError, Status
from lanline.limits import Limits
from lanline.session import events, frames
from lanline.session.callbook import OPEN, CallBook, Side
from lanline.session.calls import ABANDONED, ANSWERING, ASKED, CallRecord, Unfinished
from lanline.session.frames import HEADER_BYTES, LAST, MORE, RAW, Kind
from lanline.session.states import CALL_ROWS, CallState, CallStep

_RESERVED_WINDOWS: Final = 256
"""Windows the peer may have open on calls it began, in units of the usual one: 64 MiB. Asks need none."""

_UNFINISHED_ITEMS: Final = 4
"""Items of full size that may be unfinished at once, over all calls: 4 MiB. This implementation sends one after the
other."""


class CallFrames(CallBook):
    """The calls of one connection, with the frames that come for them. See `CallBook`."""

    def __init__(self, side: Side, window: int, limits: Limits, now: float) -> None:
        super().__init__(side, window, limits, now)
        self._highest_peer_call = 0
        self._request: Unfinished | None = None

    def _open_received(self, call: int, flags: int, body: bytes) -> None:
        if (
            flags == LAST
            and call > self._highest_peer_call
            and (call ^ self.side) & 1
            and len(self._theirs) < self._max_calls
            and self._request is None
            and self.state is OPEN
        ):
            self._highest_peer_call = call
            self._theirs[call] = ANSWERING
            request = frames.decode_open(body)
            if request.deadline_ms or request.credit:
                self._request_received(call, request, is_last=True)
            else:
                self._events.append(events.Opened(call, request.endpoint, request.arguments, None, True))
            return
        request_body = self._request_joined(call, flags, body)
        if request_body is None:
            return
        request = frames.decode_open(request_body)
        if self.state is not OPEN:
            text = "this side is stopping and begins no more calls"
            self._emit_error(call, Status.UNAVAILABLE, text, {}, may_have_run=False)
        elif len(self._theirs) >= self._max_calls or not (flags & LAST or self._has_window_left()):
            text = f"{len(self._theirs)} calls of yours are under way on this link, as many as are served at once"
            self._emit_error(call, Status.OVERLOADED, text, {}, may_have_run=False)
        else:
            self._request_received(call, request, is_last=bool(flags & LAST))

    def _request_joined(self, call: int, flags: int, body: bytes) -> bytes | None:
        """The whole request once its last frame has come. The frames of one request follow each other: of all calls, at
        most one has a request that is not whole."""
        unfinished = self._request
        if unfinished is None:
            if not (call ^ self.side) & 1:
                raise RemoteProtocolError(f"call {call} was opened with a number of this side's")
            if call <= self._highest_peer_call:
                raise RemoteProtocolError(f"call {call} was opened twice, or out of order")
            self._highest_peer_call = call
            if not flags & MORE:
                return body
            unfinished = self._request = Unfinished(Kind.OPEN)
        elif call != self._highest_peer_call:
            raise RemoteProtocolError(
                f"call {call} was opened before the request of call {self._highest_peer_call} ended"
            )
        whole = self._joined(unfinished, flags, body, self._limits.max_item_bytes, "request")
        if whole is not None:
            self._request = None
        return whole

    def _has_window_left(self) -> bool:
        reserved = sum(record.window for record in self._theirs.values())
        return reserved + self._window <= self._window * _RESERVED_WINDOWS

    def _request_received(self, call: int, request: frames.Open, *, is_last: bool) -> None:
        timeout = None
        if is_last and not request.credit:
            self._theirs[call] = ANSWERING
        else:
            state = CallState.ANSWERING if is_last else CallState.STREAMING
            credit = request.credit or self._peer_window
            self._theirs[call] = CallRecord(state, credit, 0 if is_last else self._window)
        if request.deadline_ms:
            timeout = request.deadline_ms / 1000
            self._set_deadline(self._now + timeout, call)
        self._events.append(events.Opened(call, request.endpoint, request.arguments, timeout, is_last))

    def _data_received(self, call: int, flags: int, body: bytes) -> None:
        record = self._peer_record(call, CallStep.DATA_RECEIVED)
        if record is None:
            return
        unfinished = record.unfinished
        if unfinished is None and record.room <= 0:
            raise RemoteProtocolError(f"the peer began an item on call {call}, {-record.room} bytes beyond its credit")
        size = len(body) + HEADER_BYTES
        record.room -= size
        if unfinished is not None or flags & MORE:
            whole, size = self._item_joined(record, Kind.DATA, flags, body, "item")
            if whole is None:
                return
            body = whole
        self._events.append(events.ItemReceived(call, body, bool(flags & RAW), size, record.asker))

    def _end_received(self, call: int, flags: int, body: bytes) -> None:
        if self._mine.get(call) is ASKED and not flags & MORE:
            # The answer to an ask without an asker: nothing below has anything to add.
            del self._mine[call]
            self._events.append(events.Ended(call, body, bool(flags & RAW), True))
            if self.state is not OPEN:
                self._drained()
            return
        record = self._peer_record(call, CallStep.END_RECEIVED, is_over=not flags & MORE)
        if record is None:
            return
        if record.unfinished is not None or flags & MORE:
            whole, _ = self._item_joined(record, Kind.END, flags, body, "result")
            if whole is None:
                return
            body = whole
        state = CALL_ROWS[record.state][CallStep.END_RECEIVED]
        assert state is not None, "the record was looked up with this step"
        record.state = state
        record.window = 0  # nothing comes any more: no longer reserved for the peer
        is_over = state is CallState.ENDED
        self._events.append(events.Ended(call, body, bool(flags & RAW), is_over, record.asker))
        if is_over:
            self._forget(call)

    def _error_received(self, call: int, flags: int, body: bytes) -> None:
        failure = frames.decode_failure(body)
        record = self._peer_record(call, CallStep.ERROR_RECEIVED, is_over=True)
        if record is None:
            return
        try:
            status = Status(failure.status)
        except ValueError:
            status = Status.INTERNAL  # a later version's
        if status is Status.OK:
            raise RemoteProtocolError(f"call {call} ended with the error that it ended well")
        failed = events.Failed(call, status, failure.text, failure.details, failure.may_have_run, record.asker)
        self._events.append(failed)
        self._forget(call)

    def _credit_received(self, call: int, flags: int, body: bytes) -> None:
        refill = frames.decode_credit(body)
        if not self.is_under_way(call):
            self._late(call)
            return
        record = self._own(call)
        record.credit += refill
        if record.is_starved and record.credit > 0:
            record.is_starved = False
            self._events.append(events.CreditReceived(call))

    def _cancel_received(self, call: int, flags: int, body: bytes) -> None:
        reason = frames.decode_reason(body)
        if not (call ^ self.side) & 1:
            raise RemoteProtocolError(f"the peer cancelled call {call}, which it did not open")
        record = self._peer_record(call, CallStep.CANCEL_RECEIVED)
        if record is None:
            return
        self._drop_unfinished(record)
        state = CALL_ROWS[record.state][CallStep.CANCEL_RECEIVED]
        assert state is not None, "the record was looked up with this step"
        record.state = state
        record.window = 0
        if state is CallState.ENDED:
            self._forget(call)
        else:
            self._events.append(events.Cancelled(call, reason))

    # -- private pieces ------------------------------------------------------------------------------------

    def _peer_record(self, call: int, step: CallStep, *, is_over: bool = False) -> CallRecord | None:
        """The record a frame belongs to, or None for a call that is over or given up; `is_over`: the frame ends it."""
        record = self._find(call)
        if record is None:
            self._late(call)
            return None
        if record is ABANDONED:
            if is_over:
                self._forget(call)
            return None
        if CALL_ROWS[record.state][step] is None:
            what = step.name.lower().replace("_", " ")
            raise RemoteProtocolError(f"{what} on call {call}, which is {record.state.name} here")
        return self._own(call)

    def _late(self, call: int) -> None:
        """A frame for a call that is over here: legal, since frames cross; dropped."""
        is_theirs = (call ^ self.side) & 1
        highest = self._highest_peer_call if is_theirs else self._next_call - 2
        if not 0 < call <= highest:
            raise RemoteProtocolError(f"a frame came for call {call}, which was never opened")
        if self._request is not None and call == highest and is_theirs:
            raise RemoteProtocolError(f"a frame came for call {call} before its request was whole")

    def _item_joined(
        self, record: CallRecord, kind: Kind, flags: int, body: bytes, what: str
    ) -> tuple[bytes | None, int]:
        """The whole item or result once its last frame has come, and what its frames cost in credit."""
        unfinished = record.unfinished
        if unfinished is None:
            unfinished = record.unfinished = Unfinished(kind)
        elif unfinished.kind is not kind:
            raise RemoteProtocolError(f"a {kind.name} frame came inside an unfinished {unfinished.kind.name}")
        whole = self._joined(unfinished, flags, body, self._limits.max_item_bytes, what)
        if whole is not None:
            record.unfinished = None
        return whole, unfinished.cost_bytes

    def _joined(self, unfinished: Unfinished, flags: int, body: bytes, limit: int, what: str) -> bytes | None:
        """Adds one frame; all of them as one when it was the last."""
        if not body:
            # Costs the sender nothing and never comes to an end.
            raise RemoteProtocolError(f"an empty frame came as part of one {what}")
        unfinished.add(body)
        self._unfinished_bytes += len(body)
        if unfinished.pieces.size > limit:
            raise MessageTooLarge(unfinished.pieces.size, limit, what)
        if flags & MORE:
            most = _UNFINISHED_ITEMS * self._limits.max_item_bytes
            if self._unfinished_bytes > most:
                raise MessageTooLarge(self._unfinished_bytes, most, "sum of unfinished items")
            return None
        self._unfinished_bytes -= unfinished.pieces.size
        return unfinished.pieces.take()
