"""A request of the NTP dialect and its answer: RFC 5905, mode 3 in, mode 4 out.

Pure: what the clock is worth and both stamps are arguments. Only a client's question is answered, in versions 1 to 4;
control and private messages (modes 6 and 7, CVE-2013-5211) never, nor symmetric peers and broadcasts. The answer is
the 48-byte header and nothing else: it is never longer than what was asked. Extension fields and a code behind the
header of the request are not looked into: no key is shared with anybody here, and a client that wants an
authenticated answer does not take this one.

Times are whole nanoseconds since 1970 until the last step; a stamp's seconds wrap at the end of the NTP era in 2036,
as the format has it.

Sources: RFC 5905 sections 6, 7.3 and 13; RFC 7822 (extension fields); RFC 8633.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

HEADER_BYTES: Final = 48
NO_STRATUM: Final = 16
"""Unsynchronised. As what a server tells of itself, together with leap indicator 3."""

REFERENCE_ID: Final = b"LANL"
"""Of an answer: which clock is above this one is not known here, or there is none."""

_UNIX_EPOCH_S: Final = 2_208_988_800  # seconds from 1900 to 1970
_NS: Final = 1_000_000_000
_CLIENT: Final = 3
_SERVER: Final = 4
_UNKNOWN_LEAP: Final = 3
_MIN_POLL: Final = -6
_MAX_POLL: Final = 17
_MIN_FIELD_BYTES: Final = 16  # RFC 7822 section 3
_CODE_BYTES: Final = frozenset((4, 20, 24, 36, 52, 68))  # key id with no digest, MD5, SHA-1, SHA-256, -384, -512
_CLAIMS: Final = Struct("!bII4sQ")
_STAMPS: Final = Struct("!QQ")
_FIELD: Final = Struct("!HH")


class ClockState(NamedTuple):
    """What the clock is worth that the answer is read from.

    Attributes:
        stratum: 1 to 15; 16 for a clock that nobody vouches for.
        leap: 0 none, 1 a second more at the end of the day, 2 one less.
        reference_id: four bytes.
        reference_ns: when the clock was last known to be right, nanoseconds since 1970; 0 for never.
        dispersion_ns: bound of its error, 0 or more.
        precision: the power of two of a second that it is read to: -20 is a microsecond.
    """

    stratum: int
    leap: int
    reference_id: bytes
    reference_ns: int
    dispersion_ns: int
    precision: int


def is_request(datagram: bytes) -> bool:
    """Whether a datagram is a client's question rather than text or anything else.

    48 bytes, or plausible fields behind them; mode 3; version 1 to 4; the stratum and poll that a client may send. Text
    of that length has printable characters where those stand.
    """
    size = len(datagram)
    if size < HEADER_BYTES:
        return False
    first = datagram[0]
    if first & 7 != _CLIENT or not 1 <= first >> 3 & 7 <= 4:
        return False
    poll = datagram[2] - 256 if datagram[2] > 127 else datagram[2]
    if datagram[1] > NO_STRATUM or not _MIN_POLL <= poll <= _MAX_POLL:
        return False
    return size == HEADER_BYTES or _is_plausible_tail(datagram)


def _is_plausible_tail(datagram: bytes) -> bool:
    """Whether what follows the header is whole extension fields, a code, or both."""
    at, size = HEADER_BYTES, len(datagram)
    while size - at not in _CODE_BYTES:
        if size - at < _MIN_FIELD_BYTES:
            return False
        length = _FIELD.unpack_from(datagram, at)[1]
        if length < _MIN_FIELD_BYTES or length % 4 or at + length > size:
            return False
        at += length
        if at == size:
            return True
    return True


class Claims(NamedTuple):
    """What every answer tells of the clock, as bytes: worked out once for many answers.

    Attributes:
        leap_bits: the leap indicator where it stands in the first byte.
        stratum: the second byte.
        rest: from the precision to the reference stamp, 21 bytes.
    """

    leap_bits: int
    stratum: int
    rest: bytes


def claims_of(clock: ClockState) -> Claims:
    """What answers tell of this clock."""
    leap = clock.leap if clock.stratum < NO_STRATUM else _UNKNOWN_LEAP
    reference = stamp(clock.reference_ns) if clock.reference_ns else 0
    rest = _CLAIMS.pack(clock.precision, 0, short(clock.dispersion_ns), clock.reference_id, reference)
    return Claims(leap << 6, clock.stratum, rest)


def answer_request(request: bytes, claims: Claims, received_ns: int, sent_ns: int) -> bytes:
    """The answer to a datagram of which `is_request` is true.

    Args:
        request: the whole datagram.
        claims: what the clock is worth.
        received_ns: nanoseconds since 1970 when the request came.
        sent_ns: the same right before the answer goes out.
    """
    first = claims.leap_bits | request[0] & 0o70 | _SERVER
    stamps = _STAMPS.pack(stamp(received_ns), stamp(sent_ns))
    return bytes((first, claims.stratum, request[2])) + claims.rest + request[40:48] + stamps


def stamp(ns: int) -> int:
    """Nanoseconds since 1970 as an NTP time stamp: 32 bits of seconds since 1900, 32 of their fraction."""
    seconds, rest = divmod(ns, _NS)
    return (seconds + _UNIX_EPOCH_S & 0xFFFFFFFF) << 32 | (rest << 32) // _NS


def short(ns: int) -> int:
    """A length of time as NTP's short format: 16 bits of seconds, 16 of their fraction, rounded up and at its limit
    when it is longer. The field is unsigned: below 0 there is none."""
    return min(max(-(-(ns << 16) // _NS), 0), 0xFFFFFFFF)
