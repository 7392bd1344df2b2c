"""Claims about the four roles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import UsageError
from lanline.roles import Role


def test_they_are_in_the_order_of_what_they_may_do() -> None:
    assert Role.GUEST < Role.MEMBER < Role.OPERATOR < Role.OWNER


def test_the_numbers_in_signed_rosters_are_these() -> None:
    assert [(role.word, int(role)) for role in Role] == [("guest", 1), ("member", 2), ("operator", 3), ("owner", 4)]


@pytest.mark.parametrize("role", Role)
def test_a_role_is_read_as_it_is_written(role: Role) -> None:
    assert Role.parse(role.word) is role
    assert Role.parse(f" {role.word.upper()} ") is role


@given(st.text())
def test_anything_else_is_refused_with_the_four_words(text: str) -> None:
    if text.strip().upper() in Role.__members__:
        assert Role.parse(text)
        return
    with pytest.raises(UsageError, match="the roles are guest, member, operator, owner"):
        Role.parse(text)
