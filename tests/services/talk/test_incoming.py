"""Claims about bytes that become lines: line ends, pauses, farewells, bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.services.talk.incoming import MAX_LINE, SETTLE, FramedIncoming, RawIncoming
from lanline.services.talk.lineends import LineEnds


def raw() -> RawIncoming:
    return RawIncoming(LineEnds("auto"))


def test_lines_that_stuck_together_are_shown_one_by_one() -> None:
    assert raw().receive(b"one\ntwo\r\n\nthree\n", 0.0) == ["one", "two", "", "three"]


def test_a_line_in_two_pieces_is_one_line() -> None:
    incoming = raw()
    assert incoming.receive(b"hel", 0.0) == []
    assert incoming.receive(b"lo\n", 0.1) == ["hello"]
    assert incoming.deadline is None


def test_what_lacks_a_newline_is_a_message_after_a_moment() -> None:
    incoming = raw()
    incoming.receive(b"hello", 5.0)
    assert incoming.deadline == 5.0 + SETTLE
    assert incoming.tick(5.0 + SETTLE / 2) == []
    assert incoming.tick(5.0 + SETTLE) == ["hello"]
    assert incoming.deadline is None


def test_short_messages_of_a_partner_that_never_ends_lines_are_messages_at_once() -> None:
    incoming = raw()
    incoming.receive(b"hello", 0.0)
    assert incoming.tick(1.0) == ["hello"]
    assert incoming.receive(b"again", 2.0) == ["again"]
    assert incoming.receive(b"x" * 1460, 3.0) == []
    assert incoming.receive(b"y" * 100, 3.0) == ["x" * 1460 + "y" * 100]


def test_a_character_in_two_pieces_survives() -> None:
    incoming = raw()
    one, two = "你好".encode()[:4], "你好".encode()[4:]
    assert incoming.receive(one, 0.0) == []
    assert incoming.tick(SETTLE) == []
    assert incoming.receive(two + b"\n", 1.0) == ["你好"]


def test_half_a_character_is_shown_as_bad_bytes_in_the_end() -> None:
    incoming = raw()
    incoming.receive(b"a\xe4\xbd", 0.0)
    assert incoming.deadline is not None
    assert incoming.tick(incoming.deadline) == [r"a\xe4\xbd"]
    assert incoming.receive(b"b\n", 9.0) == ["b"]


def test_bad_bytes_and_escape_sequences_are_shown_and_harm_nothing() -> None:
    assert raw().receive(b"\xff\x1b[2J\x00ok\n", 0.0) == [r"\xff\x1b[2J\x00ok"]


@pytest.mark.parametrize("data", [b"q\n", b"Q\r\n", b"hello\nq\n", b"hello\nQ\r\n"])
def test_q_alone_in_the_last_line_is_the_farewell(data: bytes) -> None:
    incoming = raw()
    assert incoming.receive(data, 0.0) == (["hello"] if b"hello" in data else [])
    assert incoming.is_farewell


@pytest.mark.parametrize("data", [b"a\nq\nb\n", b"quit\n", b"q q\n", b"a\nq\n\xe4\xbd"])
def test_q_among_other_words_or_before_them_is_none(data: bytes) -> None:
    incoming = raw()
    incoming.receive(data, 0.0)
    assert not incoming.is_farewell


def test_q_without_a_newline_is_the_farewell_once_nothing_follows() -> None:
    incoming = raw()
    assert incoming.receive(b"q", 0.0) == []
    assert incoming.tick(SETTLE / 2) == []
    assert incoming.tick(SETTLE) == []
    assert incoming.is_farewell
    quick = raw()
    quick.receive(b"q", 0.0)
    assert quick.receive(b"uick\n", 0.1) == ["quick"]
    assert not quick.is_farewell


def test_a_read_that_is_q_alone_is_the_farewell_though_the_message_before_has_no_newline() -> None:
    incoming = raw()
    assert incoming.receive(b"hello", 0.0) == []
    assert incoming.receive(b"q", 0.01) == ["hello"]
    assert incoming.is_farewell


def test_q_at_the_end_of_the_stream_is_the_farewell() -> None:
    incoming = raw()
    incoming.receive(b"hello\nq", 0.0)
    assert incoming.finish() == []
    assert incoming.is_farewell


def test_the_end_shows_what_was_held_back() -> None:
    incoming = raw()
    incoming.receive(b"hello\nhalf \xe4", 0.0)
    assert incoming.finish() == [r"half \xe4"]


def test_a_line_that_does_not_end_is_shown_in_pieces_and_not_kept() -> None:
    incoming = raw()
    shown: list[str] = []
    for _ in range(40):
        shown += incoming.receive(b"x" * 10_000, 0.0)
    shown += incoming.receive(b"\n", 0.0)
    assert "".join(shown) == "x" * 400_000
    assert max(map(len, shown)) <= MAX_LINE + 10_000


@given(st.text(), st.lists(st.integers(1, 5), min_size=1))
def test_however_a_text_is_cut_its_lines_are_the_same(text: str, cuts: list[int]) -> None:
    data = (text + "\n.\n").encode("utf-8", "surrogatepass")
    whole = raw().receive(data, 0.0)
    incoming = raw()
    shown: list[str] = []
    at = turn = 0
    while at < len(data):
        piece = data[at : at + cuts[turn % len(cuts)]]
        # A read of q alone is a message of its own: the one place where the cut decides.
        if piece.strip() in (b"q", b"Q"):
            piece = data[at : at + len(piece) + 2]
        shown += incoming.receive(piece, 0.0)
        at, turn = at + len(piece), turn + 1
    assert shown == whole


def test_in_a_framing_each_message_is_whole() -> None:
    incoming = FramedIncoming(LineEnds("auto"))
    assert incoming.receive(b"hello", 0.0) == ["hello"]
    assert incoming.receive(b"two\nlines\n", 0.0) == ["two", "lines"]
    assert incoming.receive(b"", 0.0) == [""]
    assert incoming.receive(b"\xe4\xbd", 0.0) == [r"\xe4\xbd"]
    assert incoming.receive(b"Q\n", 0.0) == [] and incoming.is_farewell
    assert incoming.finish() == [] and incoming.tick(9.0) == []


def test_a_long_message_is_shown_in_pieces() -> None:
    lines = FramedIncoming(LineEnds("auto")).receive(b"x" * (2 * MAX_LINE + 1), 0.0)
    assert list(map(len, lines)) == [MAX_LINE, MAX_LINE, 1]
