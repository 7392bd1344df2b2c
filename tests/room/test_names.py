"""Which names machines and rooms may have."""

from __future__ import annotations

import pytest
from ClusterShell.NodeSet import NodeSet
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import UsageError
from lanline.room.names import (
    MAX_NAME_CHARACTERS,
    RESERVED_NAMES,
    certificate_name,
    check_name,
    name_from_hostname,
)


@pytest.mark.parametrize(
    "name", ["pc7", "7", "a", "lab-3-left", "x" * 40, "0pc", "a--b", "all1", "hub", "me", "lanline"]
)
def test_a_label_of_letters_digits_and_hyphens_is_a_name(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "PC7", "-pc", "pc-", "x" * 41, "a.b", "a_b", "a b", "pc[1-4]", "a!b", "@all", "ä", "pc7\n", "\x1b[31m", "a/b"],
)
def test_anything_else_is_refused_with_the_rule(name: str) -> None:
    with pytest.raises(UsageError, match="1 to 40 of a-z"):
        check_name(name)


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_words_of_the_target_syntax_are_no_names(name: str) -> None:
    with pytest.raises(UsageError, match="means something else"):
        check_name(name)


def test_the_error_names_what_was_wrong() -> None:
    with pytest.raises(UsageError, match="room name"):
        check_name("X", what="room name")


@pytest.mark.parametrize(
    ("hostname", "name"),
    [
        ("Lab-PC_7.example.org", "lab-pc-7"),
        ("café", "cafe"),
        ("机房", "machine"),
        ("", "machine"),
        ("localhost", "machine"),
        ("---", "machine"),
        ("all", "pc-all"),
        ("x" * 60, "x" * 40),
        ("a" * 39 + "-b", "a" * 39),
    ],
)
def test_a_host_name_is_folded(hostname: str, name: str) -> None:
    assert name_from_hostname(hostname) == name


@given(st.text())
def test_every_host_name_gives_a_name(hostname: str) -> None:
    assert check_name(name_from_hostname(hostname))


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True))
def test_every_name_is_one_word_of_the_target_syntax(name: str) -> None:
    assert list(NodeSet(name)) == [name]
    assert len(name) <= MAX_NAME_CHARACTERS


def test_the_certificate_name_fits_into_dns() -> None:
    assert certificate_name("pc7", "lab") == "pc7.lab.lanline.internal"
    assert len(certificate_name("x" * 40, "y" * 40)) <= 253
