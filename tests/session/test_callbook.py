"""What this side does with calls: beginning, sending under credit, ending, giving up, deadlines."""

from __future__ import annotations

from math import inf, nan

import pytest

from lanline.errors import LocalProtocolError, MessageTooLarge, Status
from lanline.limits import LAN
from lanline.session import events, frames
from lanline.session.frames import LAST, MAX_CALL, MORE, RAW, Kind
from lanline.session.session import Side
from lanline.session.states import CALL, CallState, CallStep
from tests.session.pair import NOTHING, SessionPair, kinds, only, opened, sent

WINDOW = LAN.window_bytes
ITEM = LAN.max_item_bytes


# -- beginning -----------------------------------------------------------------------------------------------


def test_each_side_gives_out_its_own_numbers() -> None:
    assert [opened(Side.CONNECTING).ask("a.b", NOTHING) for _ in range(2)] == [1, 1]
    pair = SessionPair()
    assert [pair.left.ask("a.b", NOTHING) for _ in range(3)] == [1, 3, 5]
    assert [pair.right.ask("a.b", NOTHING) for _ in range(3)] == [2, 4, 6]
    assert pair.left.opened == pair.right.opened == 3


def test_an_ask_is_one_frame_with_last() -> None:
    one = opened(Side.CONNECTING)
    one.ask("echo.say", frames.encode_body(("hi",)))
    assert sent(one) == [(Kind.OPEN, LAST, 1, b"\x92\xa8echo.say\x91\xa2hi")]


def test_opening_with_last_and_no_terms_is_asking() -> None:
    asking, opening = opened(Side.CONNECTING), opened(Side.CONNECTING)
    asking.ask("a.b", NOTHING)
    opening.open("a.b", NOTHING, last=True)
    assert sent(asking) == sent(opening)


def test_an_ask_arrives_and_its_answer_comes_back() -> None:
    pair = SessionPair()
    call = pair.left.ask("echo.say", frames.encode_body(("hi",)))
    pair.exchange()
    asked = only(pair.told_right, events.Opened)
    assert (asked.call, asked.endpoint, bytes(asked.arguments)) == (call, "echo.say", b"\x91\xa2hi")
    assert (asked.timeout, asked.last) == (None, True)
    pair.right.send_end(call, b"\xa2hi")
    pair.exchange()
    assert pair.told_left == [events.Ended(call, b"\xa2hi", False, True)]
    assert pair.left.calls == pair.right.calls == 0


def test_a_raw_answer_says_that_it_is_raw() -> None:
    pair = SessionPair()
    call = pair.left.ask("a.b", NOTHING)
    pair.exchange()
    pair.right.send_end(call, b"\x00\xff", raw=True)
    pair.exchange()
    assert pair.told_left == [events.Ended(call, b"\x00\xff", True, True)]


@pytest.mark.parametrize("size", [0, 65_000, 65_536, 65_537, 200_000, ITEM - 20])
def test_arguments_of_any_size_up_to_an_item_arrive(size: int) -> None:
    pair = SessionPair()
    arguments = frames.encode_body((b"x" * size,))
    pair.left.ask("a.b", arguments)
    pair.exchange()
    assert bytes(only(pair.told_right, events.Opened).arguments) == arguments


def test_arguments_over_an_item_are_refused_here() -> None:
    pair = SessionPair()
    with pytest.raises(MessageTooLarge, match="request of 1048593 bytes, limit 1048576 bytes"):
        pair.left.ask("a.b", frames.encode_body((b"x" * (ITEM + 6),)))
    assert pair.left.calls == 0 and not pair.left.has_data_to_send
    assert pair.left.ask("a.b", NOTHING) == 1


def test_calls_begin_only_on_an_open_session() -> None:
    pair = SessionPair(greet=False)
    for _ in range(2):
        with pytest.raises(LocalProtocolError, match="this one is HELLO"):
            pair.left.ask("a.b", NOTHING)
        with pytest.raises(LocalProtocolError, match="this one is HELLO"):
            pair.left.open("a.b", NOTHING, last=False)
    pair = SessionPair()
    pair.left.ask("a.b", NOTHING)
    pair.left.go_away()
    with pytest.raises(LocalProtocolError, match="this one is DRAINING"):
        pair.left.ask("a.b", NOTHING)


def test_each_direction_has_its_own_limit_of_calls() -> None:
    pair = SessionPair(limits=LAN._replace(max_calls=10))
    for one in (pair.left, pair.right):
        for _ in range(10):
            one.ask("a.b", NOTHING)
        with pytest.raises(LocalProtocolError, match="10 calls are under way"):
            one.ask("a.b", NOTHING)
        with pytest.raises(LocalProtocolError, match="10 calls are under way"):
            one.open("a.b", NOTHING, last=False)
    pair.exchange()
    assert pair.left.calls == pair.right.calls == 20
    assert kinds(pair.told_left) == kinds(pair.told_right) == ["Opened"] * 10


def test_an_answer_makes_room_for_the_next_call() -> None:
    pair = SessionPair(limits=LAN._replace(max_calls=1))
    for _ in range(5):
        call = pair.left.ask("a.b", NOTHING)
        pair.exchange()
        pair.right.send_end(call)
        pair.exchange()
    assert kinds(pair.told_left) == ["Ended"] * 5


def test_when_the_numbers_are_used_up_the_link_must_be_made_anew() -> None:
    one = opened(Side.CONNECTING)
    one._next_call = MAX_CALL  # four billion calls later
    assert one.ask("a.b", NOTHING) == 2**32 - 1
    for begin in (one.ask, lambda *arguments: one.open(*arguments, last=False)):
        with pytest.raises(LocalProtocolError, match="make a new link"):
            begin("a.b", NOTHING)


# -- items under credit --------------------------------------------------------------------------------------


def _streaming(pair: SessionPair) -> int:
    call = pair.left.open("a.b", NOTHING, last=False)
    pair.exchange()
    pair.told_right.clear()
    return call


def test_items_travel_both_ways_in_order() -> None:
    pair = SessionPair()
    call = _streaming(pair)
    for number in range(10):
        pair.left.send_item(call, bytes([number]))
        pair.right.send_item(call, bytes([100 + number]), raw=True)
    pair.exchange()
    assert pair.told_right == [events.ItemReceived(call, bytes([n]), False, 11) for n in range(10)]
    assert pair.told_left == [events.ItemReceived(call, bytes([100 + n]), True, 11) for n in range(10)]


@pytest.mark.parametrize(("size", "count"), [(0, 1), (65_536, 1), (65_537, 2), (131_072, 2), (131_073, 3), (ITEM, 16)])
def test_a_large_item_travels_in_frames_and_costs_their_headers(size: int, count: int) -> None:
    pair = SessionPair()
    call = _streaming(pair)
    pair.left.send_item(call, b"x" * size)
    assert pair.left.credit(call) == WINDOW - size - 10 * count
    assert pair.left.has_data_to_send
    frames_sent = sent(pair.left)
    assert [flags & MORE for _, flags, _, _ in frames_sent] == [MORE] * (count - 1) + [0]
    assert max(len(body) for *_, body in frames_sent) <= 65_536
    pair.left.send_end(call)
    pair.right.receive_data(b"".join(frames.pack(k, c, b, f) for k, f, c, b in frames_sent), 0.0)
    item = only(pair.right.events(), events.ItemReceived)
    assert (item.body, item.size) == (b"x" * size, size + 10 * count)


def test_an_item_over_the_limit_is_refused_here_and_costs_nothing() -> None:
    pair = SessionPair()
    call = _streaming(pair)
    with pytest.raises(MessageTooLarge, match="item of 1048577 bytes, limit 1048576 bytes"):
        pair.left.send_item(call, b"x" * (ITEM + 1))
    assert pair.left.credit(call) == WINDOW


def test_credit_may_be_overdrawn_by_one_item_and_by_no_more() -> None:
    pair = SessionPair()
    call = _streaming(pair)
    pair.left.send_item(call, b"x" * (WINDOW - 11))
    assert pair.left.credit(call) > -100
    if pair.left.credit(call) > 0:
        pair.left.send_item(call, b"x" * ITEM)
    assert pair.left.credit(call) <= 0
    with pytest.raises(LocalProtocolError, match="no credit left"):
        pair.left.send_item(call, b"")


def test_credit_comes_back_when_half_of_the_window_is_used_up() -> None:
    pair = SessionPair()
    call = _streaming(pair)
    while pair.left.credit(call) > 0:
        pair.left.send_item(call, b"x" * 1014)
    pair.exchange()
    assert kinds(pair.told_left) == []
    used = 0
    for event in list(pair.told_right):
        assert isinstance(event, events.ItemReceived)
        pair.right.consumed(call, event.size)
        used += event.size
        pair.exchange()
        assert kinds(pair.told_left) == (["CreditReceived"] if used * 2 >= WINDOW else [])
        if used * 2 >= WINDOW:
            break
    assert pair.left.credit(call) == WINDOW // 2


def test_a_gibibyte_streams_on_small_credit_frames() -> None:
    """Whatever is miscounted by a byte shows when a thousand windows have passed through."""
    pair = SessionPair(limits=LAN._replace(window_bytes=4096))
    call = _streaming(pair)
    total, sizes = 0, (0, 1, 100, 4096, 10_000, 70_000, 131_073)
    step = 0
    while total < 2**30 // 16:
        while pair.left.credit(call) > 0:
            size = sizes[step % len(sizes)]
            step += 1
            pair.left.send_item(call, bytes(size))
            total += size
        pair.exchange()
        for event in pair.told_right:
            assert isinstance(event, events.ItemReceived)
            pair.right.consumed(call, event.size)
        pair.told_right.clear()
        pair.exchange()
    assert not pair.errors
    mine, theirs = pair.left._own(call), pair.right._own(call)
    assert mine.credit == theirs.room
    assert theirs.room + theirs.owed == 4096


def test_only_who_asked_in_vain_hears_of_new_credit() -> None:
    pair = SessionPair()
    call = _streaming(pair)
    pair.left.send_item(call, b"x" * (WINDOW - 10))
    pair.exchange()
    pair.right.consumed(call, only(pair.told_right, events.ItemReceived).size)
    pair.exchange()
    assert kinds(pair.told_left) == []
    assert pair.left.credit(call) == WINDOW


def test_a_call_can_begin_with_a_window_of_its_own() -> None:
    pair = SessionPair()
    call = pair.left.open("a.b", NOTHING, last=True, window=4 * 1024 * 1024)
    pair.exchange()
    assert pair.right.credit(call) == 4 * 1024 * 1024
    pair.right.send_item(call, b"x" * ITEM)
    assert pair.right.credit(call) == 3 * 1024 * 1024 - 160
    pair.exchange()
    assert not pair.errors


def test_a_window_can_be_widened_while_the_call_lasts() -> None:
    pair = SessionPair()
    call = _streaming(pair)
    pair.right.widen(call, 4 * 1024 * 1024)
    pair.right.widen(call, 1000)
    pair.exchange()
    assert pair.left.credit(call) == 4 * 1024 * 1024
    pair.right.widen(999, 4 * 1024 * 1024)
    assert not pair.right.has_data_to_send


def test_a_stream_answers_an_ask_under_credit_too() -> None:
    pair = SessionPair()
    call = pair.left.ask("a.b", NOTHING)
    pair.exchange()
    while pair.right.credit(call) > 0:
        pair.right.send_item(call, b"x" * 1000)
    pair.exchange()
    for event in list(pair.told_left):
        if isinstance(event, events.ItemReceived):
            pair.left.consumed(call, event.size)
    pair.exchange()
    assert kinds(pair.told_right)[-1] == "CreditReceived"
    pair.right.send_end(call, b"\x05")
    pair.exchange()
    assert pair.told_left[-1] == events.Ended(call, b"\x05", False, True)


def test_there_is_no_credit_on_a_call_that_is_over_or_given_up() -> None:
    pair = SessionPair()
    call = _streaming(pair)
    assert pair.left.credit(call) == WINDOW
    pair.left.cancel(call)
    assert pair.left.credit(call) == 0
    assert pair.left.credit(12345) == 0


# -- ending --------------------------------------------------------------------------------------------------


def test_each_half_ends_on_its_own() -> None:
    pair = SessionPair()
    call = _streaming(pair)
    pair.left.send_end(call, b"\x01")
    pair.exchange()
    assert pair.told_right == [events.Ended(call, b"\x01", False, False)]
    pair.right.send_item(call, b"\x02")
    pair.right.send_end(call, b"\x03")
    pair.exchange()
    assert kinds(pair.told_left) == ["ItemReceived", "Ended"]
    assert pair.left.calls == pair.right.calls == 0


def test_the_answering_half_may_end_first() -> None:
    pair = SessionPair()
    call = _streaming(pair)
    pair.right.send_end(call, b"\x03")
    pair.exchange()
    assert pair.told_left == [events.Ended(call, b"\x03", False, False)]
    pair.left.send_item(call, b"late but legal")
    pair.left.send_end(call)
    pair.exchange()
    assert kinds(pair.told_right) == ["ItemReceived", "Ended"]
    assert pair.left.calls == pair.right.calls == 0


@pytest.mark.parametrize("size", [65_537, ITEM])
def test_a_large_result_travels_in_frames(size: int) -> None:
    pair = SessionPair()
    call = pair.left.ask("a.b", NOTHING)
    pair.exchange()
    pair.right.send_end(call, b"x" * size, raw=True)
    assert pair.right.calls == 0
    pair.exchange()
    assert pair.told_left == [events.Ended(call, b"x" * size, True, True)]


def test_a_result_over_the_limit_is_refused_here_and_the_call_goes_on() -> None:
    pair = SessionPair()
    call = pair.left.ask("a.b", NOTHING)
    pair.exchange()
    with pytest.raises(MessageTooLarge, match="result of 1048577 bytes, limit 1048576 bytes"):
        pair.right.send_end(call, b"x" * (ITEM + 1))
    pair.right.send_error(call, Status.TOO_LARGE, "too much")
    pair.exchange()
    assert pair.told_left == [events.Failed(call, Status.TOO_LARGE, "too much", {}, True)]


def test_an_error_ends_both_halves() -> None:
    pair = SessionPair()
    call = _streaming(pair)
    pair.right.send_error(call, Status.UNAVAILABLE, "disk full", details={"free": "0"}, may_have_run=False)
    pair.right.send_error(call, Status.INTERNAL, "once is enough")
    pair.exchange()
    assert pair.told_left == [events.Failed(call, Status.UNAVAILABLE, "disk full", {"free": "0"}, False)]
    assert pair.left.calls == pair.right.calls == 0


@pytest.mark.parametrize("state", list(CallState))
@pytest.mark.parametrize("step", [CallStep.DATA_SENT, CallStep.END_SENT])
def test_what_the_table_does_not_allow_this_side_cannot_send(state: CallState, step: CallStep) -> None:
    pair = SessionPair()
    call = _streaming(pair)
    if state is CallState.ASKED:
        pair.left.send_end(call)
    elif state is CallState.ANSWERING:
        pair.right.send_end(call)
    elif state is CallState.ABANDONED:
        pair.left.cancel(call)
    elif state is CallState.ENDED:
        pair.left.send_error(call, Status.INTERNAL)
    if state is not CallState.ABANDONED:
        pair.exchange()
    send = pair.left.send_item if step is CallStep.DATA_SENT else pair.left.send_end
    if step in CALL[state]:
        send(call, b"\x01")
        pair.exchange()
        assert not pair.errors
    else:
        with pytest.raises(LocalProtocolError, match=r"over|not allowed"):
            send(call, b"\x01")
        assert not pair.left.has_data_to_send or state is CallState.ABANDONED


# -- giving up -----------------------------------------------------------------------------------------------


def test_cancelling_an_ask_stops_the_far_handler_and_its_error_is_dropped() -> None:
    pair = SessionPair()
    call = pair.left.ask("a.b", NOTHING)
    pair.exchange()
    pair.left.cancel(call, "no longer needed")
    pair.exchange()
    assert pair.told_left == [events.Failed(call, Status.CANCELLED, "no longer needed", {}, True)]
    assert pair.told_right[1:] == [events.Cancelled(call, "no longer needed")]
    assert pair.left.calls == 1 and not pair.left.is_under_way(call)
    pair.right.send_error(call, Status.CANCELLED)
    pair.exchange()
    assert len(pair.told_left) == 1
    assert pair.left.calls == pair.right.calls == 0


def test_a_late_answer_is_dropped() -> None:
    pair = SessionPair()
    call = pair.left.ask("a.b", NOTHING)
    pair.exchange()
    pair.right.send_end(call, b"\x05")
    pair.left.cancel(call)
    pair.exchange()
    assert kinds(pair.told_left) == ["Failed"]
    assert kinds(pair.told_right) == ["Opened"]
    assert pair.left.calls == pair.right.calls == 0 and not pair.errors


def test_items_under_way_to_who_gave_up_are_dropped() -> None:
    pair = SessionPair()
    call = _streaming(pair)
    pair.right.send_item(call, b"x" * 200_000)
    pair.left.cancel(call)
    pair.right.send_item(call, b"y")
    pair.exchange()
    pair.right.send_error(call, Status.CANCELLED)
    pair.exchange()
    assert kinds(pair.told_left) == ["Failed"]
    assert pair.left.calls == pair.right.calls == 0 and not pair.errors


def test_an_item_of_which_half_had_come_is_forgotten_with_its_call() -> None:
    one = opened(Side.CONNECTING)
    call = one.open("a.b", NOTHING, last=False)
    one.receive_data(frames.pack(Kind.DATA, call, b"x" * 60_000, MORE), 0.0)
    assert one._unfinished_bytes == 60_000
    one.cancel(call)
    assert one._unfinished_bytes == 0
    one.receive_data(frames.pack(Kind.DATA, call, b"x" * 60_000), 0.0)
    one.receive_data(frames.pack(Kind.END, call, b"x" * 60_000, MORE), 0.0)
    assert one.calls == 1
    one.receive_data(frames.pack(Kind.END, call, b"x"), 0.0)
    assert one.calls == 0 and kinds(one.events()) == ["Failed"]


def test_leaving_after_the_far_half_has_ended_leaves_nothing_on_either_side() -> None:
    """The handler has returned; nobody is there who could answer a CANCEL."""
    pair = SessionPair()
    call = _streaming(pair)
    pair.right.send_end(call, b"\x05")
    pair.exchange()
    pair.left.cancel(call)
    assert pair.left.calls == 0
    pair.exchange()
    assert kinds(pair.told_right) == []
    assert pair.right.calls == 0 and not pair.errors


def test_an_end_and_a_cancel_that_cross_leave_nothing_on_either_side() -> None:
    pair = SessionPair()
    call = _streaming(pair)
    pair.right.send_end(call, b"\x05")
    pair.left.cancel(call)
    pair.exchange()
    assert pair.left.calls == pair.right.calls == 0 and not pair.errors
    assert kinds(pair.told_left) == ["Failed"]


def test_the_answering_side_gives_up_with_an_error() -> None:
    pair = SessionPair()
    call = _streaming(pair)
    pair.right.cancel(call, "shutting down", Status.UNAVAILABLE)
    pair.exchange()
    assert pair.told_left == [events.Failed(call, Status.UNAVAILABLE, "shutting down", {}, True)]
    assert pair.told_right == []
    assert pair.left.calls == pair.right.calls == 0


def test_giving_up_what_is_over_does_nothing() -> None:
    pair = SessionPair()
    call = pair.left.ask("a.b", NOTHING)
    pair.exchange()
    pair.right.send_end(call)
    pair.exchange()
    for over in (call, 999, 2):
        pair.left.cancel(over)
        pair.left.consumed(over, 10)
    assert not pair.left.has_data_to_send and kinds(pair.told_left) == ["Ended"]


def test_a_long_reason_fits_one_frame() -> None:
    pair = SessionPair()
    call = pair.left.ask("a.b", NOTHING)
    pair.left.cancel(call, "why " * 100_000 + "\udce9")
    pair.exchange()
    assert not pair.errors
    assert len(only(pair.told_right, events.Cancelled).reason) == 4096


# -- deadlines -----------------------------------------------------------------------------------------------


def test_a_deadline_travels_as_the_time_left() -> None:
    pair = SessionPair()
    pair.now = 100.0
    call = pair.left.open("a.b", NOTHING, last=True, now=100.0, timeout=2.5)
    assert pair.left.next_deadline() is not None
    pair.exchange()
    assert only(pair.told_right, events.Opened).timeout == 2.5
    assert pair.right.is_under_way(call)


def test_both_sides_stop_at_the_deadline() -> None:
    pair = SessionPair(keepalive=False)
    call = pair.left.open("a.b", NOTHING, last=True, now=0.0, timeout=2.5)
    pair.exchange()
    assert pair.left.next_deadline() == pair.right.next_deadline() == 2.5
    for one in (pair.left, pair.right):
        one.deadline_passed(2.4)
        assert not one.has_events
        one.deadline_passed(2.5)
    pair.right.send_error(call, Status.DEADLINE, "too late")
    pair.exchange()
    assert only(pair.told_left, events.Failed).status is Status.DEADLINE
    assert kinds(pair.told_right) == ["Opened", "DeadlinePassed"]
    assert pair.left.calls == pair.right.calls == 0
    assert pair.left.next_deadline() is None is pair.right.next_deadline()


def test_an_answer_in_time_leaves_no_deadline() -> None:
    pair = SessionPair(keepalive=False)
    call = pair.left.open("a.b", NOTHING, last=True, now=0.0, timeout=2.5)
    pair.exchange()
    pair.right.send_end(call)
    pair.exchange()
    assert pair.left.next_deadline() is None is pair.right.next_deadline()
    assert kinds(pair.told_left) == ["Ended"]


def test_a_deadline_on_a_half_that_nobody_ends_frees_the_call() -> None:
    pair = SessionPair(keepalive=False)
    call = pair.left.open("a.b", NOTHING, last=False, now=0.0, timeout=2.5)
    pair.exchange()
    pair.right.send_end(call)
    pair.right.deadline_passed(2.5)
    assert pair.right.calls == 0
    pair.exchange()
    assert kinds(pair.told_left) == ["Ended", "Failed"]
    assert pair.left.calls == 0 and not pair.errors


@pytest.mark.parametrize("timeout", [0.0, -5.0, 1e-9])
def test_a_deadline_that_has_passed_already_passes_at_once(timeout: float) -> None:
    pair = SessionPair(keepalive=False)
    pair.left.open("a.b", NOTHING, last=True, now=100.0, timeout=timeout)
    pair.left.deadline_passed(100.0 + 1e-9)
    pair.exchange()
    assert only(pair.told_left, events.Failed).status is Status.DEADLINE


@pytest.mark.parametrize("timeout", [None, inf, nan])
def test_no_end_of_time_is_no_deadline(timeout: float | None) -> None:
    pair = SessionPair(keepalive=False)
    pair.left.open("a.b", NOTHING, last=True, now=0.0, timeout=timeout)
    pair.exchange()
    assert pair.left.next_deadline() is None
    assert only(pair.told_right, events.Opened).timeout is None


def test_a_deadline_in_centuries_fits_the_wire() -> None:
    pair = SessionPair(keepalive=False)
    pair.left.open("a.b", NOTHING, last=True, now=0.0, timeout=1e30)
    pair.exchange()
    assert only(pair.told_right, events.Opened).timeout == 2**40 / 1000


def test_deadlines_of_finished_calls_are_not_kept() -> None:
    pair = SessionPair(keepalive=False)
    for _ in range(2000):
        call = pair.left.open("a.b", NOTHING, last=True, now=0.0, timeout=3600)
        pair.exchange()
        pair.right.send_end(call)
        pair.exchange()
    assert len(pair.left._deadlines) < 100
    assert len(pair.right._deadlines) < 100


def test_flags_of_items_are_those_of_their_last_frame() -> None:
    pair = SessionPair()
    call = _streaming(pair)
    pair.left.send_item(call, b"x" * 70_000, raw=True)
    assert [flags for _, flags, _, _ in sent(pair.left)] == [RAW | MORE, RAW]
