"""Claims about Lines beyond those of every framing."""

from __future__ import annotations

import time

import pytest

from lanline.errors import EndedInMessage, MessageTooLarge, UsageError
from lanline.framing.lines import Lines


def test_only_the_terminator_splits() -> None:
    assert Lines().decoder().receive_data(b"a\rb\x0bc\x0cd\x1ce\x85f\n") == [b"a\rb\x0bc\x0cd\x1ce\x85f"]


def test_one_cr_is_stripped_on_request_and_only_then() -> None:
    assert Lines(strip_cr=True).decoder().receive_data(b"a\r\nb\r\r\n\r\nc\n") == [b"a", b"b\r", b"", b"c"]
    assert Lines().decoder().receive_data(b"a\r\n") == [b"a\r"]


def test_the_cr_that_will_be_stripped_does_not_count() -> None:
    decoder = Lines(max_message_bytes=3, strip_cr=True).decoder()
    assert decoder.receive_data(b"abc\r") == []
    assert decoder.receive_data(b"\n") == [b"abc"]


def test_the_beginning_of_a_terminator_does_not_count() -> None:
    decoder = Lines(b"\r\n", max_message_bytes=3).decoder()
    assert decoder.receive_data(b"abc\r") == []
    assert decoder.receive_data(b"\n") == [b"abc"]


@pytest.mark.parametrize(
    ("framing", "message", "why"),
    [
        (Lines(), b"a\nb", "end at byte 1"),
        (Lines(b"--"), b"a-", "end at byte 1"),
        (Lines(b"aba"), b"xab", "end at byte 1"),
        (Lines(strip_cr=True), b"a\r", "ends with CR"),
    ],
)
def test_a_message_that_would_arrive_as_another_is_refused(framing: Lines, message: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        framing.encode(message)


def test_an_empty_terminator_is_refused() -> None:
    with pytest.raises(UsageError, match="0 bytes"):
        Lines(b"")


def test_a_line_without_its_terminator_is_an_end_in_a_message() -> None:
    decoder = Lines().decoder()
    assert decoder.receive_data(b"one\ntwo") == [b"one"]
    with pytest.raises(EndedInMessage):
        decoder.receive_eof()


def test_a_line_that_never_ends_is_refused_as_soon_as_it_is_too_long() -> None:
    decoder = Lines(max_message_bytes=100).decoder()
    assert decoder.receive_data(b"x" * 100) == []
    with pytest.raises(MessageTooLarge, match="unfinished line of 101 bytes, limit 100 bytes"):
        decoder.receive_data(b"x")


def seconds_for(line_bytes: int, framing: Lines) -> float:
    """Processor time to receive one line of this length in chunks of 8 bytes, the best of three."""
    best = float("inf")
    for _ in range(3):
        decoder = framing.decoder()
        began = time.thread_time()
        for _ in range(line_bytes // 8):
            decoder.receive_data(b"12345678")
        assert decoder.receive_data(framing.terminator) == [b"12345678" * (line_bytes // 8)]
        best = min(best, time.thread_time() - began)
    return best


@pytest.mark.parametrize("terminator", [b"\n", b"\r\n"])
def test_a_long_line_in_tiny_chunks_costs_linear_time(terminator: bytes) -> None:
    framing = Lines(terminator, max_message_bytes=1024 * 1024)
    # Sixteen times the line: 16 times the time when linear, 256 times when each chunk is joined to the tail.
    assert seconds_for(1024 * 1024, framing) < 64 * seconds_for(64 * 1024, framing)
