"""What a peer may do with calls, and everything it may not: each ends in one error of its own, and nothing is kept."""

from __future__ import annotations

import tracemalloc

import pytest

from lanline.errors import MessageTooLarge, RemoteProtocolError, Status
from lanline.limits import LAN
from lanline.session import calls, events, frames
from lanline.session.frames import HEADER_BYTES, LAST, MORE, RAW, Kind
from lanline.session.session import Session, Side
from lanline.session.states import CALL, CallState, CallStep
from tests.session.pair import NOTHING, SessionPair, kinds, only, opened, sent

WINDOW = LAN.window_bytes
ITEM = LAN.max_item_bytes
FRAME = LAN.max_frame_bytes
REQUEST = frames.encode_open("a.b", NOTHING)


def _take(one: Session, kind: Kind, call: int, body: bytes = b"", flags: int = 0) -> None:
    one.receive_data(frames.pack(kind, call, body, flags), 0.0)


def _check_refused(one: Session, kind: Kind, call: int, body: bytes = b"", flags: int = 0, *, match: str) -> None:
    """The frame ends the session, the peer is told why in a GOAWAY, and nothing of it is kept."""
    with pytest.raises(RemoteProtocolError, match=match):
        _take(one, kind, call, body, flags)
    assert one.is_closed and one.calls == 0
    last_kind, _, _, farewell = sent(one)[-1]
    assert last_kind is Kind.GOAWAY
    assert frames.decode_farewell(farewell).reason
    assert isinstance(one.events()[-1], events.Closed)


# -- OPEN ----------------------------------------------------------------------------------------------------


def test_a_peer_may_not_use_our_numbers() -> None:
    _check_refused(opened(Side.ACCEPTING), Kind.OPEN, 2, REQUEST, LAST, match="number of this side's")
    one = opened(Side.CONNECTING)
    one.ask("a.b", NOTHING)
    _check_refused(one, Kind.OPEN, 1, REQUEST, LAST, match="number of this side's")
    _check_refused(opened(Side.ACCEPTING), Kind.OPEN, 0, REQUEST, LAST, match="number of this side's")


@pytest.mark.parametrize("flags", [0, LAST, MORE, LAST | MORE])
def test_a_call_cannot_be_opened_twice(flags: int) -> None:
    for first in (LAST, 0):
        one = opened()
        _take(one, Kind.OPEN, 7, REQUEST, first)
        _check_refused(one, Kind.OPEN, 7, REQUEST, flags, match="opened twice")


def test_numbers_may_be_left_out_but_not_come_back() -> None:
    one = opened()
    _take(one, Kind.OPEN, 7, REQUEST, LAST)
    _check_refused(one, Kind.OPEN, 5, REQUEST, LAST, match="out of order")


def test_frames_of_a_peers_request_never_touch_another_call() -> None:
    """The records of asks are shared by all links of the process."""
    before = [(record.state, record.unfinished) for record in (calls.ASKED, calls.ANSWERING, calls.ABANDONED)]
    for side in Side:
        one = opened(side)
        mine = one.ask("a.b", NOTHING)
        for kind in (Kind.OPEN, Kind.DATA, Kind.END, Kind.CREDIT):
            for flags in (MORE, LAST, MORE | LAST, 0):
                other = opened(side)
                other.ask("a.b", NOTHING)
                try:
                    _take(other, kind, mine, b"\x05", flags)
                except RemoteProtocolError:
                    assert other.is_closed
    assert before == [(record.state, record.unfinished) for record in (calls.ASKED, calls.ANSWERING, calls.ABANDONED)]
    assert (calls.ASKED.credit, calls.ASKED.room, calls.ASKED.owed) == (0, 0, 0)


def test_a_request_in_pieces_is_joined() -> None:
    one = opened()
    arguments = frames.encode_body((b"x" * 150_000,))
    request = frames.encode_open("a.b", arguments)
    _take(one, Kind.OPEN, 1, request[:FRAME], MORE | LAST)
    _take(one, Kind.PING, 0, frames.encode_body(frames.Stamps(5)))
    assert one.calls == 0 and not one.has_events
    _take(one, Kind.OPEN, 1, request[FRAME : 2 * FRAME], MORE | LAST)
    _take(one, Kind.OPEN, 1, request[2 * FRAME :], LAST)
    assert bytes(only(one.events(), events.Opened).arguments) == arguments
    assert one._unfinished_bytes == 0


@pytest.mark.parametrize("kind", [Kind.DATA, Kind.END, Kind.ERROR, Kind.CREDIT, Kind.CANCEL])
def test_a_call_whose_request_is_not_whole_has_no_other_frames(kind: Kind) -> None:
    body = {Kind.ERROR: frames.encode_body((1,)), Kind.CANCEL: b"\xa0"}.get(kind, b"\x05")
    one = opened()
    _take(one, Kind.OPEN, 1, REQUEST[:2], MORE)
    _check_refused(one, kind, 1, body, match="before its request was whole")


def test_two_requests_cannot_be_unfinished_at_once() -> None:
    one = opened()
    _take(one, Kind.OPEN, 1, REQUEST[:2], MORE)
    _check_refused(one, Kind.OPEN, 3, REQUEST, LAST, match="before the request of call 1 ended")


def test_a_request_over_an_item_is_refused_before_it_is_whole() -> None:
    one = opened()
    for _ in range(ITEM // FRAME):
        _take(one, Kind.OPEN, 1, b"x" * FRAME, MORE)
    with pytest.raises(MessageTooLarge, match="request of 1048577 bytes, limit 1048576 bytes"):
        _take(one, Kind.OPEN, 1, b"x", MORE)


def test_more_calls_than_the_limit_are_told_so_and_the_link_lives() -> None:
    one = opened(limits=LAN._replace(max_calls=3))
    for number in range(1, 11, 2):
        _take(one, Kind.OPEN, number, REQUEST, LAST if number != 9 else 0)
    assert kinds(one.events()) == ["Opened"] * 3
    refusals = [(call, frames.decode_failure(body)) for kind, _, call, body in sent(one) if kind is Kind.ERROR]
    assert [call for call, _ in refusals] == [7, 9]
    assert {failure.status for _, failure in refusals} == {Status.OVERLOADED}
    assert not any(failure.may_have_run for _, failure in refusals)
    _take(one, Kind.DATA, 9, b"what it sent before it knew")
    _take(one, Kind.END, 9)
    one.send_end(1)
    _take(one, Kind.OPEN, 11, REQUEST, LAST)
    assert kinds(one.events()) == ["Opened"]


def test_windows_that_a_peer_can_hold_open_are_bounded() -> None:
    one = opened()
    for number in range(1, 601, 2):
        _take(one, Kind.OPEN, number, REQUEST)
    refusals = [body for kind, _, _, body in sent(one) if kind is Kind.ERROR]
    assert one.calls == 256 and len(refusals) == 44
    assert frames.decode_failure(refusals[0]).status == Status.OVERLOADED
    for number in range(601, 701, 2):
        _take(one, Kind.OPEN, number, REQUEST, LAST)
    assert one.calls == 306, "asks need no window"
    _take(one, Kind.END, 1)
    _take(one, Kind.OPEN, 701, REQUEST)
    assert one.calls == 307, "an ended half gives its window back"


def test_a_call_that_crosses_our_goaway_is_certainly_not_begun() -> None:
    pair = SessionPair()
    kept = pair.left.ask("a.b", NOTHING)
    pair.exchange()
    pair.right.go_away("updating")
    late = pair.left.ask("a.b", NOTHING)
    pair.exchange()
    failed = only(pair.told_left, events.Failed)
    assert (failed.call, failed.status, failed.may_have_run) == (late, Status.UNAVAILABLE, False)
    assert kinds(pair.told_right) == ["Opened"]
    pair.right.send_end(kept)
    pair.exchange()
    assert pair.left.is_closed and pair.right.is_closed and not pair.errors
    assert kinds(pair.told_left)[-2:] == ["Ended", "Closed"]


# -- DATA and credit -----------------------------------------------------------------------------------------


def test_an_item_without_credit_is_an_offence_at_its_first_frame() -> None:
    one = opened()
    _take(one, Kind.OPEN, 1, REQUEST)
    for _ in range(4):
        _take(one, Kind.DATA, 1, b"x" * (FRAME - HEADER_BYTES))
    _check_refused(one, Kind.DATA, 1, b"", match="call 1, 0 bytes beyond its credit")


def test_the_last_item_of_a_window_may_be_a_large_one() -> None:
    one = opened()
    _take(one, Kind.OPEN, 1, REQUEST)
    for _ in range(3):
        _take(one, Kind.DATA, 1, b"x" * FRAME)
    for _ in range(15):
        _take(one, Kind.DATA, 1, b"x" * FRAME, MORE)
    _take(one, Kind.DATA, 1, b"x" * FRAME)
    assert only(one.events()[-1:], events.ItemReceived).size == ITEM + 160
    _check_refused(one, Kind.DATA, 1, b"x", match="beyond its credit")


def test_empty_items_use_up_credit_too() -> None:
    one = opened()
    _take(one, Kind.OPEN, 1, REQUEST)
    for _ in range(WINDOW // HEADER_BYTES + 1):
        _take(one, Kind.DATA, 1)
    _check_refused(one, Kind.DATA, 1, match="beyond its credit")


def test_an_item_over_the_limit_is_refused_before_it_is_whole() -> None:
    one = opened()
    _take(one, Kind.OPEN, 1, REQUEST)
    for _ in range(ITEM // FRAME):
        _take(one, Kind.DATA, 1, b"x" * FRAME, MORE)
    with pytest.raises(MessageTooLarge, match="item of 1048577 bytes, limit 1048576 bytes"):
        _take(one, Kind.DATA, 1, b"x")


def test_an_item_can_come_in_a_million_frames_but_not_in_empty_ones() -> None:
    one = opened()
    _take(one, Kind.OPEN, 1, REQUEST)
    tracemalloc.start()
    for _ in range(20_000):
        _take(one, Kind.DATA, 1, b"x", MORE)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 100_000, f"{kept} bytes kept for an item of 20,000 so far"
    _check_refused(one, Kind.DATA, 1, b"", MORE, match="empty frame")


def test_unfinished_items_of_all_calls_together_are_bounded() -> None:
    one = opened()
    kept = 0
    with pytest.raises(MessageTooLarge, match="sum of unfinished items of 4194305 bytes"):
        for number in range(1, 400, 2):
            _take(one, Kind.OPEN, number, REQUEST)
            for _ in range(4):
                size = min(FRAME, 4 * ITEM + 1 - kept)
                _take(one, Kind.DATA, number, b"x" * size, MORE)
                kept += size
    assert one.is_closed


def test_a_finished_item_makes_room_for_others() -> None:
    one = opened()
    _take(one, Kind.OPEN, 1, REQUEST)
    for _ in range(100):
        _take(one, Kind.DATA, 1, b"x" * FRAME, MORE)
        _take(one, Kind.DATA, 1, b"x" * FRAME)
        one.consumed(1, only(one.events()[-1:], events.ItemReceived).size)
    assert one._unfinished_bytes == 0 and one.is_open


def test_frames_of_two_kinds_cannot_make_one_item() -> None:
    one = opened()
    _take(one, Kind.OPEN, 1, REQUEST)
    _take(one, Kind.DATA, 1, b"x", MORE)
    _check_refused(one, Kind.END, 1, b"x", match="END frame came inside an unfinished DATA")
    one = opened()
    _take(one, Kind.OPEN, 1, REQUEST)
    _take(one, Kind.END, 1, b"x", MORE)
    _check_refused(one, Kind.DATA, 1, b"x", match="DATA frame came inside an unfinished END")


def test_credit_piles_up_to_no_harm() -> None:
    one = opened(Side.CONNECTING)
    call = one.open("a.b", NOTHING, last=False)
    for _ in range(1000):
        _take(one, Kind.CREDIT, call, frames.encode_body(2**40))
    assert one.credit(call) == WINDOW + 1000 * 2**40


@pytest.mark.parametrize("body", [b"\x00", b"\xff", b"\xcf" + b"\xff" * 8, b"", b"\xa1a"])
def test_credit_that_makes_no_sense_is_refused(body: bytes) -> None:
    one = opened(Side.CONNECTING)
    call = one.open("a.b", NOTHING, last=False)
    _check_refused(one, Kind.CREDIT, call, body, match="not what its kind says")


# -- END, ERROR, CANCEL --------------------------------------------------------------------------------------


def test_a_result_over_the_limit_is_refused_before_it_is_whole() -> None:
    one = opened(Side.CONNECTING)
    call = one.ask("a.b", NOTHING)
    for _ in range(ITEM // FRAME):
        _take(one, Kind.END, call, b"x" * FRAME, MORE)
    with pytest.raises(MessageTooLarge, match="result of 1048577 bytes, limit 1048576 bytes"):
        _take(one, Kind.END, call, b"x")


def test_an_error_of_a_later_version_counts_as_internal() -> None:
    one = opened(Side.CONNECTING)
    call = one.ask("a.b", NOTHING)
    _take(one, Kind.ERROR, call, frames.encode_body((99, "new")))
    assert one.events() == [events.Failed(call, Status.INTERNAL, "new", {}, True)]


def test_an_error_cannot_say_that_all_is_well() -> None:
    one = opened(Side.CONNECTING)
    _check_refused(one, Kind.ERROR, one.ask("a.b", NOTHING), frames.encode_body((0,)), match="ended well")


def test_the_peer_cannot_cancel_what_it_did_not_open() -> None:
    one = opened(Side.CONNECTING)
    _check_refused(one, Kind.CANCEL, one.ask("a.b", NOTHING), b"\xa0", match="which it did not open")


@pytest.mark.parametrize("kind", [Kind.DATA, Kind.END, Kind.ERROR, Kind.CREDIT, Kind.CANCEL])
@pytest.mark.parametrize("side", Side)
def test_a_frame_for_a_call_that_never_was_is_refused(kind: Kind, side: Side) -> None:
    body = {Kind.ERROR: frames.encode_body((1,)), Kind.CANCEL: b"\xa0"}.get(kind, b"\x05")
    for call in (0, 3, 4, 2**32 - 1, 2**32 - 2):
        one = opened(side)
        _check_refused(one, kind, call, body, match="never opened|did not open")


@pytest.mark.parametrize("kind", [Kind.DATA, Kind.END, Kind.ERROR, Kind.CREDIT, Kind.CANCEL])
def test_a_frame_for_a_call_that_is_over_is_dropped(kind: Kind) -> None:
    body = {Kind.ERROR: frames.encode_body((1,)), Kind.CANCEL: b"\xa0"}.get(kind, b"\x05")
    one = opened()
    _take(one, Kind.OPEN, 1, REQUEST, LAST)
    one.send_end(1)
    sent(one)
    one.events()
    _take(one, kind, 1, body)
    assert one.is_open and not one.has_events and not one.has_data_to_send


_BODIES = {
    CallStep.DATA_RECEIVED: (Kind.DATA, b"\x05"),
    CallStep.END_RECEIVED: (Kind.END, b"\x05"),
    CallStep.ERROR_RECEIVED: (Kind.ERROR, frames.encode_body((7, "no"))),
    CallStep.CANCEL_RECEIVED: (Kind.CANCEL, b"\xa0"),
}


def _their_call_in(state: CallState) -> Session:
    """A session on which call 1, opened by the peer, is in this state."""
    one = opened()
    _take(one, Kind.OPEN, 1, REQUEST, LAST if state is CallState.ANSWERING else 0)
    if state is CallState.ASKED:
        one.send_end(1)
    one.events()
    return one


def _our_call_in(state: CallState) -> Session:
    """A session on which call 1, opened by this side, is in this state."""
    one = opened(Side.CONNECTING)
    call = one.open("a.b", NOTHING, last=state is CallState.ASKED)
    if state is CallState.ANSWERING:
        _take(one, Kind.END, call)
    if state is CallState.ABANDONED:
        one.cancel(call)
    one.events()
    return one


@pytest.mark.parametrize("step", _BODIES)
@pytest.mark.parametrize("state", [CallState.ASKED, CallState.STREAMING, CallState.ANSWERING, CallState.ABANDONED])
@pytest.mark.parametrize("is_ours", [True, False])
def test_the_table_decides_what_may_be_received(state: CallState, step: CallStep, *, is_ours: bool) -> None:
    if state is CallState.ABANDONED and not is_ours:
        return  # only the side that opened a call gives it up and waits
    one = _our_call_in(state) if is_ours else _their_call_in(state)
    kind, body = _BODIES[step]
    if step not in CALL[state] or (step is CallStep.CANCEL_RECEIVED and is_ours):
        _check_refused(one, kind, 1, body, match="on call 1|never opened|did not open")
        return
    _take(one, kind, 1, body)
    assert one.is_open
    record = (one._mine if is_ours else one._theirs).get(1)
    assert (CallState.ENDED if record is None else record.state) is CALL[state][step]


def test_a_hostile_peer_can_hold_no_more_numbers_than_the_limit() -> None:
    """It never answers what we gave up: those calls stay on the books, and then no more can begin."""
    one = opened(Side.CONNECTING, limits=LAN._replace(max_calls=100))
    for _ in range(100):
        one.cancel(one.ask("a.b", NOTHING))
    assert one.calls == 100
    assert {id(record) for record in one._mine.values()} == {id(calls.ABANDONED)}, "one record for all of them"


def test_raw_is_taken_from_the_last_frame() -> None:
    one = opened()
    _take(one, Kind.OPEN, 1, REQUEST)
    _take(one, Kind.DATA, 1, b"x" * 10, MORE)
    _take(one, Kind.DATA, 1, b"y", RAW)
    assert only(one.events()[-1:], events.ItemReceived).raw
