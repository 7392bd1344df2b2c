"""Formats against strftime(3) in the locale C, and what is refused."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.services.clock.formats import (
    DIRECTIVES,
    MAX_ANSWER_BYTES,
    MAX_QUESTION_BYTES,
    MICROSECONDS,
    NoDirective,
    NotAFormat,
    Second,
    fill_in,
    template,
    utc,
)

NS = 1_000_000_000
MOMENT_NS = 1_795_161_925_519_012_345  # 2026-11-20 08:05:25.519012345 UTC, a Friday


def _answer(question: bytes, now_ns: int = MOMENT_NS) -> str:
    return fill_in(template(question, Second(utc(now_ns // NS), now_ns // NS)), now_ns).decode()


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (b"", "2026-11-20 08:05:25"),
        (b"\n", "2026-11-20 08:05:25\n"),
        (b"%Y/%m/%d %H:%M:%S", "2026/11/20 08:05:25"),
        (b"time is %H:%M", "time is 08:05"),
        (b"%H\r\n", "08\r\n"),
        ("今天是%Y年%m月%d日".encode(), "今天是2026年11月20日"),
        (b"%S.%f", "25.519012"),
        (b"100%%, %p", "100%, AM"),
        (b"%c|%x|%X|%r", "Fri Nov 20 08:05:25 2026|11/20/26|08:05:25|08:05:25 AM"),
        (b"%z %Z %s", "+0000 UTC 1795161925"),
    ],
)
def test_a_question_is_answered(question: bytes, answer: str) -> None:
    assert _answer(question) == answer


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (b"%H\0", "a control character in it"),
        (b"%H\x1b[2J", "a control character in it"),
        (b"%H \xff", "not UTF-8 text"),
        (b"%1535d", "unknown directive"),
        (b"%-d", "unknown directive"),
        (b"%Ey", "unknown directive"),
        (b"%", "unknown directive"),
        (b"%H%", "unknown directive"),
        (b"%\n", "unknown directive"),
        (b"%c" * 32_768, "over 128 bytes"),
        (b"%c" * 64, "answer over 256 bytes"),
        (b"hello", "no directive in it"),
    ],
)
def test_what_is_no_question_is_refused_with_the_reason(question: bytes, reason: str) -> None:
    with pytest.raises(NotAFormat, match=f"^{reason}$"):
        _answer(question)


def test_neither_an_answer_nor_a_reason_is_a_question() -> None:
    # Else a datagram with a forged sender address would set two servers on each other for ever.
    for question in (b"", b"%c", b"%H:%M", b"100%% at %H"):
        text = _answer(question).encode()
        rounds = 0
        while b"%" in text:
            try:
                text = _answer(text).encode()
            except NotAFormat as error:
                text = f"? {error}".encode()
            rounds += 1
        assert rounds < 2
        with pytest.raises(NoDirective):
            _answer(text)


def test_the_longest_question_is_answered_and_one_byte_more_is_not() -> None:
    longest = b"x" * (MAX_QUESTION_BYTES - 2) + b"%H"
    assert _answer(longest).endswith("08")
    with pytest.raises(NotAFormat):
        _answer(b"x" + longest)


@given(st.integers(0, 4_102_444_800 * 2))
def test_every_directive_is_as_in_the_c_library(second: int) -> None:
    moment = time.gmtime(second)
    for letter in DIRECTIVES:
        # %f is not of strftime; %s takes the broken-down time for a local one; %Z is GMT there.
        if letter not in "fsZ":
            assert _answer(f"%{letter}".encode(), second * NS) == time.strftime(f"%{letter}", moment), letter


@pytest.mark.parametrize("zone", ["CST-8", "NST3:30NDT,M3.2.0,M11.1.0", "<-00>5:59:59"])
def test_zones_are_shown_as_the_c_library_shows_them(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        moment = time.localtime(MOMENT_NS // NS)
        answer = template(b"%F %T %z %Z", Second(moment, MOMENT_NS // NS)).decode()
        expected = time.strftime("%Y-%m-%d %H:%M:%S %z %Z", moment)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert answer == expected


@given(st.binary(max_size=MAX_QUESTION_BYTES * 2) | st.text("%aYZfscx 时\n", max_size=200).map(str.encode))
def test_any_bytes_give_a_short_answer_or_a_short_reason(question: bytes) -> None:
    try:
        assert len(fill_in(template(question, Second(utc(0), 0)), 0)) <= MAX_ANSWER_BYTES
    except NotAFormat as error:
        assert len(str(error)) <= 40
        assert "%" not in str(error)


def test_a_template_is_good_for_its_second_and_filled_in_for_each_moment() -> None:
    made = template(b"%f%%f %S.%f", Second(utc(MOMENT_NS // NS), 0))
    assert fill_in(made, MOMENT_NS) == b"519012%f 25.519012"
    assert fill_in(made, MOMENT_NS // NS * NS) == b"000000%f 25.000000"
    assert MICROSECONDS not in template(b"%%f", Second(utc(0), 0))


def test_microseconds_count_towards_the_length_of_an_answer() -> None:
    assert len(_answer(b"%f" * 42)) == 252
    with pytest.raises(NotAFormat, match="answer over 256 bytes"):
        _answer(b"%f" * 43)
