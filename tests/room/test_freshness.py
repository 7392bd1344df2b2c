"""How long a roster is good without the hub, in running time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.room.freshness import KIND, STALE_AFTER, Freshness, FreshnessState, boot_clock, this_boot
from lanline.room.sealed import load_cache, save_sealed

DAY = 86400.0


def test_a_confirmation_holds_for_seven_days() -> None:
    fresh = Freshness(FreshnessState(0.0, "a", 100.0), boot="a", now=100.0)
    assert not fresh.is_stale(100.0 + 7 * DAY - 1)
    assert fresh.is_stale(100.0 + 7 * DAY)
    fresh.confirmed(100.0 + 8 * DAY)
    assert fresh.age(100.0 + 9 * DAY) == DAY
    assert not fresh.is_stale(100.0 + 9 * DAY)


def test_without_a_state_nothing_was_ever_confirmed() -> None:
    fresh = Freshness(None, boot="a", now=0.0)
    assert fresh.is_stale(0.0)
    fresh.confirmed(1.0)
    assert not fresh.is_stale(1.0)


def test_a_damaged_state_file_counts_as_never_confirmed(tmp_path: Path) -> None:
    path = tmp_path / "freshness.json"
    save_sealed(path, KIND, FreshnessState(0.0, "a", 5.0))
    path.write_bytes(path.read_bytes().replace(b"5.0", b"4.0"))
    state, note = load_cache(path, KIND, FreshnessState)
    assert "discarded" in note
    assert Freshness(state, boot="a", now=5.0).is_stale(5.0)


def test_a_restart_of_the_node_in_one_boot_counts_the_time_between() -> None:
    state = FreshnessState(DAY, "a", 1000.0)
    assert Freshness(state, boot="a", now=1000.0 + 2 * DAY).age(1000.0 + 2 * DAY) == 3 * DAY


def test_a_summer_switched_off_does_not_count() -> None:
    state = FreshnessState(DAY, "last term", 50 * DAY)
    assert Freshness(state, boot="this term", now=60.0).age(60.0) == DAY + 60.0


def test_restarting_does_not_make_it_fresh() -> None:
    state: FreshnessState | None = FreshnessState(0.0, "0", 0.0)
    for boot in range(1, 9):
        fresh = Freshness(state, boot=str(boot), now=30.0)
        assert fresh.is_stale(DAY) == (boot >= 7)
        state = fresh.state(DAY)


def test_a_negative_count_is_not_believed() -> None:
    assert Freshness(FreshnessState(-1e9, "a", 0.0), boot="a", now=0.0).is_stale(0.0)


@given(st.lists(st.floats(0, 1e7), min_size=2, max_size=20))
def test_whatever_the_clock_says_the_age_never_falls_by_itself(readings: list[float]) -> None:
    fresh = Freshness(FreshnessState(5.0, "a", 0.0), boot="a", now=readings[0])
    for reading in readings:
        assert fresh.age(reading) >= 5.0
        assert fresh.state(reading).unconfirmed == fresh.age(reading)


def test_the_sentence_for_people_has_the_number_and_the_limit() -> None:
    fresh = Freshness(FreshnessState(STALE_AFTER, "a", 0.0), boot="a", now=0.0)
    assert fresh.explain(2.4 * DAY) == (
        "the hub has not confirmed the roster for 9.4 days of running time, limit 7 days"
    )


def test_this_machine_has_a_boot_and_a_clock() -> None:
    assert len(this_boot()) == 36
    assert boot_clock() <= boot_clock()


@pytest.mark.parametrize("reading", [5.0, 7.0])
def test_the_state_is_what_the_next_start_reads(reading: float) -> None:
    fresh = Freshness(FreshnessState(0.0, "a", 0.0), boot="a", now=1.0)
    assert Freshness(fresh.state(reading), boot="a", now=reading).age(reading) == fresh.age(reading)
