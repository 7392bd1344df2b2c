"""Dates for people: of this machine's clock and zone, and never an exception over a clock that is off."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from lanline.room.civil import civil_date, civil_now


def test_now_is_seconds_since_1970() -> None:
    assert abs(civil_now() - datetime.now(UTC).timestamp()) < 5


def test_a_date_is_to_the_second() -> None:
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", civil_date(1_800_000_000.5))
    assert civil_date(0.0).startswith(("1970-01-01", "1969-12-31"))


@pytest.mark.parametrize("seconds", [1e18, -1e18, float("1e300")])
def test_a_moment_that_no_calendar_has_is_shown_as_its_number(seconds: float) -> None:
    assert civil_date(seconds).endswith("s after 1970")
