"""The record of one call: windows, refills, and items whose frames come one by one."""

from __future__ import annotations

from lanline.session.calls import ABANDONED, ANSWERING, ASKED, CallRecord, Unfinished
from lanline.session.frames import Kind
from lanline.session.states import CallState


def test_a_refill_comes_when_half_of_the_window_is_used() -> None:
    record = CallRecord(CallState.STREAMING, 0, 1000)
    record.room -= 499
    assert record.take_refill(499) == 0
    record.room -= 1
    assert record.take_refill(1) == 500
    assert (record.owed, record.room) == (0, 1000)


def test_what_is_used_and_what_is_left_is_always_the_window() -> None:
    record = CallRecord(CallState.STREAMING, 0, 1000)
    for size in (1, 300, 700, 5000, 10, 499):
        record.room -= size
        record.take_refill(size)
        assert record.room + record.owed == 1000


def test_a_window_grows_and_never_shrinks() -> None:
    record = CallRecord(CallState.STREAMING, 0, 1000)
    record.room -= 100
    assert record.widen(4000) == 3000
    assert (record.window, record.room) == (4000, 3900)
    assert record.widen(500) == 0
    assert (record.window, record.room) == (4000, 3900)


def test_each_frame_of_an_item_costs_its_header() -> None:
    unfinished = Unfinished(Kind.DATA)
    for piece in (b"a" * 100, b"b" * 100, b"c"):
        unfinished.add(piece)
    assert unfinished.cost_bytes == 201 + 3 * 10
    assert unfinished.pieces.take() == b"a" * 100 + b"b" * 100 + b"c"


def test_the_shared_records_say_only_their_state() -> None:
    assert [record.state.name for record in (ASKED, ANSWERING, ABANDONED)] == ["ASKED", "ANSWERING", "ABANDONED"]
    assert "ASKED credit=0 room=0" in repr(ASKED)
