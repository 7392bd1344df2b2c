"""Claims about names: what nobody may ask for, what nothing new may be called, and that nothing else is refused."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lanline.beneath.names import as_text, check_name, is_draft
from lanline.errors import NameRefused

NEVER = [
    "",
    ".",
    "..",
    "/",
    "a/b",
    "\\",
    "..\\x",
    "a\0b",
    "x" * 256,
    "é" * 128,
    "\U0001f600" * 64,
    os.fsdecode(b"\xc0\xae\xc0\xae"),  # .. in two bytes each
    os.fsdecode(b"\xc0\xaf"),  # / in two
    os.fsdecode(b"a\xe0\x80\xaf"),  # / in three
    os.fsdecode(b"\xf0\x80\x80\xaf"),  # / in four
    os.fsdecode(b"\xf8\x80\x80\x80\xaf"),
    os.fsdecode(b"\xc1\x9c"),  # backslash in two
    "\ud800",  # no surrogate of a byte
    ".lanline-part-0123",
    ".LANLINE-part-x",
]
NOT_NEW = [
    "a\nb",
    "\x1b[31m",
    "\x7f",
    "\x85",
    "a:b",
    "a<b",
    "a|b",
    "a?",
    "*",
    'a"b',
    "x.",
    "x ",
    "...",
    "CON",
    "con.txt",
    "Aux",
    "nul.tar.gz",
    "COM1",
    "lpt9.x",
    "COM²",
    "NUL ",
    "NUL .txt",
    "CONIN$",
    os.fsdecode(b"caf\xe9"),
]
ALWAYS = [
    "a",
    "...a",
    ".git",
    "-rf",
    "~",
    "a b",
    "ünïcödé",
    "照片",
    "x" * 255,
    "é" * 127,
    "\U0001f600" * 63,
    "CONSOLE",
    "COM",
    "COM10",
    "com.x",
    "nully",
    "%2e%2e",
    ".lanline",
    "%",
]


@pytest.mark.parametrize("name", NEVER)
def test_these_names_are_refused_for_everything(name: str) -> None:
    for is_new in (False, True):
        with pytest.raises(NameRefused, match="is refused"):
            check_name(name, is_new=is_new)


@pytest.mark.parametrize("name", NOT_NEW)
def test_these_names_can_be_read_and_not_given(name: str) -> None:
    check_name(name)
    with pytest.raises(NameRefused, match="is refused"):
        check_name(name, is_new=True)


@pytest.mark.parametrize("name", ALWAYS)
def test_these_names_are_as_good_as_any(name: str) -> None:
    check_name(name)
    check_name(name, is_new=True)
    assert not is_draft(name)


@given(some.text(some.characters(exclude_categories=[]), max_size=300))
def test_what_passes_is_one_name_that_a_file_system_can_hold(name: str) -> None:
    for is_new in (False, True):
        try:
            check_name(name, is_new=is_new)
        except NameRefused:
            continue
        data = os.fsencode(name)
        assert 0 < len(data) <= 255
        assert not {b"/", b"\\", b"\0"} & {data[i : i + 1] for i in range(len(data))}
        assert data not in (b".", b"..")
        if is_new:
            assert data.decode().isprintable() or not any(ord(letter) < 32 for letter in name)


@given(some.binary(min_size=1, max_size=40))
def test_no_bytes_that_decode_loosely_to_a_separator_pass(data: bytes) -> None:
    name = os.fsdecode(data)
    try:
        check_name(name)
    except NameRefused as error:
        assert "is refused" in str(error)
        return
    assert not set(_decoded_loosely(data)) & {ord("/"), ord("\\"), 0}


def _decoded_loosely(data: bytes) -> list[int]:
    """What a decoder makes of bytes that does not look whether a sequence is the shortest."""
    found, index = [], 0
    while index < len(data):
        first = data[index]
        count = 1 if 0xC0 <= first < 0xE0 else 2 if 0xE0 <= first < 0xF0 else 3 if 0xF0 <= first < 0xF8 else 0
        rest = data[index + 1 : index + 1 + count]
        if count and len(rest) == count and all(0x80 <= byte < 0xC0 for byte in rest):
            value = first & (0x3F >> count)
            for byte in rest:
                value = value << 6 | byte & 0x3F
            found.append(value)
            index += 1 + count
        else:
            found.append(first)
            index += 1
    return found


def test_a_path_for_people_is_joined_and_never_empty() -> None:
    assert as_text(("a", "b")) == "a/b"
    assert as_text(()) == "."
    assert as_text(("caf\udce9", "b")) == "caf\ufffd/b"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("..", '".."'),
        ("", '""'),
        ("\udcc0\udcaf", '"\ufffd\ufffd"'),
        ("it's\n", '"it\'s\\n"'),
        ("a\u202eb|", '"a\\u202eb|"'),
    ],
)
def test_a_refused_name_is_shown_as_people_write_it_and_harmless(name: str, shown: str) -> None:
    with pytest.raises(NameRefused) as refused:
        check_name(name, is_new=True)
    assert str(refused.value).startswith(f"the name {shown} is refused: ")
