"""Numbered names for files whose own is taken."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.beneath import check_name
from lanline.services.share.uploads.freenames import MOST, free_names


@pytest.mark.parametrize(
    ("name", "second"),
    [
        ("IMG_0001.jpg", "IMG_0001 (2).jpg"),
        ("backup.tar.gz", "backup (2).tar.gz"),
        (".tar.gz", ".tar (2).gz"),
        ("README", "README (2)"),
        (".profile", ".profile (2)"),
        ("a. very long sentence that ends in no kind", "a. very long sentence that ends in no kind (2)"),
        ("日本.txt", "日本 (2).txt"),
    ],
)
def test_the_number_stands_before_the_ending(name: str, second: str) -> None:
    assert list(islice(free_names(name), 3))[:2] == [name, second]


def test_a_long_name_is_cut_between_two_characters_to_make_room() -> None:
    name = "é" * 125 + ".jpg"
    second = list(islice(free_names(name), 2))[1]
    assert second == "é" * 123 + " (2).jpg"
    assert len(second.encode()) <= 255


def test_all_names_differ_and_end_somewhere() -> None:
    names = list(free_names("x"))
    assert len(set(names)) == len(names) == MOST


def _is_new(name: str) -> bool:
    try:
        check_name(name, is_new=True)
    except ValueError:
        return False
    except Exception as error:
        return type(error).__name__ != "NameRefused"
    return True


@given(st.text(min_size=1, max_size=255).filter(_is_new))
def test_what_may_be_a_name_may_be_one_with_a_number(name: str) -> None:
    for candidate in islice(free_names(name), 12):
        check_name(candidate, is_new=True)
        assert candidate
