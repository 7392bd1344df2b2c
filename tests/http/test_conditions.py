"""Entity tags, dates and the order of conditions, against RFC 9110."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from lanline.http.conditions import etag_of, http_date, judge, range_holds, seconds_of, tags_in

TAG = '"a-b-c"'
MODIFIED = 784111777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"


def judged(headers: Mapping[str, str], method: str = "GET") -> int:
    return judge(method, CIMultiDict(headers), TAG, MODIFIED)


@pytest.mark.parametrize(
    "text", [DATE, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"], ids=["imf", "rfc850", "asctime"]
)
def test_all_three_forms_of_a_date_are_read(text: str) -> None:
    assert seconds_of(text) == MODIFIED


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "yesterday",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nox 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "784111777",
    ],
)
def test_what_is_no_date_is_none(text: str | None) -> None:
    assert seconds_of(text) is None


def test_a_year_of_two_digits_is_at_most_fifty_years_ahead() -> None:
    assert seconds_of("Friday, 01-Jan-99 00:00:00 GMT") == 915148800


@given(st.integers(-62135596800, 253402300799))
def test_every_date_that_is_written_is_read_back(seconds: int) -> None:
    assert seconds_of(http_date(seconds)) == seconds


def test_a_date_is_written_as_rfc_9110_shows_it() -> None:
    assert http_date(MODIFIED) == DATE
    assert http_date(10**15) == "Fri, 31 Dec 9999 23:59:59 GMT"


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("*", None),
        (' "a" ', [(False, '"a"')]),
        ('"a", W/"b" ,, "c,d"', [(False, '"a"'), (True, '"b"'), (False, '"c,d"')]),
        ('""', [(False, '""')]),
        ("a", []),
        ('"a" "b"', []),
        ('w/"a"', []),
        ('"a', []),
        ("", []),
    ],
)
def test_lists_of_tags_are_read(text: str, tags: list[tuple[bool, str]] | None) -> None:
    assert tags_in(text) == tags


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"If-Match": TAG}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"x", ' + TAG}, 200),
        ({"If-Match": '"x"'}, 412),
        ({"If-Match": "W/" + TAG}, 412),
        ({"If-Match": "rubbish"}, 412),
        ({"If-Unmodified-Since": DATE}, 200),
        ({"If-Unmodified-Since": BEFORE}, 412),
        ({"If-Unmodified-Since": "rubbish"}, 200),
        ({"If-None-Match": TAG}, 304),
        ({"If-None-Match": "W/" + TAG}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"x"'}, 200),
        ({"If-None-Match": "rubbish"}, 200),
        ({"If-Modified-Since": DATE}, 304),
        ({"If-Modified-Since": AFTER}, 304),
        ({"If-Modified-Since": BEFORE}, 200),
        ({"If-Modified-Since": "rubbish"}, 200),
    ],
)
def test_each_condition_leads_where_it_should(headers: dict[str, str], status: int) -> None:
    assert judged(headers) == status
    assert judged(headers, "HEAD") == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": TAG, "If-Unmodified-Since": BEFORE}, 200),
        ({"If-Match": '"x"', "If-None-Match": TAG}, 412),
        ({"If-None-Match": '"x"', "If-Modified-Since": DATE}, 200),
        ({"If-None-Match": TAG, "If-Modified-Since": BEFORE}, 304),
        ({"If-Unmodified-Since": DATE, "If-None-Match": TAG}, 304),
        ({"If-Unmodified-Since": BEFORE, "If-None-Match": TAG}, 412),
    ],
)
def test_conditions_are_judged_in_the_order_of_the_rfc(headers: dict[str, str], status: int) -> None:
    assert judged(headers) == status


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_what_changes_something_is_refused_where_reading_is_not_modified(method: str) -> None:
    assert judged({"If-None-Match": TAG}, method) == 412
    assert judged({"If-None-Match": "*"}, method) == 412
    assert judged({"If-Modified-Since": DATE}, method) == 200


def test_a_list_in_several_lines_is_one_list() -> None:
    for name, own, other in (("If-Match", 200, 412), ("If-None-Match", 304, 200)):
        lines = [(name, '"x"'), (name, f'"y", {TAG}')]
        assert judge("GET", CIMultiDict(lines), TAG, MODIFIED) == own
        assert judge("GET", CIMultiDict(reversed(lines)), TAG, MODIFIED) == own
        assert judge("GET", CIMultiDict([(name, '"x"'), (name, '"y"')]), TAG, MODIFIED) == other


def test_where_nothing_is_there_only_a_condition_that_wants_nothing_holds() -> None:
    assert judge("PUT", CIMultiDict({"If-None-Match": "*"}), None, None) == 200
    assert judge("PUT", CIMultiDict({"If-Match": "*"}), None, None) == 412
    assert judge("PUT", CIMultiDict({"If-Match": TAG}), None, None) == 412


def test_an_if_range_holds_for_the_same_strong_tag_only() -> None:
    later = MODIFIED + 60
    assert range_holds(None, TAG, MODIFIED, now=later)
    assert range_holds(TAG, TAG, MODIFIED, now=later)
    assert not range_holds("W/" + TAG, TAG, MODIFIED, now=later)
    assert not range_holds('"x"', TAG, MODIFIED, now=later)


def test_an_if_range_date_holds_only_exactly_and_once_the_change_is_settled() -> None:
    later = MODIFIED + 60
    assert range_holds(DATE, TAG, MODIFIED, now=later)
    assert not range_holds(AFTER, TAG, MODIFIED, now=later)
    assert not range_holds(BEFORE, TAG, MODIFIED, now=later)
    assert not range_holds("rubbish", TAG, MODIFIED, now=later)
    assert not range_holds(DATE, TAG, MODIFIED, now=MODIFIED)


def test_the_tag_changes_with_content_time_and_replacement(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    os.utime(path, ns=(0, 1_000_000_001))
    first = etag_of(path.stat())
    os.utime(path, ns=(0, 1_000_000_002))
    touched = etag_of(path.stat())
    path.write_bytes(b"one!")
    os.utime(path, ns=(0, 1_000_000_002))
    longer = etag_of(path.stat())
    other = tmp_path / "b"
    other.write_bytes(b"two!")
    os.utime(other, ns=(0, 1_000_000_002))
    other.replace(path)
    assert len({first, touched, longer, etag_of(path.stat())}) == 4
    assert first.startswith('"') and tags_in(first) == [(False, first)]


@given(st.dictionaries(st.sampled_from(["If-Match", "If-None-Match", "If-Modified-Since"]), st.text(max_size=30)))
def test_no_condition_is_an_error(headers: dict[str, str]) -> None:
    assert judged(headers) in (200, 304, 412)
