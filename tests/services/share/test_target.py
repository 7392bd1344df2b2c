"""Targets are decoded once and nothing in them is mended."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import NameRefused
from lanline.http.refusal import Refusal
from lanline.services.share.target import Target, decoded, encoded, query_of, target_of, url_of


@pytest.mark.parametrize(
    ("raw", "target"),
    [
        ("/", Target(())),
        ("/a", Target(("a",), False)),
        ("/a/", Target(("a",), True)),
        ("/a/b%20c", Target(("a", "b c"), False)),
        ("/%E4%BD%A0", Target(("你",), False)),
        ("/%ff", Target(("\udcff",), False)),
        ("/\udcff%41é", Target(("\udcffAé",), False)),
        ("/a+b", Target(("a+b",), False)),
        ("/%2Ea", Target((".a",), False)),
        ("/a?zip", Target(("a",), False, "zip")),
        ("/?a?b", Target((), True, "a?b")),
        ("http://h:80/a?b", Target(("a",), False, "b", "h:80")),
        ("HTTP://h", Target((), True, "", "h")),
        ("http://h?b", Target((), True, "b", "h")),
        ("*", Target((), is_server=True)),
        ("host:443", Target((), is_server=True)),
    ],
)
def test_targets_are_read(raw: str, target: Target) -> None:
    assert target_of(raw) == target


@pytest.mark.parametrize(
    "raw",
    [
        "/..",
        "/a/..",
        "/../etc/passwd",
        "/%2e%2e/x",
        "/./a",
        "//evil.example/",
        "/a//b",
        "/a%2Fb",
        "/a%2fb",
        "/a\\b",
        "/a%5Cb",
        "/a%00",
        "/%c0%af",
        "/%e0%80%af",
        "/" + "a" * 256,
    ],
)
def test_names_that_no_file_has_are_refused(raw: str) -> None:
    with pytest.raises(NameRefused):
        target_of(raw)


def test_a_name_is_decoded_once() -> None:
    assert target_of("/%252e%252e").names == ("%2e%2e",)
    assert target_of("/a%252fb").names == ("a%2fb",)


@pytest.mark.parametrize("raw", ["", "a/b", "ftp://h/a", "/%", "/%4", "/%zz", "/a%"])
def test_what_is_no_target_is_a_bad_request(raw: str) -> None:
    with pytest.raises(Refusal) as refused:
        target_of(raw)
    assert refused.value.status == 400


def test_the_query_keeps_fields_without_value_and_bytes_that_are_no_utf_8() -> None:
    target = target_of("/?zip&name=a%20b&name=%ff&download=")
    assert target.fields() == [("zip", ""), ("name", "a b"), ("name", "\udcff"), ("download", "")]
    assert target.asks("zip") and target.asks("download") and not target.asks("tar")


@given(st.binary(min_size=1, max_size=80))
def test_every_name_survives_its_address(data: bytes) -> None:
    name = data.decode("utf-8", "surrogateescape")
    assert decoded(encoded(name)) == name
    assert encoded(name).isascii() and "/" not in encoded(name) and "?" not in encoded(name)


def test_an_address_begins_with_exactly_one_slash() -> None:
    assert url_of((), is_folder=True) == "/"
    assert url_of(("a b", "c"), is_folder=False) == "/a%20b/c"
    assert url_of(("evil.example",), is_folder=True) == "/evil.example/"


@given(st.text(max_size=60))
def test_no_text_is_an_unexpected_error(text: str) -> None:
    try:
        names = target_of("/" + text).names
    except (Refusal, NameRefused):
        return
    assert all(name not in ("", ".", "..") and "/" not in name and "\0" not in name for name in names)


@pytest.mark.parametrize(
    ("raw", "query"), [("/a", ""), ("/a?", ""), ("/a?b=%20&c", "?b=%20&c"), ("/a?é\udcff", "?%C3%A9%FF")]
)
def test_a_query_that_is_sent_back_is_ascii_and_encoded_no_second_time(raw: str, query: str) -> None:
    assert query_of(target_of(raw)) == query
