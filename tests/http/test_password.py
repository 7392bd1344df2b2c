"""Claims about the password before a site: who passes, who is challenged, and how guessing is slowed down."""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import UsageError
from lanline.http.password import MAX_ADDRESSES, MEMORY, PasswordGuard, credentials_of
from lanline.http.refusal import Refusal

HERE = "192.168.1.9"
RIGHT = "open sesame"


def basic(password: str, user: str = "", encoding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode(encoding)).decode()


def refused(guard: PasswordGuard, field: str | None, address: str = HERE, now: float = 0.0) -> Refusal:
    with pytest.raises(Refusal) as caught:
        guard.check(field, address, now)
    return caught.value


def test_who_brings_no_password_is_asked_for_it_in_utf_8() -> None:
    refusal = refused(PasswordGuard(RIGHT), None)
    assert refusal.status == 401
    assert refusal.headers["WWW-Authenticate"] == 'Basic realm="lanline share", charset="UTF-8"'


def test_the_right_password_passes_with_any_name_and_the_name_is_given_back() -> None:
    assert PasswordGuard(RIGHT).check(basic(RIGHT, "anna"), HERE, 0.0) == "anna"
    assert PasswordGuard(RIGHT).check(basic(RIGHT), HERE, 0.0) == ""


def test_a_name_that_is_asked_for_has_to_be_right_as_well() -> None:
    guard = PasswordGuard(RIGHT, user="anna")
    assert guard.check(basic(RIGHT, "anna"), HERE, 0.0) == "anna"
    assert refused(guard, basic(RIGHT, "eve")).status == 401


def test_a_password_may_hold_colons_and_any_script_in_any_form_of_its_accents() -> None:
    guard = PasswordGuard("密码: é")
    assert guard.check(basic("密码: é", "x"), HERE, 0.0) == "x"
    assert guard.check(basic(unicodedata.normalize("NFD", "密码: é")), HERE, 0.0) == ""
    assert PasswordGuard("é").check(basic("é", encoding="iso-8859-1"), HERE, 0.0) == ""


@pytest.mark.parametrize("wrong", ["", "open", "open sesame ", "Open Sesame", "open sesam\u0435"])
def test_a_wrong_password_is_challenged_again(wrong: str) -> None:
    refusal = refused(PasswordGuard(RIGHT), basic(wrong))
    assert refusal.status == 401 and "WWW-Authenticate" in refusal.headers


@pytest.mark.parametrize(
    "field",
    ["", "Basic", "Basic !", "Basic " + base64.b64encode(b"nocolon").decode(), "Bearer x", "Basic " + "A" * 9000],
)
def test_what_is_no_password_is_challenged_and_is_no_guess(field: str) -> None:
    guard = PasswordGuard(RIGHT)
    assert {refused(guard, field).status for _ in range(50)} == {401}
    assert guard.wrong == 0


def test_after_five_wrong_ones_an_address_waits_and_then_has_one_try_each_five_seconds() -> None:
    guard = PasswordGuard(RIGHT)
    assert [refused(guard, basic(f"{n}")).status for n in range(6)] == [401] * 5 + [429]
    refusal = refused(guard, basic(RIGHT), now=2.5)
    assert (refusal.status, refusal.headers["Retry-After"]) == (429, "3")
    assert refused(guard, basic("x"), now=5.0).status == 401
    assert refused(guard, basic("x"), now=5.0).status == 429
    assert guard.check(basic(RIGHT), HERE, 10.0) == ""


def test_a_right_one_from_elsewhere_passes_whatever_others_guess() -> None:
    guard = PasswordGuard(RIGHT)
    guard.check(basic(RIGHT), "192.168.1.20", 0.0)
    for host in range(1, 200):
        for _ in range(8):
            refused(guard, basic("wrong"), f"10.0.0.{host}")
    assert guard.check(basic(RIGHT), "192.168.1.20", 0.0) == ""
    assert guard.check(basic(RIGHT), "192.168.1.21", 0.0) == "", "its first try"
    assert guard.check(basic(RIGHT), "fd00::7", 0.0) == "", "the first try of its network"


def test_the_right_one_is_never_counted_however_often_it_comes() -> None:
    guard = PasswordGuard(RIGHT)
    assert all(guard.check(basic(RIGHT, "anna"), HERE, 0.0) == "anna" for _ in range(1000))


def _wrong_that_were_judged(guard: PasswordGuard, addresses: Iterator[str], seconds: float, step: float) -> int:
    now = 0.0
    while now < seconds:
        assert refused(guard, basic("wrong"), next(addresses), now).status in (401, 429)
        now += step
    return guard.wrong


def test_over_all_addresses_two_a_second_are_judged_beside_the_first_of_each() -> None:
    def hosts() -> Iterator[str]:
        while True:
            yield from (f"10.0.0.{host}" for host in range(100))

    judged = _wrong_that_were_judged(PasswordGuard(RIGHT), hosts(), 60.0, 0.01)
    assert 110 <= judged <= 100 + 10 + 2 * 60 + 1


def test_addresses_of_one_ipv6_network_are_as_many_as_one_wants_and_help_nothing() -> None:
    def hosts() -> Iterator[str]:
        number = 0
        while True:
            number += 1
            yield f"fe80::{number:x}%eth0"

    judged = _wrong_that_were_judged(PasswordGuard(RIGHT), hosts(), 60.0, 0.01)
    assert judged <= 1 + 10 + 2 * 60 + 1


def test_what_is_remembered_is_bounded_and_who_comes_beyond_it_keeps_to_the_rate_of_all() -> None:
    guard = PasswordGuard(RIGHT)
    for number in range(2 * MAX_ADDRESSES):
        refused(guard, basic("wrong"), f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert guard.wrong == MAX_ADDRESSES
    assert f"addresses={MAX_ADDRESSES}" in repr(guard)
    assert guard.check(basic(RIGHT), "192.168.1.1", MEMORY + 1.0) == "", "an hour later all is forgotten"


def test_the_password_shows_nowhere() -> None:
    assert RIGHT not in repr(PasswordGuard(RIGHT)) and RIGHT not in str(vars(PasswordGuard(RIGHT)))


@pytest.mark.parametrize(("password", "user"), [("", None), ("a\nb", None), ("x", "a:b"), ("x", "a\x00")])
def test_what_the_scheme_cannot_carry_is_refused_at_once(password: str, user: str | None) -> None:
    with pytest.raises(UsageError, match="control character"):
        PasswordGuard(password, user=user)


@given(st.text(max_size=40), st.text(max_size=60).filter(lambda text: ":" not in text))
def test_whatever_is_encoded_is_decoded_the_same(password: str, user: str) -> None:
    assert credentials_of(basic(password, user)) == (user, password)


@given(st.text(max_size=200))
def test_any_field_gives_credentials_or_none(field: str) -> None:
    assert credentials_of(field) is None or isinstance(credentials_of(field), tuple)
    assert refused(PasswordGuard("a password nobody draws"), field).status == 401
