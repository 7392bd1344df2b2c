"""The two tables themselves: complete, reachable, and the same as the rows for the hot path."""

from __future__ import annotations

from lanline.session.states import CALL, CALL_ROWS, CONNECTION, CallState, CallStep, State, Step


def test_every_state_has_its_row() -> None:
    assert set(CONNECTION) == set(State)
    assert set(CALL) == set(CallState)


def test_every_state_of_a_connection_is_reached_from_its_first() -> None:
    reached, frontier = {State.HELLO}, [State.HELLO]
    while frontier:
        for state in CONNECTION[frontier.pop()].values():
            if state not in reached:
                reached.add(state)
                frontier.append(state)
    assert reached == set(State)


def test_every_state_of_a_call_is_reached_from_how_calls_begin() -> None:
    frontier = [CallState.ASKED, CallState.STREAMING, CallState.ANSWERING]
    reached = set(frontier)
    while frontier:
        for state in CALL[frontier.pop()].values():
            if state not in reached:
                reached.add(state)
                frontier.append(state)
    assert reached == set(CallState)


def test_nothing_follows_the_end() -> None:
    assert not CONNECTION[State.CLOSED]
    assert not CALL[CallState.ENDED]


def test_from_every_state_a_connection_can_end() -> None:
    for state in State:
        if state is not State.CLOSED:
            assert CONNECTION[state][Step.STREAM_ENDED] is State.CLOSED
            assert Step.GOAWAY in CONNECTION[state]


def test_the_peer_can_end_a_call_in_every_state() -> None:
    for state in CallState:
        if state is not CallState.ENDED:
            assert CALL[state][CallStep.ERROR_RECEIVED] is CallState.ENDED


def test_what_one_side_sends_the_other_may_receive() -> None:
    """Both ends of one call, stepped together without crossing frames: no legal step finds the other end unready."""
    mirror = {
        CallStep.DATA_SENT: CallStep.DATA_RECEIVED,
        CallStep.END_SENT: CallStep.END_RECEIVED,
        CallStep.ERROR_SENT: CallStep.ERROR_RECEIVED,
        CallStep.CANCEL_SENT: CallStep.CANCEL_RECEIVED,
    }
    frontier = [(CallState.ASKED, CallState.ANSWERING), (CallState.STREAMING, CallState.STREAMING)]
    seen = set(frontier)
    while frontier:
        opener, answerer = frontier.pop()
        for step, other in mirror.items():
            followed = []
            if step in CALL[opener]:
                followed.append((CALL[opener][step], CALL[answerer][other]))
            if step in CALL[answerer] and step is not CallStep.CANCEL_SENT:
                followed.append((CALL[opener][other], CALL[answerer][step]))
            for pair in followed:
                if CallState.ENDED not in pair and pair not in seen:
                    seen.add(pair)
                    frontier.append(pair)
    assert (CallState.ABANDONED, CallState.ANSWERING) in seen


def test_the_rows_are_the_table() -> None:
    for state in CallState:
        for step in CallStep:
            assert CALL_ROWS[state][step] is CALL[state].get(step)
