"""Events are plain values; the only one that computes is the answer to a ping."""

from __future__ import annotations

import pytest

from lanline.session import events


def test_a_round_trip_leaves_out_the_time_the_peer_took() -> None:
    ponged = events.Ponged(1_000_000_000, 55_000_000_000, 55_300_000_000, 1_500_000_000)
    assert ponged.round_trip == pytest.approx(0.2)


def test_a_lying_peer_cannot_make_a_round_trip_negative() -> None:
    assert events.Ponged(0, 0, 10**18, 5).round_trip == 0


def test_events_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        events.Ended(1, b"", False, True).over = False  # type: ignore[misc]  # that is what is tested
