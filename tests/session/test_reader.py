"""Bytes into frames: in any pieces, within limits that are checked on the header, and not too slowly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import MessageTooLarge
from lanline.limits import LAN, Limits
from lanline.session.calls import ASKED, Ask, CallRecord
from lanline.session.frames import MORE, RAW, Kind, pack
from lanline.session.reader import FrameReader

Frame = tuple[int, int, int, bytes]


class _Got:
    """A reader, and what it hands over: kind, call, flags, body."""

    def __init__(self, limits: Limits = LAN, *, paced: bool = True) -> None:
        self.frames: list[Frame] = []
        self.asks: dict[int, CallRecord | Ask] = {}
        self.answers: tuple[list[Ask], list[bytes]] = [], []
        self.reader = FrameReader(limits, paced=paced)
        self.reader.hello_received()
        self._receivers = [self._receiver(kind) for kind in range(256)]

    def _receiver(self, kind: int) -> Callable[[int, int, bytes], None]:
        return lambda call, flags, body: self.frames.append((kind, call, flags, body))

    def take(self, data: bytes, now: float = 0.0) -> None:
        self.reader.receive_data(data, now, self._receivers, self.asks, self.answers)


_frame = st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1), st.integers(0, 255), st.binary(max_size=300))


def _stream(frames: list[Frame]) -> bytes:
    return b"".join(pack(kind, call, body, flags) for kind, call, flags, body in frames)


@given(st.lists(_frame, max_size=8), st.lists(st.integers(1, 400), max_size=40))
def test_frames_come_whole_however_the_stream_is_cut(frames: list[Frame], sizes: list[int]) -> None:
    got, data = _Got(), _stream(frames)
    for size in sizes:
        got.take(data[:size]) if data[:size] else None
        data = data[size:]
    if data:
        got.take(data)
    assert got.frames == frames
    assert got.reader.kept_bytes == 0 and got.reader.due == float("inf")


@given(st.lists(_frame, max_size=5))
def test_byte_by_byte_equals_all_at_once(frames: list[Frame]) -> None:
    slow, fast = _Got(), _Got()
    data = _stream(frames)
    fast.take(data)
    for position in range(len(data)):
        slow.take(data[position : position + 1])
    assert slow.frames == fast.frames == frames


def test_a_frame_of_exactly_the_limit_comes_and_one_byte_more_does_not() -> None:
    got = _Got()
    got.take(pack(5, 1, b"x" * LAN.max_frame_bytes))
    assert len(got.frames[0][3]) == 64 * 1024
    with pytest.raises(MessageTooLarge, match="frame of 65537 bytes, limit 65536 bytes"):
        got.take(pack(5, 1, b"x" * (LAN.max_frame_bytes + 1))[:10])
    assert got.reader.kept_bytes == 0


def test_before_the_hello_the_limit_is_smaller() -> None:
    reader = FrameReader(LAN, paced=True)
    with pytest.raises(MessageTooLarge, match="frame of 16385 bytes, limit 16384 bytes"):
        reader.receive_data(pack(1, 0, b"x" * 16_385)[:10], 0.0, [], {}, ([], []))


def test_frames_before_an_oversized_one_are_handed_over() -> None:
    got = _Got()
    with pytest.raises(MessageTooLarge):
        got.take(pack(5, 1, b"good") + b"\xff\xff\xff\xff\x05\x00\x00\x00\x00\x01")
    assert got.frames == [(5, 1, 0, b"good")]


def test_no_more_is_kept_than_one_frame() -> None:
    got = _Got()
    data = pack(5, 1, b"x" * LAN.max_frame_bytes)
    for position in range(0, len(data) - 1, 1000):
        got.take(data[position : min(position + 1000, len(data) - 1)])
        assert got.reader.kept_bytes <= len(data)
    assert got.frames == []
    got.take(data[-1:])
    assert len(got.frames) == 1 and got.reader.kept_bytes == 0


@pytest.mark.parametrize(
    ("length", "seconds"), [(0, 5.0), (1024, 6.0), (10 * 1024, 15.0), (25 * 1024, 30.0), (64 * 1024, 30.0)]
)
def test_a_frame_has_a_second_per_kibibyte_and_five_more_up_to_thirty(length: int, seconds: float) -> None:
    got = _Got()
    data = pack(5, 1, b"x" * length)
    got.take(data[:10] if length else data[:9], now=100.0)
    assert got.reader.due == 100 + seconds
    assert not got.reader.is_too_slow(100 + seconds - 0.01)
    assert got.reader.is_too_slow(100 + seconds)


def test_the_time_of_a_frame_runs_from_its_first_byte() -> None:
    got = _Got()
    data = pack(5, 1, b"x" * 1024)
    got.take(data[:3], now=100.0)
    assert got.reader.due == 105
    got.take(data[3:10], now=104.0)
    assert got.reader.due == 106
    got.take(data[10:500], now=105.9)
    assert got.reader.is_too_slow(106)


def test_the_next_frame_has_its_own_time() -> None:
    got = _Got()
    data = pack(5, 1, b"x" * 1024)
    got.take(data[:-1], now=100.0)
    got.take(data[-1:] + data[:500], now=105.0)
    assert got.reader.due == 111


def test_a_whole_frame_leaves_no_time_running() -> None:
    got = _Got()
    data = pack(5, 1, b"x" * 1024)
    got.take(data[:100], now=0.0)
    got.take(data[100:], now=1.0)
    assert not got.reader.is_too_slow(1e9)


def test_a_check_that_comes_late_gives_the_peer_another_second() -> None:
    got = _Got()
    got.take(pack(5, 1, b"x" * 100)[:50], now=0.0)
    assert not got.reader.is_too_slow(60.0), "what it sent may lie unread"
    assert got.reader.due == 61
    assert got.reader.is_too_slow(61.0)


def test_there_is_no_pace_on_local_transports() -> None:
    got = _Got(paced=False)
    got.take(pack(5, 1, b"x" * 100)[:50], now=0.0)
    assert got.reader.due == float("inf")


def test_the_plain_end_of_an_ask_is_an_answer_and_no_frame() -> None:
    got, one, other = _Got(), Ask(), Ask()
    got.asks.update({1: one, 3: other, 5: ASKED})
    got.take(pack(Kind.END, 3, b"three") + pack(Kind.END, 1, b"one") + pack(Kind.END, 5, b"five"))
    assert got.answers == ([other, one], [b"three", b"one"])
    assert got.answers[0][0] is other
    assert got.frames == [(Kind.END, 5, 0, b"five")]
    assert list(got.asks) == [5]


@pytest.mark.parametrize(("kind", "flags"), [(Kind.END, RAW), (Kind.END, MORE), (Kind.ERROR, 0), (Kind.DATA, 0)])
def test_whatever_else_comes_for_an_ask_is_a_frame(kind: Kind, flags: int) -> None:
    got = _Got()
    got.asks[1] = Ask()
    got.take(pack(kind, 1, b"x", flags))
    assert got.frames == [(kind, 1, flags, b"x")] and 1 in got.asks and got.answers == ([], [])
