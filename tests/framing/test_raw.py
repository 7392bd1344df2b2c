"""Claims about Raw: what a read delivers is what comes out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lanline.framing.raw import Raw


@given(st.lists(st.binary(max_size=20)))
def test_every_chunk_is_a_message_and_an_empty_one_is_none(chunks: list[bytes]) -> None:
    decoder = Raw().decoder()
    delivered = [message for chunk in chunks for message in decoder.receive_data(Raw().encode(chunk))]
    assert delivered == [chunk for chunk in chunks if chunk]
    assert decoder.receive_eof() == []


def test_two_messages_in_one_read_stick_together() -> None:
    assert Raw().decoder().receive_data(Raw().encode(b"one") + Raw().encode(b"two")) == [b"onetwo"]
