"""Claims about Netstring beyond those of every framing."""

from __future__ import annotations

import pytest

from lanline.errors import MessageTooLarge, RemoteProtocolError
from lanline.framing.netstring import Netstring


def test_the_bytes_on_the_wire() -> None:
    assert Netstring().encode(b"hello") == b"5:hello,"
    assert Netstring().encode(b"") == b"0:,"
    assert Netstring().decoder().receive_data(b"5:hello,0:,12:hello, world,") == [
        b"hello",
        b"",
        b"hello, world",
    ]


@pytest.mark.parametrize(
    "garbage",
    [
        b"hello",
        b":",
        b",",
        b"-1:",
        b"+1:a,",
        b" 1:a,",
        b"1 :a,",
        b"01:a,",
        b"00:,",
        b"1_0:",
        b"0x5:",
        b"\xb2:",
        b"\n",
    ],
)
def test_a_header_in_any_other_form_is_refused_with_what_was_found(garbage: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="begins with its length and a colon, not with b"):
        Netstring().decoder().receive_data(garbage)


def test_a_missing_comma_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="of 5 bytes ends with a comma, not with b'!'"):
        Netstring().decoder().receive_data(b"5:hello!")


def test_a_length_over_the_limit_is_refused_before_its_colon() -> None:
    decoder = Netstring(max_message_bytes=99).decoder()
    assert decoder.receive_data(b"10") == []
    with pytest.raises(MessageTooLarge, match="limit 99 bytes"):
        decoder.receive_data(b"0")


def test_endless_digits_are_not_collected() -> None:
    with pytest.raises(MessageTooLarge):
        Netstring().decoder().receive_data(b"9" * 1_000_000)
