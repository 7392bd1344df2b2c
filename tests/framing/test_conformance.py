"""Claims that hold for every framing that keeps message boundaries, each framing put through all of them."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import (
    EndedInMessage,
    LocalProtocolError,
    MessageTooLarge,
    ProtocolError,
    RemoteProtocolError,
    UsageError,
)
from lanline.framing.base import Decoder, Framing
from lanline.framing.length import LengthPrefixed
from lanline.framing.lines import Lines
from lanline.framing.netstring import Netstring
from lanline.framing.raw import Raw

LIMIT = 12

SMALL: list[Framing] = [
    Lines(max_message_bytes=LIMIT),
    Lines(max_message_bytes=LIMIT, strip_cr=True),
    Lines(terminator=b"\r\n", max_message_bytes=LIMIT),
    Lines(terminator=b"aba", max_message_bytes=LIMIT),
    LengthPrefixed(size=1, max_message_bytes=LIMIT),
    LengthPrefixed(size=2, max_message_bytes=LIMIT),
    LengthPrefixed(size=4, max_message_bytes=LIMIT),
    LengthPrefixed(size=8, max_message_bytes=LIMIT),
    Netstring(max_message_bytes=LIMIT),
]
EACH = pytest.mark.parametrize("framing", SMALL, ids=str)

# Few distinct bytes, so that terminators, digits and headers come about by chance.
_ALPHABET = [bytes([value]) for value in b"\n\r\0\1\x0bab:,0129-"]
_MESSAGES = st.lists(st.lists(st.sampled_from(_ALPHABET), max_size=LIMIT).map(b"".join), max_size=8)
_STREAM = st.lists(st.sampled_from(_ALPHABET), max_size=80).map(b"".join)
_CUTS = st.lists(st.integers(1, 9), max_size=60)

Outcome = tuple[list[bytes], type[ProtocolError] | None]


def cut(stream: bytes, sizes: Iterable[int]) -> list[bytes]:
    """The stream in chunks of these sizes; what is left over is the last chunk."""
    chunks, offset = [], 0
    for size in sizes:
        chunks.append(stream[offset : offset + size])
        offset += size
    return [*chunks, stream[offset:]]


def outcome(decoder: Decoder, chunks: Iterable[bytes]) -> Outcome:
    """The messages in these chunks and the end of the stream, and the kind of error that ended them."""
    messages: list[bytes] = []
    try:
        for chunk in chunks:
            messages += decoder.receive_data(chunk)
        messages += decoder.receive_eof()
    except RemoteProtocolError as error:
        return messages, type(error)
    return messages, None


def encoded(framing: Framing, messages: Iterable[bytes]) -> tuple[list[bytes], bytes]:
    """Those of the messages that the framing can carry, and the stream that carries them."""
    carried, stream = [], b""
    for message in messages:
        try:
            stream += framing.encode(message)
        except UsageError:
            continue
        carried.append(message)
    return carried, stream


@EACH
@given(messages=_MESSAGES, sizes=_CUTS)
def test_messages_come_out_as_they_went_in_however_the_stream_is_cut(
    framing: Framing, messages: list[bytes], sizes: list[int]
) -> None:
    carried, stream = encoded(framing, messages)
    assert outcome(framing.decoder(), cut(stream, sizes)) == (carried, None)


@EACH
@given(stream=_STREAM, sizes=_CUTS)
def test_any_cut_of_any_stream_has_the_same_outcome_as_one_chunk(
    framing: Framing, stream: bytes, sizes: list[int]
) -> None:
    at_once = outcome(framing.decoder(), [stream])
    assert outcome(framing.decoder(), cut(stream, [1] * len(stream))) == at_once
    assert outcome(framing.decoder(), cut(stream, sizes)) == at_once


@EACH
def test_every_way_there_is_to_cut_a_stream_has_the_same_outcome(framing: Framing) -> None:
    _, whole = encoded(framing, [b"xy", b"", b"c", b"d"])
    for stream in (whole[:11], b"0:,\n\0\1aba\r\n", b"\xff" * 8):
        at_once = outcome(framing.decoder(), [stream])
        for cuts in range(1 << (len(stream) - 1)):
            places = [place for place in range(1, len(stream)) if cuts >> (place - 1) & 1]
            chunks = [stream[start:stop] for start, stop in pairwise([0, *places, len(stream)])]
            assert outcome(framing.decoder(), chunks) == at_once


@EACH
@given(messages=st.lists(st.binary(max_size=LIMIT), max_size=8), sizes=_CUTS)
def test_any_bytes_come_back_as_they_are_or_are_refused_before_they_are_sent(
    framing: Framing, messages: list[bytes], sizes: list[int]
) -> None:
    carried, stream = encoded(framing, messages)
    assert outcome(framing.decoder(), cut(stream, sizes)) == (carried, None)
    if not isinstance(framing, Lines):
        assert carried == messages, "only a terminator limits what a message may hold"


@EACH
@given(messages=_MESSAGES, missing=st.integers(1, 30))
def test_a_stream_that_is_cut_off_gives_what_was_whole_and_never_a_part_of_a_message(
    framing: Framing, messages: list[bytes], missing: int
) -> None:
    carried, stream = encoded(framing, messages)
    came, error = outcome(framing.decoder(), [stream[: max(0, len(stream) - missing)]])
    assert came == carried[: len(came)]
    assert error in (None, EndedInMessage)


@EACH
@given(stream=st.binary(max_size=300), sizes=_CUTS)
def test_garbage_gives_messages_within_the_limit_and_documented_errors_only(
    framing: Framing, stream: bytes, sizes: list[int]
) -> None:
    messages, error = outcome(framing.decoder(), cut(stream, sizes))
    assert all(len(message) <= LIMIT for message in messages)
    assert error in (None, MessageTooLarge, EndedInMessage, RemoteProtocolError)


@EACH
def test_a_message_of_exactly_the_limit_is_carried(framing: Framing) -> None:
    message = b"x" * LIMIT
    assert framing.decoder().receive_data(framing.encode(message)) == [message]


@EACH
def test_a_message_of_no_bytes_is_a_message(framing: Framing) -> None:
    assert framing.decoder().receive_data(framing.encode(b"") * 3) == [b"", b"", b""]


@EACH
def test_one_byte_over_the_limit_is_refused_by_both_sides(framing: Framing) -> None:
    message = b"x" * (LIMIT + 1)
    with pytest.raises(MessageTooLarge, match=f"13 bytes, limit {LIMIT} bytes"):
        framing.encode(message)
    with pytest.raises(MessageTooLarge) as caught:
        framing.decoder().receive_data(roomy(framing).encode(message))
    assert caught.value.limit_bytes == LIMIT


@EACH
def test_messages_before_a_broken_one_are_delivered_and_the_error_comes_with_the_next_call(
    framing: Framing,
) -> None:
    good = framing.encode(b"one") + framing.encode(b"two")
    decoder = framing.decoder()
    assert decoder.receive_data(good + roomy(framing).encode(b"x" * 100)) == [b"one", b"two"]
    assert isinstance(decoder.error, MessageTooLarge), "a driver can see the error at once"
    with pytest.raises(MessageTooLarge):
        decoder.receive_data(b"")


@EACH
def test_the_waiting_error_comes_with_the_end_of_the_stream_too(framing: Framing) -> None:
    decoder = framing.decoder()
    decoder.receive_data(framing.encode(b"one") + roomy(framing).encode(b"x" * 100))
    with pytest.raises(MessageTooLarge):
        decoder.receive_eof()


@EACH
def test_a_decoder_stays_dead_after_its_error(framing: Framing) -> None:
    decoder = framing.decoder()
    with pytest.raises(MessageTooLarge):
        decoder.receive_data(roomy(framing).encode(b"x" * 100))
    for _ in range(2):
        with pytest.raises(LocalProtocolError, match=r"after its error: .*limit 12 bytes"):
            decoder.receive_data(framing.encode(b"good"))
        with pytest.raises(LocalProtocolError):
            decoder.receive_eof()
    assert "finished, 0 bytes kept" in repr(decoder)


@EACH
def test_an_end_between_messages_is_clean_and_final(framing: Framing) -> None:
    decoder = framing.decoder()
    assert decoder.receive_data(framing.encode(b"one")) == [b"one"]
    assert decoder.receive_eof() == []
    with pytest.raises(LocalProtocolError, match="after the end of the stream"):
        decoder.receive_data(b"")


@EACH
def test_an_end_inside_a_message_says_how_much_of_it_had_arrived(framing: Framing) -> None:
    whole = framing.encode(b"hello")
    for kept in range(1, len(whole)):
        decoder = framing.decoder()
        assert decoder.receive_data(whole[:kept]) == []
        with pytest.raises(EndedInMessage) as caught:
            decoder.receive_eof()
        assert caught.value.kept_bytes == kept


@pytest.mark.parametrize("framing", [*SMALL, Raw()], ids=str)
def test_text_is_refused_with_the_way_to_make_it_bytes(framing: Framing) -> None:
    with pytest.raises(TypeError, match=r"\.encode\(\)"):
        framing.encode("text")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"\.encode\(\)"):
        framing.decoder().receive_data("text")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        framing.encode(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("framing", [*SMALL, Raw()], ids=str)
def test_a_buffer_that_is_reused_does_not_change_a_delivered_message(framing: Framing) -> None:
    buffer = bytearray(framing.encode(b"hello"))
    (message,) = framing.decoder().receive_data(buffer)  # type: ignore[arg-type]
    buffer[:] = b"z" * len(buffer)
    assert type(message) is bytes
    assert b"hello" in message


@given(stream=_STREAM, sizes=_CUTS)
def test_raw_delivers_every_byte_once_and_in_order_however_it_is_cut(stream: bytes, sizes: list[int]) -> None:
    messages, error = outcome(Raw().decoder(), cut(stream, sizes))
    assert b"".join(messages) == stream
    assert error is None
    assert b"" not in messages, "a stream has no empty reads but its end"


@pytest.mark.parametrize("framing", [*SMALL, Raw()], ids=str)
def test_framings_are_values(framing: Framing) -> None:
    assert framing == eval(repr(framing))
    assert hash(framing) == hash(eval(repr(framing)))
    assert framing.name in ("raw", "lines", "length-prefixed", "netstring")


_LARGE = 256 * 1024
_ENDLESS = [
    pytest.param(Lines(max_message_bytes=_LARGE), b"x" * _LARGE, id="lines"),
    pytest.param(
        LengthPrefixed(max_message_bytes=_LARGE), _LARGE.to_bytes(4, "big") + b"x" * (_LARGE - 1), id="length"
    ),
    pytest.param(Netstring(max_message_bytes=_LARGE), b"%d:" % _LARGE + b"x" * _LARGE, id="netstring"),
]


@pytest.mark.parametrize(("framing", "unfinished"), _ENDLESS)
@pytest.mark.parametrize("chunk_bytes", [2, 1448])
def test_an_unfinished_message_costs_little_more_memory_than_the_limit(
    framing: Framing, unfinished: bytes, chunk_bytes: int
) -> None:
    decoder = framing.decoder()
    tracemalloc.start()
    try:
        for offset in range(0, len(unfinished), chunk_bytes):
            assert decoder.receive_data(unfinished[offset : offset + chunk_bytes]) == []
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1.3 * _LARGE
    assert sys.getsizeof(decoder) < 200


@pytest.mark.parametrize(("framing", "unfinished"), _ENDLESS)
def test_nothing_of_a_body_over_the_limit_is_kept(framing: Framing, unfinished: bytes) -> None:
    decoder = type(framing)(max_message_bytes=100).decoder()  # type: ignore[call-arg]
    with pytest.raises(MessageTooLarge):
        decoder.receive_data(unfinished)
    assert "0 bytes kept" in repr(decoder)


@pytest.mark.parametrize("limit", [0, -1])
@pytest.mark.parametrize("kind", [Lines, LengthPrefixed, Netstring])
def test_a_limit_below_one_byte_is_refused(kind: type[Lines | LengthPrefixed | Netstring], limit: int) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        kind(max_message_bytes=limit)


def roomy(framing: Framing) -> Framing:
    """The same framing with a limit that 100 bytes keep: a peer that does not keep ours."""
    if isinstance(framing, Lines):
        return Lines(framing.terminator, 255, framing.strip_cr)
    if isinstance(framing, LengthPrefixed):
        return LengthPrefixed(framing.size, 255)
    return Netstring(255)
