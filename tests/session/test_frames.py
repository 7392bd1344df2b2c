"""Frames on the wire: the golden file of each kind, what decoding refuses, and texts that may be sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import RemoteProtocolError
from lanline.session import events, frames
from lanline.session.frames import HEADER, HEADER_BYTES, LAST, MORE, RAW, UNDECODABLE, Kind
from lanline.session.session import Side
from tests.session.pair import kinds, opened, session

GOLDEN = json.loads(Path(__file__).parent.joinpath("golden", "frames.json").read_text())
EXAMPLES = {example["name"]: example for example in GOLDEN["frames"]}

DECODERS = {
    Kind.HELLO: frames.decode_hello,
    Kind.OPEN: frames.decode_open,
    Kind.ERROR: frames.decode_failure,
    Kind.CREDIT: frames.decode_credit,
    Kind.CANCEL: frames.decode_reason,
    Kind.PING: frames.decode_stamps,
    Kind.PONG: frames.decode_stamps,
    Kind.GOAWAY: frames.decode_farewell,
}
"""The kinds whose body this layer reads."""


def golden(name: str) -> bytes:
    """The bytes of one example."""
    return bytes.fromhex(EXAMPLES[name]["hex"])


def _plain(value: Any) -> Any:
    """What JSON holds as msgpack would: bytes are written {"bytes": hex} in it."""
    if isinstance(value, dict) and value.keys() == {"bytes"}:
        return bytes.fromhex(value["bytes"])
    return [_plain(one) for one in value] if isinstance(value, list) else value


# -- the golden file -----------------------------------------------------------------------------------------


def test_the_golden_file_has_every_kind_of_this_version() -> None:
    assert GOLDEN["protocol_version"] == frames.VERSION
    assert {example["kind"] for example in EXAMPLES.values()} == {kind.name for kind in Kind}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_golden_frame_has_the_header_that_the_page_describes(name: str) -> None:
    example, data = EXAMPLES[name], golden(name)
    length, kind, flags, call = HEADER.unpack_from(data)
    assert (length, kind) == (len(data) - 10, Kind[example["kind"]])
    assert (flags, call) == (example["flags"], example["call"])


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_golden_frame_has_the_body_that_any_msgpack_library_writes(name: str) -> None:
    body, written = _plain(EXAMPLES[name]["body"]), golden(name)[HEADER_BYTES:]
    assert written == (body if isinstance(body, bytes) else msgspec.msgpack.encode(body))


def test_golden_values_are_what_this_side_writes() -> None:
    hello = frames.Hello((1,), bytes(range(8)), (), 262144, 1_000_000_000, 1_700_000_000_000_000_000, b"")
    assert golden("hello") == frames.pack(Kind.HELLO, 0, frames.encode_body(hello))
    opening = frames.encode_open("echo.say", frames.encode_body(("hi",)))
    assert golden("open_ask") == frames.pack(Kind.OPEN, 1, opening, LAST)
    opening = frames.encode_open("files.put", frames.encode_body(()), 2500, 4 * 1024 * 1024)
    assert golden("open_terms") == frames.pack(Kind.OPEN, 3, opening)
    error = frames.encode_failure(4, "no", {}, may_have_run=False)
    assert golden("error") == frames.pack(Kind.ERROR, 1, error)
    assert golden("goaway") == frames.pack(Kind.GOAWAY, 0, frames.encode_body(frames.Farewell("bye", 7)))


def test_a_peer_made_of_golden_frames_is_understood() -> None:
    one = session(Side.ACCEPTING)
    one.receive_data(golden("hello"), 0.0)
    one.send_welcome()
    one.receive_data(golden("welcome") + golden("open_ask") + golden("open_terms") + golden("data"), 0.0)
    one.receive_data(golden("data_raw") + golden("cancel") + golden("ping") + golden("end_nothing"), 0.0)
    told = one.events()
    assert kinds(told) == "Greeted Welcomed Opened Opened ItemReceived ItemReceived Cancelled Ended".split()
    assert [event.body for event in told if isinstance(event, events.ItemReceived)] == [
        msgspec.msgpack.encode({"seats": 40}),
        b"\x00\xff\x7f",
    ]
    one.receive_data(golden("goaway"), 0.0)
    assert kinds(one.events()) == ["GoingAway"]


# -- what bodies may hold ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hello", "open_terms", "error", "pong", "goaway"])
def test_a_later_versions_trailing_fields_are_ignored(name: str) -> None:
    value = msgspec.msgpack.decode(golden(name)[HEADER_BYTES:])
    longer = DECODERS[Kind[EXAMPLES[name]["kind"]]](msgspec.msgpack.encode([*value, "more", {"of": ["it"]}]))
    assert longer == DECODERS[Kind[EXAMPLES[name]["kind"]]](golden(name)[HEADER_BYTES:]) or name == "open_terms"


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc0",
        b"\x80",
        b"\xc1",
        b"\x91\x91",
        b"\x93\x01",
        b"\xa2\xff\xfe",
        b"\x92\xa2\xff\xfe\x90",
        b"\x92\xa1a" + b"\x91" * 60_000,
        b"\x91" * 60_000 + b"\xc0",
        b"\xcf" + b"\xff" * 8,
        b"\x91\xcf" + b"\xff" * 8,
        b"\xd3\x80" + b"\x00" * 7,
        b"\xcb\x7f\xf8" + b"\x00" * 6,
        b"\xdd\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ],
    ids=lambda body: body[:6].hex(),
)
def test_a_hostile_body_raises_what_the_session_catches(kind: Kind, body: bytes) -> None:
    try:
        DECODERS[kind](body)
    except UNDECODABLE as error:
        assert str(error)
    else:
        assert body in (b"\x91\xcf" + b"\xff" * 8,), "only a stamp may be any 64-bit number"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Kind.HELLO, ([1], b"short")),
        (Kind.HELLO, ([1], b"12345678", [], -1)),
        (Kind.HELLO, ([1], b"12345678", [], 2**41)),
        (Kind.HELLO, (["1"], b"12345678")),
        (Kind.OPEN, (5, [])),
        (Kind.OPEN, ("a.b", [], -1)),
        (Kind.OPEN, ("a.b", [], 0, 2**41)),
        (Kind.OPEN, ("a.b",)),
        (Kind.ERROR, ("4", "no")),
        (Kind.ERROR, (4, "no", {"a": 1})),
        (Kind.CREDIT, 0),
        (Kind.CREDIT, -5),
        (Kind.CREDIT, 2**41),
        (Kind.CREDIT, 1.5),
        (Kind.CANCEL, b"bytes"),
        (Kind.PING, ()),
        (Kind.GOAWAY, ("bye", -1)),
        (Kind.GOAWAY, ("bye", 2**32)),
    ],
)
def test_a_value_out_of_its_range_is_refused(kind: Kind, body: object) -> None:
    with pytest.raises(UNDECODABLE):
        DECODERS[kind](msgspec.msgpack.encode(body))


@given(st.sampled_from(list(DECODERS)), st.binary(max_size=200))
def test_garbage_in_a_body_ends_in_one_error_of_the_peers(kind: Kind, body: bytes) -> None:
    one = session() if kind is Kind.HELLO else opened()
    try:
        one.receive_data(frames.pack(kind, 1, body), 0.0)
    except RemoteProtocolError as error:
        assert one.is_closed and str(error)
    else:
        assert not one.is_closed or kind is Kind.GOAWAY


# -- what is written -----------------------------------------------------------------------------------------


def test_an_opening_by_hand_is_what_the_encoder_writes() -> None:
    for endpoint in ("a.b", "echo.say", "x" * 31, "x" * 32, "x" * 300, "名字.说"):
        arguments = frames.encode_body(("hi", 5))
        by_hand = frames.encode_open(endpoint, arguments)
        assert by_hand == msgspec.msgpack.encode((endpoint, ("hi", 5)))
        assert frames.decode_open(by_hand).endpoint == endpoint


def test_the_memory_of_openings_is_bounded() -> None:
    for number in range(3000):
        assert frames.encode_opening(f"service.endpoint{number}").endswith(str(number).encode())
    assert len(frames.openings) <= 1000


def test_a_long_text_is_cut_and_large_details_are_left_out() -> None:
    body = frames.encode_failure(10, "x" * 100_000, {"a": "y" * 20_000}, may_have_run=True)
    failure = frames.decode_failure(body)
    assert len(failure.text) == 4096
    assert failure.details == {"a": "y" * 4096}
    many = {str(number): "y" * 4000 for number in range(10)}
    assert frames.decode_failure(frames.encode_failure(10, "", many, may_have_run=True)).details == {}
    assert len(frames.encode_failure(10, "x" * 100_000, many, may_have_run=True)) < 64 * 1024


def test_a_file_name_that_is_no_text_can_still_be_told() -> None:
    assert frames.sendable("cannot read caf\udce9") == "cannot read caf\\udce9"
    body = frames.encode_failure(7, "caf\udce9", {"path\udce9": "\ud800"}, may_have_run=True)
    assert frames.decode_failure(body).details == {"path\\udce9": "\\ud800"}


def test_flags_do_not_overlap() -> None:
    assert RAW | MORE | LAST == RAW + MORE + LAST == 7
