"""Structured fields: what parses, and that anything else counts as not sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.services.share.uploads.fields import (
    boolean_field,
    boolean_of,
    bytes_field,
    bytes_of,
    count_of,
    dictionary_of,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [("?1", True), ("?0", False), (" ?1 ", True), ("?1;a=1; b", True), ("1", None), ("?2", None), ("true", None)],
)
def test_a_boolean_is_a_question_mark_and_a_digit(text: str, value: bool | None) -> None:
    assert boolean_of([text]) is value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("25000000", 25_000_000),
        ("007", 7),
        ("999999999999999", 999_999_999_999_999),
        ("1000000000000000", None),
        ("-1", None),
        ("+1", None),
        ("1.0", None),
        ("1_0", None),
        ("٣", None),
        ("1, 1", None),
        ("", None),
        ('5;x="a;b"', 5),
    ],
)
def test_a_count_is_up_to_fifteen_digits(text: str, value: int | None) -> None:
    assert count_of([text]) == value


def test_an_item_that_was_sent_twice_or_not_at_all_counts_as_not_sent() -> None:
    assert boolean_of(["?1", "?1"]) is None
    assert boolean_of([]) is None
    assert count_of(["1", "1"]) is None


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("a=1, b=:aGk=:", {"a": "1", "b": ":aGk=:"}),
        ("a=1;q=2,b", {"a": "1", "b": "?1"}),
        ("a=1, a=2", {"a": "2"}),
        ("", {}),
        ("a=1,", None),
        ("a=1 b=2", None),
        ("A=1", None),
        ("a=(1 2)", None),
        (",a=1", None),
    ],
)
def test_a_dictionary_parses_as_a_whole_or_not_at_all(text: str, members: dict[str, str] | None) -> None:
    assert dictionary_of([text]) == members


def test_a_dictionary_may_come_in_several_lines() -> None:
    assert dictionary_of(["a=1", "b=2"]) == {"a": "1", "b": "2"}


@pytest.mark.parametrize("text", ["aGk=", ":aGk:", ":a:", ":====:", ":aG k=:"])
def test_what_is_no_base64_between_colons_is_no_sequence_of_bytes(text: str) -> None:
    assert bytes_of(text) is None


@given(st.binary())
def test_bytes_that_were_written_are_read_back(value: bytes) -> None:
    members = dictionary_of([bytes_field({"sha-256": value, "x": b""})])
    assert members is not None
    assert bytes_of(members["sha-256"]) == value


@given(st.booleans())
def test_a_boolean_that_was_written_is_read_back(value: bool) -> None:
    assert boolean_of([boolean_field(value)]) is value


@given(st.lists(st.text(), max_size=3))
def test_any_text_is_read_without_an_error(values: list[str]) -> None:
    assert boolean_of(values) in (True, False, None)
    assert count_of(values) is None or isinstance(count_of(values), int)
    members = dictionary_of(values)
    assert members is None or all(bytes_of(value) is None or value[0] == ":" for value in members.values())
