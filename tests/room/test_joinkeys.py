"""From a code to four keys, and what they seal."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline.errors import RemoteProtocolError
from lanline.room.joincode import JoinCode
from lanline.room.joinkeys import ELEMENT_BYTES, Exchange, JoinKeys, derive, open_once, proof_of, seal_once

CODE = JoinCode("K7", "QM4T9XWB")


def _both(hub_code: JoinCode = CODE, second: bytes = b"") -> tuple[JoinKeys, JoinKeys]:
    joiner, hub = Exchange(CODE, is_joiner=True), Exchange(hub_code, is_joiner=False)
    a, b = joiner.start(), hub.start()
    return joiner.finish(b, a, b), hub.finish(a, a, second or b)


def test_the_same_code_gives_both_sides_the_same_keys() -> None:
    joiner, hub = _both()
    assert joiner == hub
    keys = {joiner.joiner_proof, joiner.joiner_seal, joiner.hub_proof, joiner.hub_seal, joiner.transcript}
    assert len(keys) == 5
    assert {len(key) for key in keys} == {32}


def test_another_secret_or_slot_gives_other_keys() -> None:
    for other in (JoinCode("K7", "QM4T9XWC"), JoinCode("K8", "QM4T9XWB")):
        joiner, hub = _both(other)
        assert joiner.transcript == hub.transcript
        assert joiner.joiner_proof != hub.joiner_proof


def test_another_transcript_gives_other_keys() -> None:
    joiner, hub = _both(second=b"something else")
    assert joiner.joiner_proof != hub.joiner_proof


def test_each_conversation_has_its_own_keys() -> None:
    assert _both()[0].joiner_seal != _both()[0].joiner_seal


def test_the_keys_are_those_of_the_page() -> None:
    transcript = hashlib.sha256(b"lanline join 1\0" + b"one" + b"two").digest()
    pseudo = hmac.digest(transcript, b"shared", "sha256")
    blocks, block = b"", b""
    for number in (1, 2, 3, 4):
        block = hmac.digest(pseudo, block + b"lanline join 1 keys" + bytes([number]), "sha256")
        blocks += block
    keys = derive(b"shared", b"one", b"two")
    assert keys.transcript == transcript
    assert keys.joiner_proof + keys.joiner_seal + keys.hub_proof + keys.hub_seal == blocks


@pytest.mark.parametrize("length", [0, 1, 2, 32, 34])
def test_an_element_of_another_length_is_refused_unseen(length: int) -> None:
    exchange = Exchange(CODE, is_joiner=False)
    exchange.start()
    with pytest.raises(RemoteProtocolError, match=f"expected {ELEMENT_BYTES} bytes"):
        exchange.finish(b"A\x01"[:length].ljust(length, b"\0"), b"", b"")


def test_ones_own_element_reflected_is_refused() -> None:
    for letter in (b"A", b"B"):
        exchange = Exchange(CODE, is_joiner=True)
        element = exchange.start()
        with pytest.raises(RemoteProtocolError, match="no point"):
            exchange.finish(letter + element[1:], b"", b"")


@given(st.binary(max_size=100), st.binary(max_size=50))
def test_what_was_sealed_is_opened_by_its_key_and_with_its_data_only(plain: bytes, additional: bytes) -> None:
    key, other = bytes(32), b"\1" * 32
    sealed = seal_once(key, plain, additional)
    assert open_once(key, sealed, additional) == plain
    for attempt in ((other, sealed, additional), (key, sealed, additional + b"x"), (key, sealed[:-1], additional)):
        with pytest.raises(RemoteProtocolError, match="changed on its way"):
            open_once(*attempt)


def test_keys_are_not_shown() -> None:
    keys = _both()[0]
    assert "proof" not in repr(keys)
    assert proof_of(keys.joiner_proof, b"x") != proof_of(keys.hub_proof, b"x")
