"""The journal of an upload: read back as written, cut anywhere, and void where a byte of it changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.services.share.uploads.journal import Journal, Mark, Plan, line_of, read_journal

_PLAN = Plan(".lanline-part-00", "日本 %\t\n.iso", may_replace=True, algorithm="sha-256", digest="00ff")


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


_MARKS = [Mark(0, 5, _sha(b"hello")), Mark(0, 8, _sha(b"hello wo")), Mark(8, 11, _sha(b"rld"))]


def _written(*records: Plan | Mark | int) -> bytes:
    data, check = b"", ""
    for record in records:
        line, check = line_of(record, check)
        data += line
    return data


_WHOLE = _written(_PLAN, _MARKS[0], 11, *_MARKS[1:])


def test_what_was_written_is_read_back() -> None:
    journal = read_journal(_WHOLE)
    assert journal is not None
    assert (journal.plan, journal.marks, journal.length) == (_PLAN, _MARKS, 11)
    assert (journal.offset, journal.size) == (11, len(_WHOLE))


def test_it_can_be_continued_from_its_last_check() -> None:
    journal = read_journal(_written(_PLAN, _MARKS[0]))
    assert journal is not None
    line, _ = line_of(_MARKS[1], journal.check)
    again = read_journal(_written(_PLAN, _MARKS[0]) + line)
    assert again is not None
    assert again.offset == 8


def test_a_journal_without_marks_vouches_for_nothing() -> None:
    assert read_journal(_written(_PLAN)) == Journal(_PLAN, size=len(_written(_PLAN)), check=line_of(_PLAN, "")[1])


def test_a_last_line_that_was_never_finished_is_left_out() -> None:
    starts = {len(_written(_PLAN)): 0, len(_written(_PLAN, _MARKS[0])): 5, len(_WHOLE): 11}
    for cut in range(len(_written(_PLAN)), len(_WHOLE) + 1):
        journal = read_journal(_WHOLE[:cut])
        assert journal is not None
        assert journal.size == _WHOLE[:cut].rfind(b"\n") + 1
        assert journal.offset == starts.get(cut, journal.offset)
    assert read_journal(_written(_PLAN)[:-1]) is None


@given(st.integers(0, len(_WHOLE) - 1), st.integers(1, 255))
def test_a_changed_byte_makes_it_void_or_only_shorter(position: int, change: int) -> None:
    data = bytearray(_WHOLE)
    data[position] ^= change
    journal = read_journal(bytes(data))
    # A line end that changed in the last line makes that line an unfinished one.
    assert journal is None or (position == len(_WHOLE) - 1 and journal.marks == _MARKS[:-1])


def test_lines_that_were_lost_or_moved_make_it_void() -> None:
    lines = _WHOLE.splitlines(keepends=True)
    assert read_journal(b"".join([lines[0], *lines[2:]])) is None
    assert read_journal(b"".join([lines[0], lines[2], lines[1], *lines[3:]])) is None
    assert read_journal(b"".join(lines[1:])) is None


def test_a_part_that_is_no_unfinished_file_makes_it_void() -> None:
    assert read_journal(_written(replace(_PLAN, part="notes.txt"))) is None


def test_marks_with_a_gap_or_going_back_make_it_void() -> None:
    for marks in ([Mark(1, 5, "")], [Mark(0, 5, ""), Mark(4, 8, "")], [Mark(0, 5, ""), Mark(0, 4, "")]):
        assert read_journal(_written(_PLAN, *marks)) is None
    assert read_journal(_written(_PLAN, 5, 6)) is None


def _sealed(texts: list[str]) -> bytes:
    """A journal of these lines as somebody would write it who knows how the checks are made."""
    data, check = b"", ""
    for text in texts:
        check = hashlib.blake2b(f"{check}\t{text}".encode(), digest_size=8).hexdigest()
        data += f"{text}\t{check}\n".encode()
    return data


def _is_sound(journal: Journal) -> bool:
    plan, counts = (
        journal.plan,
        [journal.offset, *(count for mark in journal.marks for count in (mark.start, mark.end))],
    )
    texts = [plan.part, plan.name, plan.digest, plan.replaced_tag or "", *(mark.sha256 for mark in journal.marks)]
    return (
        all(type(count) is int and count >= 0 for count in [*counts, journal.length or 0])
        and all(type(text) is str and text.encode() is not None for text in texts)
        and plan.algorithm in (None, "sha-256", "sha-512")
        and {type(plan.may_replace), type(plan.may_rename)} == {bool}
    )


_TEXTS = [line.rpartition("\t")[0] for line in _WHOLE.decode().splitlines()]


@given(st.integers(0, len(_TEXTS) - 1), st.data(), st.integers(1, 127))
def test_a_changed_byte_under_a_right_check_is_void_or_still_a_journal(
    line: int, data: st.DataObject, change: int
) -> None:
    text = bytearray(_TEXTS[line].encode())
    text[data.draw(st.integers(0, len(text) - 1))] ^= change
    journal = read_journal(_sealed([*_TEXTS[:line], text.decode("utf-8", "replace"), *_TEXTS[line + 1 :]]))
    assert journal is None or _is_sound(journal)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_PLACES = [(line, key) for line, text in enumerate(_TEXTS) for key in json.loads(text)]


@given(st.sampled_from(_PLACES), _JSON)
def test_another_value_under_a_right_check_is_void_or_still_a_journal(place: tuple[int, str], value: object) -> None:
    line, key = place
    texts = [*_TEXTS]
    texts[line] = json.dumps({**json.loads(texts[line]), key: value})
    journal = read_journal(_sealed(texts))
    assert journal is None or _is_sound(journal)


@pytest.mark.parametrize("text", ["", "x", "[]", "5", "{}", "[" * 100_000, '{"length":' + "9" * 5000 + "}"])
def test_a_line_that_is_none_is_void_whatever_its_check(text: str) -> None:
    assert read_journal(_sealed(_TEXTS)) == read_journal(_WHOLE)
    assert read_journal(_sealed([*_TEXTS, text])) is None
    assert read_journal(_sealed([text, *_TEXTS])) is None


@given(st.binary(max_size=200))
def test_garbage_is_void(data: bytes) -> None:
    assert read_journal(data) is None
