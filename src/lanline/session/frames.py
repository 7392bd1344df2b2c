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
from typing import Any, Final

import msgspec

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


class Body(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Base of the bodies that are arrays."""


class Hello(Body):
    """First frame of both sides.

    Fields: versions spoken; a random id of this start of the process (8 bytes); names of optional features;
    the credit each call begins with towards the sender (bytes); the sender's monotonic and civil clocks (ns);
    room data, which only the room layer reads.
    """

    versions: tuple[int, ...]
    boot: bytes
    features: tuple[str, ...] = ()
    window_bytes: int = 262_144
    monotonic_ns: int = 0
    civil_ns: int = 0
    room: bytes = b""


class Open(Body):
    """Begins a call.

    Fields: endpoint as `service.endpoint`; its arguments as one msgpack array; time left in ms (0: no deadline);
    credit the answering side has towards the opener (bytes; 0: the window of the opener's HELLO).
    """

    endpoint: str
    arguments: msgspec.Raw
    deadline_ms: int = 0
    credit: int = 0


class Failure(Body):
    """Body of ERROR: status number, one sentence, details, and whether the request can have been executed."""

    status: int
    text: str = ""
    details: dict[str, str] = {}
    may_have_run: bool = True


class Stamps(Body):
    """Body of PING (first field) and PONG (all three), in ns on the monotonic clocks of their writers.

    Fields: when the PING was made; when it was received; when the PONG was made. The fourth stamp, when the
    PONG was received, is taken by the side that asked.
    """

    ping_sent_ns: int
    ping_received_ns: int = 0
    pong_sent_ns: int = 0


class Farewell(Body):
    """Body of GOAWAY: why, and the last call of the peer's that was or will be served (0: none)."""

    reason: str = ""
    last_call: int = 0


_encoder = msgspec.msgpack.Encoder()


def encode_body(value: Any) -> bytes:
    """One msgpack value, as a body."""
    return _encoder.encode(value)


_endpoint_prefixes: dict[str, bytes] = {}


def encode_open(endpoint: str, arguments: bytes, deadline_ms: int = 0, credit: int = 0) -> bytes:
    """The body of OPEN, from arguments that are encoded already. The same bytes as `encode_body(Open(...))`, less the
    trailing defaults; joined by hand since every call begins with it (a fifth of the cost)."""
    if deadline_ms or credit:
        return _encoder.encode((endpoint, msgspec.Raw(arguments), deadline_ms, credit))
    prefix = _endpoint_prefixes.get(endpoint)
    if prefix is None:
        if len(_endpoint_prefixes) > 1000:
            _endpoint_prefixes.clear()
        prefix = _endpoint_prefixes[endpoint] = b"\x92" + _encoder.encode(endpoint)
    return prefix + arguments


def pack(kind: int, call: int, body: bytes = b"", flags: int = 0) -> bytes:
    """One whole frame. For tests and for frames outside the hot path; a session appends header and body apart."""
    return HEADER.pack(len(body), kind, flags, call) + body


decode_hello = msgspec.msgpack.Decoder(Hello).decode
decode_open = msgspec.msgpack.Decoder(Open).decode
decode_failure = msgspec.msgpack.Decoder(Failure).decode
decode_stamps = msgspec.msgpack.Decoder(Stamps).decode
decode_farewell = msgspec.msgpack.Decoder(Farewell).decode
decode_credit = msgspec.msgpack.Decoder(int).decode
decode_reason = msgspec.msgpack.Decoder(str).decode
