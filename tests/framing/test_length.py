"""Claims about LengthPrefixed beyond those of every framing."""

from __future__ import annotations

import pytest

from lanline.errors import MessageTooLarge, UsageError
from lanline.framing.length import LengthPrefixed


@pytest.mark.parametrize(
    ("size", "wire"),
    [
        (1, b"\x05hello"),
        (2, b"\x00\x05hello"),
        (4, b"\x00\x00\x00\x05hello"),
        (8, b"\x00\x00\x00\x00\x00\x00\x00\x05hello"),
    ],
)
def test_the_bytes_on_the_wire(size: int, wire: bytes) -> None:
    framing = LengthPrefixed(size)
    assert framing.encode(b"hello") == wire
    assert framing.decoder().receive_data(wire) == [b"hello"]


def test_the_limit_is_checked_on_the_header_alone() -> None:
    decoder = LengthPrefixed(max_message_bytes=1000).decoder()
    assert decoder.receive_data(b"\x00\x00\x03") == []
    with pytest.raises(MessageTooLarge, match="message of 1001 bytes, limit 1000 bytes"):
        decoder.receive_data(b"\xe9")


def test_what_the_length_field_cannot_say_is_over_the_limit() -> None:
    framing = LengthPrefixed(size=1)
    assert framing.limit_bytes == 255
    assert framing.decoder().receive_data(framing.encode(b"x" * 255)) == [b"x" * 255]
    with pytest.raises(MessageTooLarge, match="256 bytes, limit 255 bytes"):
        framing.encode(b"x" * 256)


@pytest.mark.parametrize("size", [0, 3, 5, 16, -1])
def test_another_size_of_the_length_field_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match="1, 2, 4 or 8"):
        LengthPrefixed(size)


def test_a_large_message_in_many_chunks_comes_out_whole_with_what_follows_it() -> None:
    framing = LengthPrefixed()
    large = bytes(range(256)) * 4096
    stream = framing.encode(large) + framing.encode(b"next")
    decoder = framing.decoder()
    messages = []
    for offset in range(0, len(stream), 1448):
        messages += decoder.receive_data(stream[offset : offset + 1448])
    assert messages == [large, b"next"]
