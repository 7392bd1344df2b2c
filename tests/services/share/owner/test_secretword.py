"""Claims about where the password of a share comes from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.ui.recording import Recording

from lanline.errors import StateUnsafe, UsageError
from lanline.services.share.owner.given import Given
from lanline.services.share.owner.order import Order
from lanline.services.share.owner.secretword import VARIABLE, password_for

GIVEN = Given("folder", "/x", "x")


def test_nobody_is_asked_where_none_is_wanted() -> None:
    console = Recording("unasked")
    assert password_for(Order("x"), console, GIVEN) is None
    assert console.asked == []


def test_it_is_typed_twice_unseen() -> None:
    console = Recording("öffne dich", "öffne dich")
    assert password_for(Order("x", asks_password=True), console, GIVEN) == "öffne dich"
    assert console.asked == ["Password for visitors", "The same again"]
    with pytest.raises(UsageError, match="differ"):
        password_for(Order("x", asks_password=True), Recording("a", "b"), GIVEN)
    with pytest.raises(UsageError, match="empty"):
        password_for(Order("x", asks_password=True), Recording(" ", " "), GIVEN)


def test_a_file_holds_it_if_nobody_else_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("open sesame\n")
    file.chmod(0o600)
    order = Order("x", password_file=str(file))
    assert password_for(order, Recording(), GIVEN) == "open sesame"
    file.chmod(0o644)
    with pytest.raises(StateUnsafe, match="others can read"):
        password_for(order, Recording(), GIVEN)


def test_the_variable_protects_as_soon_as_it_is_set_and_no_child_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "open sesame")
    assert password_for(Order("x"), Recording(), GIVEN) == "open sesame"
    assert VARIABLE not in os.environ
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(UsageError, match="empty"):
        password_for(Order("x"), Recording(), GIVEN)


def test_the_order_is_judged_before_anybody_is_asked() -> None:
    console = Recording("a", "a")
    with pytest.raises(UsageError, match="can read the password"):
        password_for(Order("x", asks_password=True, is_lan=True), console, GIVEN)
    assert console.asked == []


def test_standard_input_holds_one_thing() -> None:
    with pytest.raises(UsageError, match="both the password and what is shared"):
        password_for(Order("-", password_file="-"), Recording(), Given("input", "", "x"))
