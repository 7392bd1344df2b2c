"""Claims about how often somebody may fail."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lanline.transport.failurerate import FailureRate


def test_a_burst_is_free_and_then_one_has_room_every_so_many_seconds() -> None:
    rate = FailureRate(burst=5, seconds_each=5.0)
    for _ in range(5):
        assert rate.wait(100.0) == 0.0
        rate.add(100.0)
    assert rate.wait(100.0) == 5.0
    assert abs(rate.wait(103.0) - 2.0) < 1e-9
    assert rate.wait(105.0) == 0.0


def test_tries_under_way_count_as_failures() -> None:
    rate = FailureRate(burst=5, seconds_each=5.0)
    assert rate.wait(0.0, under_way=4) == 0.0
    assert rate.wait(0.0, under_way=5) == 5.0


def test_a_clock_that_goes_back_drains_nothing() -> None:
    rate = FailureRate(burst=1, seconds_each=5.0, at=50.0)
    rate.add(100.0)
    assert rate.wait(60.0) == 5.0
    assert rate.wait(100.0) == 5.0


@given(st.lists(st.floats(0.0, 20.0), max_size=60))
def test_in_any_stretch_of_time_no_more_fail_than_burst_and_drain_allow(pauses: list[float]) -> None:
    rate, now, failed = FailureRate(burst=5, seconds_each=5.0), 0.0, 0
    for pause in pauses:
        now += pause
        if rate.wait(now) == 0.0:
            rate.add(now)
            failed += 1
    assert failed <= 5 + now / 5.0 + 0.01
