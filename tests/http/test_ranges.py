"""Range fields against RFC 9110, and that no byte is ever sent twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.http.ranges import FRAME_BYTES, MAX_RANGES, Span, spans_of, unsatisfied

SIZE = 10_000


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("bytes=0-499", [(0, 500)]),
        ("bytes=500-999", [(500, 500)]),
        ("bytes=-500", [(9500, 500)]),
        ("bytes=9500-", [(9500, 500)]),
        ("bytes=0-0,-1", [(0, 1), (9999, 1)]),
        ("bytes= 0-0, 4500-4599 ,, ", [(0, 1), (4500, 100)]),
        ("BYTES=1-1", [(1, 1)]),
        ("bytes=0-20000", [(0, SIZE)]),
        ("bytes=-20000", [(0, SIZE)]),
        ("bytes=0-99999999999999999999999999999999999999", [(0, SIZE)]),
        ("bytes=00000000000000000000000000000000000005-5", [(5, 1)]),
    ],
)
def test_what_is_asked_for_is_sent(text: str, spans: list[tuple[int, int]]) -> None:
    assert spans_of(text, SIZE) == tuple(Span(*span) for span in spans)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=5-4",
        "bytes=a-b",
        "bytes=1-2-3",
        "bytes=1-2,x",
        "bytes=+1-2",
        "bytes=1 -2",
        "bytes=\u0661-\u0662",
        "items=0-5",
        "bytes 0-5",
    ],
)
def test_what_is_no_set_of_byte_ranges_is_ignored(text: str) -> None:
    assert spans_of(text, SIZE) is None


@pytest.mark.parametrize("text", ["bytes=10000-", "bytes=10000-10001", "bytes=-0", "bytes=99999999999999999999-"])
def test_ranges_behind_the_end_are_unsatisfiable(text: str) -> None:
    assert spans_of(text, SIZE) == ()
    assert unsatisfied(SIZE) == "bytes */10000"


def test_of_several_ranges_those_behind_the_end_are_left_out() -> None:
    assert spans_of("bytes=0-9,20000-,500-509", SIZE) == (Span(0, 10), Span(500, 10))


def test_an_empty_file_has_no_satisfiable_range() -> None:
    assert spans_of("bytes=0-", 0) == ()
    assert spans_of("bytes=-5", 0) == ()


def test_parts_are_sent_in_the_order_they_were_asked_for() -> None:
    assert spans_of("bytes=9000-9009,0-9,5000-5009", SIZE) == (Span(9000, 10), Span(0, 10), Span(5000, 10))


def test_overlapping_and_neighbouring_ranges_become_one_where_the_first_was_asked_for() -> None:
    assert spans_of("bytes=500-599,5000-5009,550-700", SIZE) == (Span(500, 201), Span(5000, 10))
    assert spans_of("bytes=0-9,10-19", SIZE) == (Span(0, 20),)
    assert spans_of(f"bytes=0-9,{10 + FRAME_BYTES}-300", SIZE) == (Span(0, 301),)
    assert spans_of(f"bytes=0-9,{11 + FRAME_BYTES}-300", SIZE) == (Span(0, 10), Span(11 + FRAME_BYTES, 162))


def test_more_ranges_than_are_answered_get_the_whole_file() -> None:
    many = ",".join(f"{n * 300}-{n * 300}" for n in range(MAX_RANGES))
    spans = spans_of(f"bytes={many}", SIZE)
    assert spans is not None and len(spans) == MAX_RANGES
    assert spans_of(f"bytes={many},9999-", SIZE) is None


def test_a_span_says_where_it_is() -> None:
    assert Span(500, 500).content_range(SIZE) == "bytes 500-999/10000"


_RANGE = st.one_of(
    st.tuples(st.integers(0, 400), st.integers(0, 400)).map(lambda pair: f"{min(pair)}-{max(pair)}"),
    st.integers(0, 400).map(lambda n: f"-{n}"),
    st.integers(0, 400).map(lambda n: f"{n}-"),
)


@given(st.lists(_RANGE, min_size=1, max_size=MAX_RANGES), st.integers(0, 300))
def test_exactly_the_bytes_asked_for_and_the_gaps_are_sent_and_none_twice(ranges: list[str], size: int) -> None:
    spans = spans_of("bytes=" + ",".join(ranges), size)
    assert spans is not None
    sent = [place for span in spans for place in range(span.offset, span.end)]
    assert len(sent) == len(set(sent)) and all(0 <= place < size for place in sent)
    wanted: set[int] = set()
    for text in ranges:
        first, _, last = text.partition("-")
        if not first:
            wanted |= set(range(max(0, size - int(last)), size))
        else:
            wanted |= set(range(int(first), min(size, int(last) + 1 if last else size)))
    assert wanted <= set(sent)
    assert bool(wanted) is bool(sent)


@given(st.text(max_size=40))
def test_no_text_is_an_error(text: str) -> None:
    spans = spans_of(text, SIZE)
    assert spans is None or all(0 <= span.offset < span.end <= SIZE for span in spans)
    spans_of("bytes=" + text, SIZE)
