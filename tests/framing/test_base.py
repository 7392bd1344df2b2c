"""Claims about what all decoders share: the kept pieces, and what counts as bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.framing.base import Pieces, as_bytes


@given(st.lists(st.binary(max_size=5), max_size=1000))
def test_pieces_come_back_joined_in_order_and_once(pieces: list[bytes]) -> None:
    kept = Pieces()
    for piece in pieces:
        kept.add(piece)
    whole = b"".join(pieces)
    assert kept.size == len(whole)
    assert kept.take() == whole
    assert (kept.size, kept.take()) == (0, b"")


def test_more_pieces_than_one_block_holds_come_back_whole() -> None:
    kept = Pieces()
    for number in range(1000):
        kept.add(b"%03d" % number)
    assert kept.take() == b"".join(b"%03d" % number for number in range(1000))


def test_bytes_are_taken_as_they_are_and_buffers_copied() -> None:
    data = b"hello"
    assert as_bytes(data) is data
    buffer = bytearray(data)
    for other in (buffer, memoryview(buffer)):
        copy = as_bytes(other)
        assert type(copy) is bytes
        assert copy == data
    buffer[0] = 0
    assert copy == data


@pytest.mark.parametrize("wrong", [5, None, [1, 2], 1.5])
def test_what_holds_no_bytes_is_a_type_error(wrong: object) -> None:
    with pytest.raises(TypeError):
        as_bytes(wrong)  # type: ignore[arg-type]
