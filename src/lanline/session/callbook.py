"""The calls of one connection, opened by either side: the half of a session that begins, feeds and ends them.

A session is written in three files, each one idea, each a base of the next, so that a call's frame passes through no
layer more than it needs: `callbook.py` (what this side does with calls), `callframes.py` (what the peer does with
them), `session.py` (the connection). Rules:

- Calls that this side opened and calls that the peer opened are kept apart, each at most `limits.max_calls`. A call
  that was given up counts until the peer has ended it: a peer that never does can hold no more than that many numbers.
- A shared record (`calls.py`) is never changed: `_own` replaces it first.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from enum import IntEnum
from math import inf
from typing import Final

from lanline.errors import LocalProtocolError, MessageTooLarge, Status
from lanline.limits import Limits
from lanline.session import events, frames
from lanline.session.calls import ABANDONED, ANSWERING, ASKED, Ask, CallRecord
from lanline.session.frames import HEADER, HEADER_BYTES, LAST, MAX_CALL, MORE, RAW, Kind, openings
from lanline.session.states import CALL_ROWS, CallState, CallStep, State

_pack = HEADER.pack

OPEN: Final = State.OPEN
"""Looked up on its enum, a member costs 50 ns in Python 3.11: two of them were a tenth of an ask."""


class Side(IntEnum):
    """Who opened the connection. The number is the first call number of that side; it counts up in twos."""

    CONNECTING = 1
    ACCEPTING = 2


class CallBook(ABC):
    """All calls of one connection, and what waits to be sent and told.

    Args:
        side: which side of the connection this is.
        window: bytes that the peer may have under way on each call, as our HELLO says.
        limits: what is accepted.
        now: the time, seconds.
    """

    state: State
    """Of the connection; `Session` moves it."""

    def __init__(self, side: Side, window: int, limits: Limits, now: float) -> None:
        self.side = side
        self._limits = limits
        self._max_calls = limits.max_calls
        self._max_frame = limits.max_frame_bytes
        self._window = window
        self._peer_window = 0
        self._now = now
        self._mine: dict[int, CallRecord | Ask] = {}
        self._theirs: dict[int, CallRecord] = {}
        self._next_call = int(side)
        self._deadlines: list[tuple[float, int]] = []
        self._unfinished_bytes = 0
        self._out: list[bytes] = []
        self._events: list[events.Event] = []

    @property
    def calls(self) -> int:
        """How many calls are under way, in both directions; those given up count until the peer has ended them."""
        return len(self._mine) + len(self._theirs)

    @property
    def opened(self) -> int:
        """How many calls this side has opened so far."""
        return (self._next_call - self.side) // 2

    def is_under_way(self, call: int) -> bool:
        """Whether a call is neither over nor given up."""
        record = self._find(call)
        return record is not None and record is not ABANDONED

    # -- opening -------------------------------------------------------------------------------------------

    def ask(self, endpoint: str, arguments: bytes, asker: Ask | None = None) -> int:
        """Begins a call on which this side sends nothing more, without a deadline. As `open(..., last=True)`.

        It is `open` with everything left out that most calls do without (0.25 of 1.0 us).
        """
        call = self._next_call
        mine = self._mine
        opening = openings.get(endpoint) or frames.encode_opening(endpoint)
        size = len(opening) + len(arguments)
        if self.state is not OPEN or len(mine) >= self._max_calls or size > self._max_frame or call > MAX_CALL:
            return self._open(endpoint, arguments, asker, last=True, now=None, timeout=None, window=0)
        self._next_call = call + 2
        mine[call] = ASKED if asker is None else asker
        self._out += (_pack(size, 4, 4, call), opening, arguments)  # Kind.OPEN and LAST, as plain numbers
        return call

    def open(
        self,
        endpoint: str,
        arguments: bytes,
        *,
        last: bool,
        now: float | None = None,
        timeout: float | None = None,
        window: int = 0,
        asker: Ask | None = None,
    ) -> int:
        """Begins a call.

        Args:
            endpoint: `service.endpoint`.
            arguments: one msgpack array.
            last: this side sends nothing more on it.
            now: the time, seconds; needed with a timeout.
            timeout: seconds until the call must be over; None for no deadline.
            window: bytes the answering side may have under way; 0 for the window of our HELLO.
            asker: comes back with the answer, in `answers()`; or with an event, where there is more to say than a
                result. Only for a call with `last`.

        Returns:
            The call's number.

        Raises:
            LocalProtocolError: the session is not OPEN, `max_calls` are under way, or the numbers are used up.
            MessageTooLarge: the arguments are over the limit of one item.
        """
        if last and timeout is None and not window:
            return self.ask(endpoint, arguments, asker)
        return self._open(endpoint, arguments, asker, last=last, now=now, timeout=timeout, window=window)

    def _open(
        self,
        endpoint: str,
        arguments: bytes,
        asker: Ask | None,
        *,
        last: bool,
        now: float | None,
        timeout: float | None,
        window: int,
    ) -> int:
        self._check_may_open()
        left_ms = 0
        if timeout is not None and timeout < inf:
            left_ms = min(max(1, int(timeout * 1000)), frames.MAX_DEADLINE_MS)
        body = frames.encode_open(endpoint, arguments, left_ms, window)
        if len(body) > self._limits.max_item_bytes:
            raise MessageTooLarge(len(body), self._limits.max_item_bytes, "request")
        call = self._next_call
        self._next_call = call + 2
        if last and not window:
            self._mine[call] = ASKED if asker is None else asker
        else:
            state = CallState.ASKED if last else CallState.STREAMING
            self._mine[call] = CallRecord(state, self._peer_window, window or self._window, asker)
        if left_ms and timeout is not None:
            self._set_deadline((self._now if now is None else now) + timeout, call)
        self._emit(Kind.OPEN, call, body, LAST if last else 0)
        return call

    # -- while it lasts ------------------------------------------------------------------------------------

    def credit(self, call: int) -> int:
        """Bytes that may be sent on this call now; at 0 or below `send_item` is not allowed. 0 for a call that is over
        or was given up. Asking and finding none makes a `CreditReceived` event follow when there is some again."""
        if not self.is_under_way(call):
            return 0
        record = self._own(call)
        if record.credit <= 0:
            record.is_starved = True
        return record.credit

    def send_item(self, call: int, body: bytes, *, raw: bool = False, prefix: bytes = b"") -> None:
        """Sends one item on a call.

        Args:
            call: its number.
            body: of the item.
            raw: it is bytes as they are, not msgpack.
            prefix: the item's first bytes, where putting them before the body would copy that.

        Raises:
            LocalProtocolError: the call is over or ended, or there is no credit.
            MessageTooLarge: the item is over the limit.
        """
        record = self._record(call, CallStep.DATA_SENT)
        if record.credit <= 0:
            raise LocalProtocolError(f"call {call} has no credit left to send with")
        size = len(prefix) + len(body)
        if size > self._limits.max_item_bytes:
            raise MessageTooLarge(size, self._limits.max_item_bytes, "item")
        if prefix and size <= self._max_frame:
            self._out += (_pack(size, Kind.DATA, RAW if raw else 0, call), prefix, body)
            record.credit -= size + HEADER_BYTES
        else:
            record.credit -= self._emit(Kind.DATA, call, prefix + body if prefix else body, RAW if raw else 0)

    def consumed(self, call: int, size_bytes: int) -> None:
        """Gives credit back: the application has used up received items of this size, as their events said."""
        if not self.is_under_way(call):
            return
        record = self._own(call)
        refill = record.take_refill(size_bytes)
        if refill and record.state in (CallState.ASKED, CallState.STREAMING):
            self._emit(Kind.CREDIT, call, frames.encode_body(refill))

    def widen(self, call: int, window: int) -> None:
        """Lets the peer have more under way on this call than it begins with: for bulk endpoints."""
        if not self.is_under_way(call):
            return
        more = self._own(call).widen(window)
        if more:
            self._emit(Kind.CREDIT, call, frames.encode_body(more))

    # -- ending --------------------------------------------------------------------------------------------

    def send_end(self, call: int, body: bytes = b"", *, raw: bool = False) -> None:
        """Ends this side's half of a call, with its result if it has one.

        Raises:
            LocalProtocolError: the call is over, or its half is ended.
            MessageTooLarge: the result is over the limit of one item.
        """
        if self._theirs.get(call) is ANSWERING and len(body) <= self._max_frame:
            # The answer to an ask: nothing below has anything to add (0.3 of 0.5 us).
            del self._theirs[call]
            self._out += (_pack(len(body), 6, 1 if raw else 0, call), body)  # Kind.END and RAW, as plain numbers
            if self.state is not OPEN:
                self._drained()
            return
        if len(body) > self._limits.max_item_bytes:
            raise MessageTooLarge(len(body), self._limits.max_item_bytes, "result")
        record = self._record(call, CallStep.END_SENT)
        self._emit(Kind.END, call, body, RAW if raw else 0)
        if record.state is CallState.ENDED:
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
        """Ends a call that did not end well. A call that is over already is left alone.

        A text over 4,096 characters is cut; details over 16 KiB are left out.
        """
        if self.is_under_way(call):
            self._emit_error(call, status, text, details or {}, may_have_run=may_have_run)
            self._forget(call)

    def cancel(self, call: int, reason: str = "", status: Status = Status.CANCELLED) -> None:
        """Gives a call up; whatever still comes for it is dropped. A call that is over is left alone.

        Where this side opened the call, the far handler is cancelled, and a `Failed` event with `status` says that the
        call is over here. Where the peer opened it, this is `send_error`, and no event follows.
        """
        if not self.is_under_way(call):
            return
        if call in self._theirs:
            self.send_error(call, status, reason)
            return
        record = self._record(call, CallStep.CANCEL_SENT)
        self._emit(Kind.CANCEL, call, frames.encode_body(frames.sendable(reason)))
        self._events.append(events.Failed(call, status, reason, {}, True, record.asker))
        if record.state is CallState.ENDED:
            self._forget(call)
        else:
            self._drop_unfinished(record)
            self._mine[call] = ABANDONED

    # -- private pieces ------------------------------------------------------------------------------------

    def _find(self, call: int) -> CallRecord | Ask | None:
        """What is in the book for a call: odd numbers are the connecting side's."""
        return self._theirs.get(call) if (call ^ self.side) & 1 else self._mine.get(call)

    def _own(self, call: int) -> CallRecord:
        """The record of a call that is under way, to be changed: a shared one is replaced by one of its own."""
        if (call ^ self.side) & 1:
            record = self._theirs[call]
            if record is ANSWERING:
                record = self._theirs[call] = CallRecord(CallState.ANSWERING, self._peer_window, 0)
            return record
        mine = self._mine[call]
        if isinstance(mine, Ask):
            mine = self._mine[call] = CallRecord(CallState.ASKED, 0, self._window, mine)
        elif mine is ASKED:
            mine = self._mine[call] = CallRecord(CallState.ASKED, 0, self._window)
        return mine

    def _record(self, call: int, step: CallStep) -> CallRecord:
        """The record of a call on which this side does something, in the state that follows."""
        if not self.is_under_way(call):
            raise LocalProtocolError(f"call {call} is over")
        record = self._own(call)
        state = CALL_ROWS[record.state][step]
        if state is None:
            raise LocalProtocolError(f"{_words(step)} is not allowed: call {call} is {record.state.name}")
        record.state = state
        return record

    def _check_may_open(self) -> None:
        if self.state is not OPEN:
            raise LocalProtocolError(f"calls can begin only on an open session, this one is {self.state.name}")
        if len(self._mine) >= self._max_calls:
            raise LocalProtocolError(f"{len(self._mine)} calls are under way on this link, the limit")
        if self._next_call > MAX_CALL:
            raise LocalProtocolError(f"all {MAX_CALL // 2} call numbers of this link are used up: make a new link")

    def _emit(self, kind: int, call: int, body: bytes, flags: int = 0) -> int:
        """Queues one item in as many frames as it needs, and says what they cost in credit: bytes, headers included."""
        limit = self._max_frame
        out = self._out
        size = len(body)
        start = 0
        cost = size + HEADER_BYTES
        while size - start > limit:
            out += (_pack(limit, kind, flags | MORE, call), body[start : start + limit])
            start += limit
            cost += HEADER_BYTES
        if start:
            body = body[start:]
        out += (_pack(size - start, kind, flags, call), body)
        return cost

    def _emit_error(self, call: int, status: Status, text: str, details: dict[str, str], *, may_have_run: bool) -> None:
        self._emit(Kind.ERROR, call, frames.encode_failure(status, text, details, may_have_run=may_have_run))

    def _set_deadline(self, when: float, call: int) -> None:
        heap = self._deadlines
        if len(heap) > 2 * self.calls + 64:
            # Calls end long before their deadlines: without this, a minute's asks would lie here for a minute.
            heap[:] = [entry for entry in heap if self.is_under_way(entry[1])]
            heapq.heapify(heap)
        heapq.heappush(heap, (when, call))

    def _first_deadline(self) -> float:
        """When the first deadline of a call passes; infinite where there is none."""
        heap = self._deadlines
        while heap and not self.is_under_way(heap[0][1]):
            heapq.heappop(heap)
        return heap[0][0] if heap else inf

    def _pass_deadlines(self, now: float) -> None:
        heap = self._deadlines
        while heap and heap[0][0] <= now:
            _, call = heapq.heappop(heap)
            record = self._find(call)
            if record is None or record is ABANDONED:
                continue
            if call in self._mine:
                self.cancel(call, "the deadline passed before the answer came", Status.DEADLINE)
            elif record.state is CallState.ASKED:
                # Answered, but the peer never ended its half: there is no handler left that could end the call.
                self.send_error(call, Status.DEADLINE, "the deadline passed")
            else:
                self._events.append(events.DeadlinePassed(call))

    def _drop_unfinished(self, record: CallRecord | Ask) -> None:
        """Forgets the frames of an item that will never be whole."""
        if isinstance(record, CallRecord) and record.unfinished is not None:
            self._unfinished_bytes -= record.unfinished.pieces.size
            record.unfinished = None

    def _forget(self, call: int) -> None:
        """Takes a call off the books: it is over."""
        self._drop_unfinished(self._theirs.pop(call) if (call ^ self.side) & 1 else self._mine.pop(call))
        if self.state is not OPEN:
            self._drained()

    @abstractmethod
    def _drained(self) -> None:
        """Ends a draining session if no call is left."""


def _words(step: CallStep) -> str:
    return step.name.lower().replace("_", " ")
