"""Buffers: few in all, lent for a moment, one of them where one is enough."""

from __future__ import annotations

from contextlib import ExitStack

from lanline.http.buffers import BUFFER_BYTES, MAX_BUFFERS, SMALL_BYTES, Buffers


def test_none_is_made_before_one_is_needed() -> None:
    buffers = Buffers()
    assert buffers.held_bytes == 0
    with buffers.lent() as buffer:
        assert len(buffer) == BUFFER_BYTES == buffers.held_bytes


def test_the_one_that_was_given_back_is_lent_again() -> None:
    buffers = Buffers()
    for _ in range(1000):
        with buffers.lent() as buffer:
            buffer[0] += buffer[0] == 0
    assert buffers.held_bytes == BUFFER_BYTES
    with buffers.lent() as buffer:
        assert buffer[0] == 1


def test_beyond_the_limit_small_ones_are_lent_and_not_kept() -> None:
    buffers = Buffers()
    for _ in range(2):
        with ExitStack() as stack:
            lent = [stack.enter_context(buffers.lent()) for _ in range(3 * MAX_BUFFERS)]
            assert [len(one) for one in lent] == MAX_BUFFERS * [BUFFER_BYTES] + 2 * MAX_BUFFERS * [SMALL_BYTES]
            assert len({id(one.obj) for one in lent}) == len(lent)
        assert buffers.held_bytes == MAX_BUFFERS * BUFFER_BYTES


def test_one_that_failed_in_the_middle_is_given_back() -> None:
    buffers = Buffers()
    for _ in range(2 * MAX_BUFFERS):
        try:
            with buffers.lent() as buffer:
                raise ConnectionResetError
        except ConnectionResetError:
            assert len(buffer) == BUFFER_BYTES
    assert repr(buffers) == "<Buffers 1 made, 1 free, at most 16>"
