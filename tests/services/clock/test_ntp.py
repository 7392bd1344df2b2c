"""NTP requests told from everything else, and the answer field by field."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.services.clock.ntp import ClockState, answer_request, claims_of, is_request, short, stamp

CLOCK = ClockState(10, 0, b"LANL", 1_700_000_000_000_000_000, 1_500_000, -20)
HEADER = bytes([0x23, 0, 6, 0x20]) + bytes(36) + b"cookie!!"
CODE = struct.pack("!I", 7) + bytes(16)
FIELD = struct.pack("!HH", 0x0104, 28) + bytes(24)


@pytest.mark.parametrize("version", [1, 2, 3, 4])
@pytest.mark.parametrize("leap", [0, 3])
def test_a_client_of_every_version_is_recognised(version: int, leap: int) -> None:
    assert is_request(bytes([leap << 6 | version << 3 | 3]) + HEADER[1:])


@pytest.mark.parametrize("tail", [CODE, struct.pack("!I", 0), FIELD, FIELD + CODE, FIELD * 3, bytes(24)])
def test_whole_fields_and_a_code_behind_the_header_are_plausible(tail: bytes) -> None:
    assert is_request(HEADER + tail)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        HEADER[:47],
        HEADER + b"x",
        HEADER + struct.pack("!HH", 0x0104, 40) + bytes(24),
        HEADER + struct.pack("!HH", 0x0104, 0) + bytes(24),
        HEADER + struct.pack("!HH", 0x0104, 26) + bytes(24),
        bytes([0x03]) + HEADER[1:],  # version 0
        bytes([0x2B]) + HEADER[1:],  # version 5
        bytes([0x23, 17]) + HEADER[2:],
        bytes([0x23, 0, 18]) + HEADER[3:],
        bytes([0x23, 0, 0xF0]) + HEADER[3:],
        b"# now: %A, %d %B %Y, %H:%M:%S, week %V, day %j !",
        *(bytes([0x20 | mode]) + HEADER[1:] for mode in (0, 1, 2, 4, 5, 6, 7)),
    ],
)
def test_anything_else_is_no_request(datagram: bytes) -> None:
    assert not is_request(datagram)


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=48, max_size=90))
def test_printable_text_is_no_request(text: str) -> None:
    assert not is_request(text.encode())


def test_the_answer_has_every_field_where_the_rfc_has_it() -> None:
    answer = answer_request(HEADER + CODE, claims_of(CLOCK), 1_000_000_000, 1_500_000_000)
    assert len(answer) == 48
    first, stratum, poll, precision, delay, dispersion = struct.unpack("!BBbbII", answer[:12])
    assert (first, stratum, poll, precision, delay) == (0x24, 10, 6, -20, 0)
    assert dispersion == 99  # 1.5 ms of 1/65536 s, rounded up
    assert answer[12:16] == b"LANL"
    assert answer[24:32] == b"cookie!!"
    reference, _, received, sent = struct.unpack("!Q8sQQ", answer[16:])
    assert reference >> 32 == 1_700_000_000 + 2_208_988_800
    assert received == (2_208_988_801 << 32)
    assert sent == (2_208_988_801 << 32) + (1 << 31)


def test_the_version_of_the_answer_is_that_of_the_request() -> None:
    for version in (1, 2, 3, 4):
        answer = answer_request(bytes([0xC0 | version << 3 | 3]) + HEADER[1:], claims_of(CLOCK), 1, 2)
        assert answer[0] == version << 3 | 4


def test_a_clock_that_nobody_vouches_for_says_so() -> None:
    answer = answer_request(HEADER, claims_of(CLOCK._replace(stratum=16, reference_ns=0)), 1, 2)
    assert answer[0] >> 6 == 3
    assert answer[1] == 16
    assert answer[16:24] == bytes(8)


def test_a_leap_second_is_announced() -> None:
    assert answer_request(HEADER, claims_of(CLOCK._replace(leap=1)), 1, 2)[0] >> 6 == 1


@pytest.mark.parametrize(
    ("ns", "expected"),
    [
        (0, 2_208_988_800 << 32),
        (1, (2_208_988_800 << 32) + 4),
        (999_999_999, (2_208_988_800 << 32) + 0xFFFFFFFB),
        (2_085_978_495_999_999_999, 0xFFFFFFFF_FFFFFFFB),  # the last of the era: 2036-02-07 06:28:15
        (2_085_978_496_000_000_000, 0),
        (-1, (2_208_988_799 << 32) + 0xFFFFFFFB),
    ],
)
def test_stamps_are_exact_and_wrap_with_the_era(ns: int, expected: int) -> None:
    assert stamp(ns) == expected


@pytest.mark.parametrize(("ns", "expected"), [(0, 0), (1, 1), (1_000_000_000, 65536), (-5, 0), (10**15, 0xFFFFFFFF)])
def test_an_unsigned_length_of_time_is_never_negative_and_never_too_small(ns: int, expected: int) -> None:
    assert short(ns) == expected


@given(st.binary(min_size=48, max_size=120))
def test_an_answer_is_never_longer_than_its_request(tail: bytes) -> None:
    datagram = HEADER[:3] + tail
    if is_request(datagram):
        assert len(answer_request(datagram, claims_of(CLOCK), 0, 0)) <= len(datagram)
