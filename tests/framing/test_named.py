"""Framings as people write them."""

from __future__ import annotations

import pytest

from lanline.errors import UsageError
from lanline.framing.length import LengthPrefixed
from lanline.framing.lines import Lines
from lanline.framing.named import framing_named
from lanline.framing.netstring import Netstring
from lanline.framing.raw import Raw


def test_each_name_stands_for_its_framing() -> None:
    assert framing_named("raw") == Raw()
    assert framing_named("lines") == Lines(strip_cr=True)
    assert framing_named("length") == LengthPrefixed()
    assert framing_named("netstring") == Netstring()


@pytest.mark.parametrize(
    ("text", "terminator"),
    [
        (r"lines:\r\n", b"\r\n"),
        ("lines:;", b";"),
        ("lines::", b":"),
        (r"lines:\0", b"\0"),
        (r"lines:\x1e", b"\x1e"),
        (r"lines:\\n", b"\\n"),
        ("lines:。", "。".encode()),
    ],
)
def test_a_terminator_is_written_with_the_usual_escapes(text: str, terminator: bytes) -> None:
    assert framing_named(text) == Lines(terminator)


@pytest.mark.parametrize(
    "text", ["", "line", "RAW", "raw:", "length:4", "lines:", r"lines:\q", r"lines:\x1", "lines:\\"]
)
def test_what_is_no_framing_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        framing_named(text)
    assert caught.value.advice
