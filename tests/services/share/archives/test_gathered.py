"""Blocks of what was written: in order, and counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lanline.services.share.archives.gathered import BLOCK_BYTES, Gathered


@given(st.lists(st.tuples(st.binary(max_size=20), st.booleans())))
def test_what_was_written_comes_out_once_and_in_order(steps: list[tuple[bytes, bool]]) -> None:
    sink, out = Gathered(), b""
    for data, takes in steps:
        sink.write(data)
        if takes:
            out += sink.take()
    out += sink.take()
    assert out == b"".join(data for data, _ in steps)
    assert sink.total_bytes == len(out)
    assert sink.take() == b""


def test_a_block_is_full_at_its_size() -> None:
    sink, seen = Gathered(), []
    for size in (BLOCK_BYTES - 1, 1):
        sink.write(bytes(size))
        seen.append(sink.is_full)
    sink.take()
    assert [*seen, sink.is_full] == [False, True, False]


def test_a_single_large_piece_is_not_copied() -> None:
    sink, piece = Gathered(), bytes(BLOCK_BYTES)
    sink.write(piece)
    assert sink.take() is piece


def test_bytes_that_went_past_count_for_offsets() -> None:
    sink = Gathered()
    sink.write(b"abc")
    sink.take()
    sink.skip(1000)
    assert sink.total_bytes == 1003
