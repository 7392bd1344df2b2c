"""File names in Content-Disposition: exact, and never more than a name."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.services.share.answers.disposition import disposition_of


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a.txt", 'attachment; filename="a.txt"'),
        ("a b (1).txt", 'attachment; filename="a b (1).txt"'),
        ("报告.pdf", "attachment; filename=\"__.pdf\"; filename*=UTF-8''%E6%8A%A5%E5%91%8A.pdf"),
        ('a"b', "attachment; filename=\"a_b\"; filename*=UTF-8''a%22b"),
        ("a%41", "attachment; filename=\"a_41\"; filename*=UTF-8''a%2541"),
        ("a\r\nSet-Cookie: x", "attachment; filename=\"a__Set-Cookie_ x\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x"),
        ("\udcff", "attachment; filename=\"_\"; filename*=UTF-8''%EF%BF%BD"),
    ],
)
def test_names_are_written_in_both_forms_where_one_would_not_do(name: str, value: str) -> None:
    assert disposition_of(name, is_attachment=True) == value


def test_what_is_shown_has_its_name_too() -> None:
    assert disposition_of("a", is_attachment=False) == 'inline; filename="a"'


@given(st.text(min_size=1, max_size=60))
def test_a_name_never_leaves_its_field_and_is_read_back(name: str) -> None:
    value = disposition_of(name, is_attachment=True)
    match = re.fullmatch(r"attachment; filename=\"([ -!#-\[\]-~]*)\"(?:; filename\*=UTF-8''([!-~]+))?", value)
    assert match is not None
    plain, exact = match.groups()
    assert (plain if exact is None else unquote(exact)) == name
