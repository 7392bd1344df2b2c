"""Copies of one shout are told from shouts."""

from __future__ import annotations

from lanline.transport.udp.copies import WINDOW_S, Copies


def test_the_same_text_from_the_same_port_within_a_second_is_a_copy() -> None:
    copies = Copies()
    heard = [copies.is_copy(b"lunch", 4000, now) for now in (1.0, 1.001, 1.5, 1.999)]
    assert heard == [False, True, True, True]


def test_another_text_another_port_or_a_second_later_is_none() -> None:
    copies = Copies()
    assert not copies.is_copy(b"lunch", 4000, 1.0)
    assert not copies.is_copy(b"dinner", 4000, 1.0)
    assert not copies.is_copy(b"lunch", 4001, 1.0)
    assert not copies.is_copy(b"lunch", 4000, 1.0 + WINDOW_S)


def test_a_copy_does_not_make_the_second_longer() -> None:
    copies = Copies()
    heard = [copies.is_copy(b"tick", 4000, now) for now in (0.0, 0.9, 1.8, 2.7)]
    assert heard == [False, True, False, True]


def test_a_flood_does_not_fill_the_memory() -> None:
    copies = Copies()
    for number in range(10_000):
        assert not copies.is_copy(b"x", number, 1.0)
    assert len(copies._heard) <= 1024
    assert copies.is_copy(b"x", 9_999, 1.0)
