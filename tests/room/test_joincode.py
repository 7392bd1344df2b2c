"""The code that is read aloud and typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import UsageError
from lanline.room.joincode import ALPHABET, JoinCode, is_slot

CODE = JoinCode("K7", "QM4T9XWB")
CODES = st.builds(JoinCode, st.text(ALPHABET, min_size=2, max_size=2), st.text(ALPHABET, min_size=8, max_size=8))


@pytest.mark.parametrize(
    "typed",
    [
        "K7-QM4T-9XWB",
        "k7qm4t9xwb",
        "  K7 QM4T 9XWB \n",
        "k7_qm4t.9xwb",
        "K7\u2013QM4T\u20149XWB",
        "Ｋ７－ＱＭ４Ｔ－９ＸＷＢ",
        "K-7-Q-M-4-T-9-X-W-B",
    ],
)
def test_a_code_may_be_typed_in_many_ways(typed: str) -> None:
    assert JoinCode.parse(typed) == CODE


def test_letters_that_look_like_digits_are_read_as_digits() -> None:
    assert JoinCode.parse("oO-iIlL-0011") == JoinCode("00", "11110011")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "0 characters, expected 10"),
        ("K7-QM4T-9XW", "9 characters"),
        ("K7-QM4T-9XWBB", "11 characters"),
        ("UU-QM4T-9XWB", "no code holds 'U'"),
        ("K7-QM4T-9XW!", "no code holds '!'"),
        ("K7-QM4T-9XWÄ", "no code holds 'Ä'"),
        ("K7-QM4T-9XW\x1b", r"no code holds '\\x1b'"),
        ("x" * 10_000, "characters, expected 10"),
    ],
)
def test_a_wrong_code_is_explained_without_repeating_it(typed: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        JoinCode.parse(typed)
    assert "QM4T" not in str(refused.value)
    assert "K7-QM4T-9XWB" in refused.value.advice


@given(CODES)
def test_every_code_survives_being_shown_and_typed(code: JoinCode) -> None:
    assert JoinCode.parse(code.text) == JoinCode.parse(code.text.lower()) == code


@given(st.text(max_size=30))
def test_any_text_is_a_code_or_a_usage_error(text: str) -> None:
    try:
        code = JoinCode.parse(text)
    except UsageError:
        return
    assert is_slot(code.slot)
    assert len(code.secret) == 8


def test_a_code_shows_its_slot_and_never_its_secret() -> None:
    assert str(CODE) == "K7-****-****"
    assert "QM4T" not in repr(CODE)
    assert CODE.text == "K7-QM4T-9XWB"


def test_new_codes_differ_and_avoid_taken_slots() -> None:
    made = {JoinCode.new().text for _ in range(100)}
    assert len(made) == 100
    taken = {a + b for a in ALPHABET for b in ALPHABET} - {"7Z"}
    assert JoinCode.new(taken=taken).slot == "7Z"


def test_the_password_binds_the_slot() -> None:
    assert CODE.password != JoinCode("K8", CODE.secret).password


@pytest.mark.parametrize(("text", "holds"), [("K7", True), ("k7", False), ("U7", False), ("K", False), ("", False)])
def test_a_slot_has_its_form(text: str, holds: bool) -> None:
    assert is_slot(text) == holds
