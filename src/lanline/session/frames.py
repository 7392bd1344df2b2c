"""The frames of a link: their header, their kinds and the bodies that are msgpack arrays.

Header of every frame, 10 bytes, big-endian::

    length u32 | kind u8 | flags u8 | call u32          length counts the body alone

A body is a msgpack array (one of the structs below), one msgpack value (an item or a result), or, when the RAW
flag is set, bytes as they are. Structs are `array_like`: unknown trailing fields are ignored, and fields are
only ever appended, with defaults, so that versions understand each other. The byte tables with an example of
every frame are in docs/reference/protocol.md; `tests/session/golden/` holds them for good.

This file knows no states: what may follow what is in `states.py`.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

HEADER: Final = struct.Struct(">IBBI")
HEADER_BYTES: Final = HEADER.size

VERSION: Final = 1
"""The protocol version of this code. HELLO lists all versions a side speaks; the highest common one is used."""


class Kind(IntEnum):
    """What a frame is. The numbers are on the wire and never change."""

    HELLO = 1
    ROSTER = 2
    WELCOME = 3
    OPEN = 4
    DATA = 5
    END = 6
    ERROR = 7
    CREDIT = 8
    CANCEL = 9
    PING = 10
    PONG = 11
    GOAWAY = 12


RAW: Final = 1
"""Flag: the body is bytes as they are, not msgpack."""

MORE: Final = 2
"""Flag: the next frame of this kind and call continues the same item."""

LAST: Final = 4
"""Flag on OPEN: the opening side sends nothing after it. An ask is one OPEN with LAST."""


MAX_CALL: Final = 2**32 - 1
"""Highest number of a call; at 400,000 asks a second a link reaches it after an hour and a half, and must be made
anew."""

MAX_DEADLINE_MS: Final = 2**40
"""35 years: a deadline beyond it is none."""

Bytes = Annotated[int, Meta(ge=0, le=2**40)]
"""An amount that a peer names: at most 1 TiB, so that sums of them stay small numbers."""

UNDECODABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What decoding a peer's bytes raises: wrong types and torn values are msgspec's, text that is no UTF-8 and arrays
nested deeper than the interpreter's limit are Python's."""

_MAX_TEXT: Final = 4096
_MAX_DETAILS_BYTES: Final = 16 * 1024


class Body(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Base of the bodies that are arrays."""


class Hello(Body, frozen=True):
    """First frame of both sides.

    Fields: versions spoken; a random id of this start of the process (8 bytes); names of optional features;
    the credit each call begins with towards the sender (bytes); the sender's monotonic and civil clocks (ns);
    room data, which only the room layer reads.
    """

    versions: tuple[int, ...]
    boot: Annotated[bytes, Meta(min_length=8, max_length=8)]
    features: tuple[str, ...] = ()
    window_bytes: Bytes = 262_144
    monotonic_ns: int = 0
    civil_ns: int = 0
    room: bytes = b""


class Open(Body, frozen=True):
    """Begins a call.

    Fields: endpoint as `service.endpoint`; its arguments as one msgpack array; time left in ms (0: no deadline);
    credit the answering side has towards the opener (bytes; 0: the window of the opener's HELLO).
    """

    endpoint: str
    arguments: msgspec.Raw
    deadline_ms: Annotated[int, Meta(ge=0, le=MAX_DEADLINE_MS)] = 0
    credit: Bytes = 0


class Failure(Body, frozen=True):
    """Body of ERROR: status number, one sentence, details, and whether the request can have been executed."""

    status: int
    text: str = ""
    details: dict[str, str] = {}
    may_have_run: bool = True


class Stamps(Body, frozen=True):
    """Body of PING (first field) and PONG (all three), in ns on the monotonic clocks of their writers.

    Fields: when the PING was made; when it was received; when the PONG was made. The fourth stamp, when the
    PONG was received, is taken by the side that asked.
    """

    ping_sent_ns: int
    ping_received_ns: int = 0
    pong_sent_ns: int = 0


class Farewell(Body, frozen=True):
    """Body of GOAWAY: why, and the last call of the peer's that was or will be served (0: none)."""

    reason: str = ""
    last_call: Annotated[int, Meta(ge=0, le=MAX_CALL)] = 0


_encoder = msgspec.msgpack.Encoder()


def encode_body(value: Any) -> bytes:
    """One msgpack value, as a body."""
    return _encoder.encode(value)


def encode_failure(status: int, text: str, details: dict[str, str], *, may_have_run: bool) -> bytes:
    """The body of ERROR, one frame at most: a longer text is cut, and details that do not fit are left out."""
    pairs = {sendable(name): sendable(value) for name, value in details.items()}
    if sum(len(name) + len(value) for name, value in pairs.items()) > _MAX_DETAILS_BYTES:
        pairs = {}
    return _encoder.encode(Failure(status, sendable(text), pairs, may_have_run))


def sendable(text: str) -> str:
    """A sentence as it may be sent: at most 4,096 characters, lone surrogates (of file names) made visible."""
    return text[:_MAX_TEXT].encode(errors="backslashreplace").decode()


openings: Final[dict[str, bytes]] = {}
"""What `encode_opening` has made before, at most 1,000."""


def encode_opening(endpoint: str) -> bytes:
    """What the body of OPEN begins with when it holds an endpoint and arguments alone: put the arguments behind it. The
    same bytes as `encode_body(Open(...))` without the trailing defaults; most calls begin so, and it saves 0.1 us of
    each."""
    opening = openings.get(endpoint)
    if opening is None:
        if len(openings) >= 1000:
            openings.clear()
        opening = openings[endpoint] = b"\x92" + _encoder.encode(endpoint)
    return opening


def encode_open(endpoint: str, arguments: bytes, deadline_ms: int = 0, credit: int = 0) -> bytes:
    """The body of OPEN, from arguments that are one msgpack array already."""
    if deadline_ms or credit:
        return _encoder.encode((endpoint, msgspec.Raw(arguments), deadline_ms, credit))
    return encode_opening(endpoint) + arguments


def pack(kind: int, call: int, body: bytes = b"", flags: int = 0) -> bytes:
    """One whole frame. For tests and for frames outside the hot path; a session appends header and body apart."""
    return HEADER.pack(len(body), kind, flags, call) + body


decode_hello = msgspec.msgpack.Decoder(Hello).decode
decode_open = msgspec.msgpack.Decoder(Open).decode
decode_failure = msgspec.msgpack.Decoder(Failure).decode
decode_stamps = msgspec.msgpack.Decoder(Stamps).decode
decode_farewell = msgspec.msgpack.Decoder(Farewell).decode
decode_credit = msgspec.msgpack.Decoder(Annotated[int, Meta(ge=1, le=2**40)]).decode
decode_reason = msgspec.msgpack.Decoder(str).decode
