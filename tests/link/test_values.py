"""Values on the wire: one encoder, one decoder per type, and which values travel as they are."""

from __future__ import annotations

from typing import Any

import pytest

from lanline.link.values import decoder, encode, is_raw


def test_a_decoder_is_made_once_per_type() -> None:
    assert decoder(list[int]) is decoder(list[int])
    assert decoder(int) is not decoder(str)


def test_what_is_encoded_can_be_decoded() -> None:
    for value in (None, True, -5, 2.5, "text", b"bytes", [1, [2]], {"a": {"b": 1}}):
        assert decoder(Any)(encode(value)) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"", True), (bytearray(b"x"), True), (memoryview(b"x"), True), ("x", False), (None, False), ([b"x"], False)],
)
def test_only_bytes_travel_as_they_are(value: object, *, expected: bool) -> None:
    assert is_raw(value) is expected
