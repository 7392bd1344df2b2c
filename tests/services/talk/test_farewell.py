"""Claims about the farewell."""

from __future__ import annotations

import pytest

from lanline.services.talk.farewell import is_farewell, is_farewell_message, is_typed_farewell


@pytest.mark.parametrize("line", ["q", "Q"])
def test_q_alone_is_the_farewell_with_any_line_end(line: str) -> None:
    assert is_farewell(line)
    assert all(is_farewell_message((line + end).encode()) for end in ("", "\n", "\r\n"))


@pytest.mark.parametrize("line", ["", "qq", " q", "q ", "quit", "ｑ", "q\x00"])
def test_anything_else_is_not(line: str) -> None:
    assert not is_farewell(line)
    assert not is_farewell_message(line.encode())


def test_a_typed_line_may_come_from_a_file_with_cr_lf() -> None:
    assert is_typed_farewell(b"q") and is_typed_farewell(b"Q\r")
    assert not is_typed_farewell(b"q\r\r") and not is_typed_farewell(b"")


def test_two_line_ends_make_two_lines() -> None:
    assert not is_farewell_message(b"q\n\n")
