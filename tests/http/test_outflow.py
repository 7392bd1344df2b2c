"""Whether a peer takes what is written to it."""

from __future__ import annotations

from lanline.http.outflow import Outflow


def test_nothing_due_is_never_stuck() -> None:
    out = Outflow()
    assert [out.stuck_seconds(0, now, waits=False) for now in (5.0, 100.0, 1000.0)] == [0, 0, 0]


def test_what_is_held_back_counts_from_when_it_last_changed() -> None:
    out = Outflow()
    assert out.stuck_seconds(500, 10.0, waits=False) == 0
    assert out.stuck_seconds(500, 40.0, waits=False) == 30
    assert out.stuck_seconds(499, 50.0, waits=False) == 0
    assert out.stuck_seconds(499, 55.0, waits=False) == 5


def test_who_waits_beside_the_transport_counts_from_what_last_moved_there() -> None:
    out = Outflow()
    out.moved(10.0)
    assert out.stuck_seconds(0, 40.0, waits=True) == 30
    out.moved(45.0)
    assert out.stuck_seconds(0, 50.0, waits=True) == 5
