"""Turns on a descriptor: one at a time, and the last one out closes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from threading import Lock

import pytest

from lanline.errors import LocalProtocolError
from lanline.link.blocking.turns import Turns


def test_nobody_inside_means_closed_at_once_and_once() -> None:
    closed: list[int] = []
    turns = Turns(lambda: closed.append(1))
    turns.finish()
    turns.finish()
    assert closed == [1]


@pytest.mark.parametrize("order", [*itertools.permutations(["receive", "send", "finish"])])
def test_whoever_leaves_last_closes(order: tuple[str, ...]) -> None:
    closed: list[str] = []
    turns = Turns(lambda: closed.append("closed"))
    turns.begin_receiving("channel")
    assert turns.begin_sending(None)
    leave = {"receive": turns.end_receiving, "send": turns.end_sending, "finish": turns.finish}
    for step in order:
        assert not closed
        leave[step]()
    assert closed == ["closed"]
    turns.begin_receiving("channel")
    turns.end_receiving()
    assert turns.begin_sending(0.0)
    turns.end_sending()
    assert closed == ["closed"]


def test_a_second_receiver_is_a_mistake_and_a_second_sender_waits_its_time() -> None:
    turns = Turns(lambda: None)
    turns.begin_receiving("channel")
    during = turns.is_receiving
    with pytest.raises(LocalProtocolError, match="two threads receive from one channel"):
        turns.begin_receiving("channel")
    turns.end_receiving()
    assert (during, turns.is_receiving) == (True, False)
    assert turns.begin_sending(0.0)
    assert not turns.begin_sending(0.0)
    assert not turns.begin_sending(-1.0)
    assert not turns.begin_sending(0.01)
    turns.end_sending()


class _LeftMeanwhile:
    """A lock whose owner gives it back in the moment after somebody has found it taken."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._lock = Lock()
        self._leave = leave
        self.locked, self.release = self._lock.locked, self._lock.release

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As a lock's."""
        is_taken = self._lock.acquire(blocking, timeout)
        if not is_taken:
            self._leave()
        return is_taken


def test_who_leaves_while_another_looks_whether_to_close_costs_no_descriptor() -> None:
    closed: list[str] = []
    turns = Turns(lambda: closed.append("closed"))
    turns._sending = _LeftMeanwhile(turns.end_sending)  # type: ignore[assignment]  # a lock but for the moment
    assert turns.begin_sending(None)
    turns.finish()
    assert closed == ["closed"]
