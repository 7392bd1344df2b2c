"""What may follow what, as two tables: one for the connection, one for each call.

Two rules. Everything about states is here, and nothing here knows which side we are or what a frame looks like.
A pair that is missing from a table is a mistake: of the peer when the input was received, of this side's code
when it was sent. The diagrams in docs/reference/states.md are made from these tables, and a test keeps them so.

A connection::

    HELLO      nothing came yet
    JUDGING    the peer's HELLO came; neither side has welcomed the other
    WAITING    this side has welcomed the peer and waits for its WELCOME
    WELCOMED   the peer has welcomed this side, which is still judging
    OPEN       both have: calls
    DRAINING   one side said GOAWAY: calls under way finish, none begin
    CLOSED     over

A call, seen from either end (half-close, as TCP has it)::

    ASKED      this side has ended its half and waits for the peer's
    STREAMING  both halves are open
    ANSWERING  the peer has ended its half, or given the call up; this side has not
    ABANDONED  this side gave up and said CANCEL: whatever still comes is legal and dropped
    ENDED      over

CANCEL goes from the side that opened the call to the side that answers it, ERROR both ways. So a call that was given up
is over on the answering side at its END or ERROR, and on the opening side when that arrives.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class State(IntEnum):
    """Of a connection."""

    HELLO = 0
    JUDGING = 1
    WAITING = 2
    WELCOMED = 3
    OPEN = 4
    DRAINING = 5
    CLOSED = 6


class Step(IntEnum):
    """What happens to a connection."""

    HELLO_RECEIVED = 0
    ROSTER_RECEIVED = 1
    WELCOME_RECEIVED = 2
    WELCOME_SENT = 3
    CALL_FRAME = 4
    PING_OR_PONG = 5
    GOAWAY = 6
    LAST_CALL_OVER = 7
    STREAM_ENDED = 8


class CallState(IntEnum):
    """Of a call."""

    ASKED = 0
    STREAMING = 1
    ANSWERING = 2
    ABANDONED = 3
    ENDED = 4


class CallStep(IntEnum):
    """What happens to a call."""

    DATA_SENT = 0
    END_SENT = 1
    ERROR_SENT = 2
    CANCEL_SENT = 3
    DATA_RECEIVED = 4
    END_RECEIVED = 5
    ERROR_RECEIVED = 6
    CANCEL_RECEIVED = 7


CONNECTION: Final[Mapping[State, Mapping[Step, State]]] = {
    State.HELLO: {
        Step.HELLO_RECEIVED: State.JUDGING,
        Step.GOAWAY: State.CLOSED,
        Step.STREAM_ENDED: State.CLOSED,
    },
    State.JUDGING: {
        Step.ROSTER_RECEIVED: State.JUDGING,
        Step.WELCOME_RECEIVED: State.WELCOMED,
        Step.WELCOME_SENT: State.WAITING,
        Step.GOAWAY: State.CLOSED,
        Step.STREAM_ENDED: State.CLOSED,
    },
    State.WAITING: {
        Step.ROSTER_RECEIVED: State.WAITING,
        Step.WELCOME_RECEIVED: State.OPEN,
        Step.GOAWAY: State.CLOSED,
        Step.STREAM_ENDED: State.CLOSED,
    },
    State.WELCOMED: {
        Step.ROSTER_RECEIVED: State.WELCOMED,
        Step.WELCOME_SENT: State.OPEN,
        Step.GOAWAY: State.CLOSED,
        Step.STREAM_ENDED: State.CLOSED,
    },
    State.OPEN: {
        Step.CALL_FRAME: State.OPEN,
        Step.PING_OR_PONG: State.OPEN,
        Step.GOAWAY: State.DRAINING,
        Step.STREAM_ENDED: State.CLOSED,
    },
    State.DRAINING: {
        Step.CALL_FRAME: State.DRAINING,
        Step.PING_OR_PONG: State.DRAINING,
        Step.GOAWAY: State.DRAINING,
        Step.LAST_CALL_OVER: State.CLOSED,
        Step.STREAM_ENDED: State.CLOSED,
    },
    State.CLOSED: {},
}

CALL: Final[Mapping[CallState, Mapping[CallStep, CallState]]] = {
    CallState.ASKED: {
        CallStep.CANCEL_SENT: CallState.ABANDONED,
        CallStep.ERROR_SENT: CallState.ENDED,
        CallStep.DATA_RECEIVED: CallState.ASKED,
        CallStep.END_RECEIVED: CallState.ENDED,
        CallStep.ERROR_RECEIVED: CallState.ENDED,
        CallStep.CANCEL_RECEIVED: CallState.ENDED,
    },
    CallState.STREAMING: {
        CallStep.DATA_SENT: CallState.STREAMING,
        CallStep.END_SENT: CallState.ASKED,
        CallStep.ERROR_SENT: CallState.ENDED,
        CallStep.CANCEL_SENT: CallState.ABANDONED,
        CallStep.DATA_RECEIVED: CallState.STREAMING,
        CallStep.END_RECEIVED: CallState.ANSWERING,
        CallStep.ERROR_RECEIVED: CallState.ENDED,
        CallStep.CANCEL_RECEIVED: CallState.ANSWERING,
    },
    CallState.ANSWERING: {
        CallStep.DATA_SENT: CallState.ANSWERING,
        CallStep.END_SENT: CallState.ENDED,
        CallStep.ERROR_SENT: CallState.ENDED,
        CallStep.CANCEL_SENT: CallState.ENDED,
        CallStep.ERROR_RECEIVED: CallState.ENDED,
        CallStep.CANCEL_RECEIVED: CallState.ANSWERING,
    },
    CallState.ABANDONED: {
        CallStep.DATA_RECEIVED: CallState.ABANDONED,
        CallStep.END_RECEIVED: CallState.ENDED,
        CallStep.ERROR_RECEIVED: CallState.ENDED,
    },
    CallState.ENDED: {},
}


def _as_rows(
    table: Mapping[CallState, Mapping[CallStep, CallState]],
) -> tuple[tuple[CallState | None, ...], ...]:
    return tuple(tuple(table[state].get(step) for step in CallStep) for state in CallState)


CALL_ROWS: Final = _as_rows(CALL)
"""`CALL_ROWS[state][step]`: the same table for the hot path, where hashing an enum would cost more than the rest."""
