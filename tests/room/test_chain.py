"""The audit's lines hold each other; a changed byte is named, a torn end is told apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import StateUnsafe
from lanline.room.chain import (
    SEGMENT,
    ZERO_HASH,
    Ending,
    encode_line,
    line_hash,
    read_segment,
    records,
    segment_paths,
    verify,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(), lambda inner: st.lists(inner, max_size=3)
)


def _lines(count: int, prev: str = ZERO_HASH) -> list[bytes]:
    lines = []
    for number in range(count):
        line, prev = encode_line({"n": number, "what": "x", "details": {"text": "y" * number}}, prev)
        lines.append(line)
    return lines


def _write(folder: Path, number: int, lines: list[bytes]) -> Path:
    path = folder / f"{number:08d}.jsonl"
    path.write_bytes(b"".join(lines))
    path.chmod(0o600)
    return path


def _segment(folder: Path, number: int, prev: str, records: int = 2, **details: int) -> str:
    """Writes a segment with its opening and some records; returns its last hash."""
    opening: dict[str, Any] = {"segment": number, "good_bytes": 0, "bad_bytes": 0} | details
    line, prev = encode_line({"n": 0, "what": SEGMENT, "details": opening}, prev)
    lines = [line]
    for index in range(records):
        line, prev = encode_line({"n": index + 1, "what": "x"}, prev)
        lines.append(line)
    _write(folder, number, lines)
    return prev


@given(st.dictionaries(st.text(), JSON_VALUES, max_size=4))
def test_every_record_is_one_line_of_harmless_ascii(details: dict[str, Any]) -> None:
    line, digest = encode_line({"n": 1, "details": details}, ZERO_HASH)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert all(0x20 <= byte < 0x7F for byte in line[:-1])
    assert json.loads(line)["details"] == details
    assert line_hash(line[:-1], ZERO_HASH) == digest


@pytest.mark.parametrize("text", ["\x1b[2J", "\x7f", "\x9b31m", "\u202e", "\ud800", 'a","hash":"', "\n", "\u2028"])
def test_hostile_text_lies_as_escapes(text: str) -> None:
    line, _ = encode_line({"details": text}, ZERO_HASH)
    assert json.loads(line)["details"] == text
    assert line_hash(line[:-1], ZERO_HASH)


def test_each_line_holds_the_hash_of_the_one_before() -> None:
    lines = _lines(3)
    parsed = [json.loads(line) for line in lines]
    assert [one["prev"] for one in parsed] == [ZERO_HASH, parsed[0]["hash"], parsed[1]["hash"]]
    assert line_hash(lines[1][:-1], ZERO_HASH) == ""
    assert line_hash(lines[1][:-1], None) == parsed[1]["hash"]


def test_a_segment_is_read_up_to_its_end() -> None:
    lines = _lines(3)
    segment = read_segment(b"".join(lines), ZERO_HASH)
    assert segment.ending is Ending.CLEAN
    assert [line + b"\n" for line in segment.lines] == lines
    assert segment.opening["n"] == 0


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_changed_line_ends_the_good_part_as_damage(at: int) -> None:
    lines = _lines(3)
    changed = lines.copy()
    changed[at] = changed[at].replace(b'"x"', b'"z"')
    segment = read_segment(b"".join(changed), ZERO_HASH)
    assert segment.ending is Ending.DAMAGED
    assert len(segment.lines) == at
    assert segment.good_bytes == sum(map(len, lines[:at]))
    assert segment.bad_bytes == sum(map(len, lines[at:]))


def test_a_line_taken_out_doubled_or_swapped_is_damage() -> None:
    one, two, three = _lines(3)
    for data in (one + three, one + one + two, one + three + two, two + three):
        assert read_segment(data, ZERO_HASH).ending is Ending.DAMAGED


def test_every_cut_of_the_last_line_is_torn() -> None:
    one, two = _lines(2)
    for length in range(1, len(two) - 1):
        segment = read_segment(one + two[:length], ZERO_HASH)
        assert segment.ending is Ending.TORN
        assert (segment.good_bytes, segment.bad_bytes) == (len(one), length)


def test_a_whole_line_without_its_newline_counts_and_is_marked() -> None:
    one, two = _lines(2)
    segment = read_segment(one + two[:-1], ZERO_HASH)
    assert segment.ending is Ending.CLEAN
    assert len(segment.lines) == 2
    assert not segment.has_newline


def test_a_whole_line_whose_newline_changed_counts() -> None:
    one, two = _lines(2)
    segment = read_segment(one + two[:-1] + b"\x0b", ZERO_HASH)
    assert segment.ending is Ending.TORN
    assert len(segment.lines) == 2
    assert (segment.good_bytes, segment.bad_bytes) == (len(one + two) - 1, 1)


@given(st.binary(max_size=300))
def test_garbage_is_never_a_line(data: bytes) -> None:
    segment = read_segment(data, ZERO_HASH)
    assert segment.lines == []
    assert segment.bad_bytes == len(data)


def test_an_empty_or_missing_folder_is_whole(tmp_path: Path) -> None:
    assert verify(tmp_path).is_whole
    assert verify(tmp_path / "none").is_whole


def test_segments_that_continue_each_other_are_whole(tmp_path: Path) -> None:
    first = _segment(tmp_path, 1, ZERO_HASH)
    size = (tmp_path / "00000001.jsonl").stat().st_size
    last = _segment(tmp_path, 2, first, good_bytes=size)
    report = verify(tmp_path)
    assert (report.segments, report.lines, report.last_hash, report.problem) == (2, 6, last, "")
    assert [one["what"] for one in records(tmp_path)] == [SEGMENT, "x", "x"] * 2


def test_the_first_bad_place_is_said_in_words(tmp_path: Path) -> None:
    _segment(tmp_path, 1, ZERO_HASH)
    path = tmp_path / "00000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"n":1', b'"n":9'))
    report = verify(tmp_path)
    assert not report.is_whole
    assert report.problem.startswith("segment 1, line 2 (byte ")


def test_lines_cut_off_before_a_later_segment_are_noticed(tmp_path: Path) -> None:
    first = _segment(tmp_path, 1, ZERO_HASH)
    path = tmp_path / "00000001.jsonl"
    data = path.read_bytes()
    _segment(tmp_path, 2, first, good_bytes=len(data))
    path.write_bytes(b"".join(data.splitlines(keepends=True)[:-1]))
    assert "00000002.jsonl, line 1" in verify(tmp_path).problem


def test_a_missing_segment_is_noticed_and_older_ones_taken_away_are_noted(tmp_path: Path) -> None:
    prev = ZERO_HASH
    size = 0
    for number in (1, 2, 3):
        prev = _segment(tmp_path, number, prev, good_bytes=size)
        size = (tmp_path / f"{number:08d}.jsonl").stat().st_size
    (tmp_path / "00000001.jsonl").unlink()
    report = verify(tmp_path)
    assert report.is_whole
    assert "begins with 00000002.jsonl" in report.notes[0]
    _segment(tmp_path, 1, ZERO_HASH)
    (tmp_path / "00000002.jsonl").unlink()
    assert not verify(tmp_path).is_whole


def test_a_torn_end_is_a_note_also_with_a_segment_behind_it(tmp_path: Path) -> None:
    first = _segment(tmp_path, 1, ZERO_HASH)
    path = tmp_path / "00000001.jsonl"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + b'{"n":3,"wh')
    assert verify(tmp_path).notes == ["segment 1 ends in a torn line of 10 bytes, never acknowledged"]
    _segment(tmp_path, 2, first, good_bytes=size, bad_bytes=10)
    report = verify(tmp_path)
    assert report.is_whole
    assert report.lines == 6
    assert len(report.notes) == 1


def test_a_torn_end_that_the_next_segment_does_not_declare_is_damage(tmp_path: Path) -> None:
    first = _segment(tmp_path, 1, ZERO_HASH)
    path = tmp_path / "00000001.jsonl"
    size = path.stat().st_size
    _segment(tmp_path, 2, first, good_bytes=size)
    path.write_bytes(path.read_bytes() + b'{"n":3,"wh')
    assert "segment 1, line 4" in verify(tmp_path).problem


def test_declared_damage_stays_visible_and_what_follows_is_still_checked(tmp_path: Path) -> None:
    first = _segment(tmp_path, 1, ZERO_HASH)
    path = tmp_path / "00000001.jsonl"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + b"nonsense\n")
    _segment(tmp_path, 2, first, good_bytes=size, bad_bytes=9)
    report = verify(tmp_path)
    assert "segment 1, line 4" in report.problem
    assert report.lines == 6


@pytest.mark.parametrize("content", [b"", b'{"n":'])
def test_a_segment_begun_and_not_written_is_a_note(tmp_path: Path, content: bytes) -> None:
    _segment(tmp_path, 1, ZERO_HASH)
    _write(tmp_path, 2, [content])
    report = verify(tmp_path)
    assert report.is_whole
    assert "begun and not written" in report.notes[0]


def test_a_segment_without_its_opening_is_damage(tmp_path: Path) -> None:
    _write(tmp_path, 1, _lines(2))
    assert "does not open a segment" in verify(tmp_path).problem
    _write(tmp_path, 1, [b"nonsense\n"])
    assert "does not continue" in verify(tmp_path).problem


def test_a_segment_that_others_can_write_is_refused(tmp_path: Path) -> None:
    _segment(tmp_path, 1, ZERO_HASH)
    segment_paths(tmp_path)[0].chmod(0o666)
    with pytest.raises(StateUnsafe):
        verify(tmp_path)


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "copy.jsonl").write_text("x")
    assert segment_paths(tmp_path) == []
