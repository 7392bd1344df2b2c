"""Claims about lengths of time: what is read, what is refused, what people are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.durations import parse_duration, show_duration
from lanline.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("10m", 600), ("2h", 7200), ("7d", 604800), ("1h30m", 5400), ("1h 30m", 5400), ("1.5h", 5400)],
)
def test_each_form_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


def test_milliseconds_are_no_minutes() -> None:
    assert parse_duration("250ms") == 0.25


@pytest.mark.parametrize("text", ["", "10", "m", "10 minutes", "-5s", "1e3s", "5s!", "٣s", "10m5", "s10", "1..5s"])
def test_what_is_no_length_of_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="no length of time") as caught:
        parse_duration(text)
    assert "10m" in caught.value.advice


@pytest.mark.parametrize("text", ["0s", "0.0h", "4000d", "999999999999d"])
def test_nothing_and_too_much_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="out of range"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (0.25, "250 ms"),
        (45, "45 s"),
        (600, "10 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (86400 * 3 + 4 * 3600 + 59, "3 d 4 h"),
        (86400 + 60, "1 d"),
    ],
)
def test_two_units_are_shown_at_most(seconds: float, shown: str) -> None:
    assert show_duration(seconds) == shown


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert parse_duration(text) > 0
    except UsageError as error:
        assert str(error)
