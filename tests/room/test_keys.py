"""P-256 keys: stored exactly, named by their public half, signing for one purpose at a time."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from tests.room.founding import the_room

from lanline.errors import AuthorityLocked, StateDamaged
from lanline.room import keys
from lanline.room.keybox import MIN_SCRYPT_N, lock_box


def test_a_node_key_comes_back_from_its_file() -> None:
    key = keys.new_key()
    assert keys.public_key_hash(keys.parse_node_key(keys.node_key_pem(key))) == keys.public_key_hash(key)


def test_key_public_half_and_certificate_have_one_hash() -> None:
    room = the_room()
    der = room.node.public_bytes(Encoding.DER)
    hashes = {keys.public_key_hash(one) for one in (room.node_key, room.node_key.public_key(), room.node, der)}
    assert len(hashes) == 1
    assert len(hashes.pop()) == keys.KEY_HASH_BYTES


def test_a_certificate_issued_again_keeps_the_hash() -> None:
    from lanline.room.certificates import new_node_certificate

    room = the_room()
    again = new_node_certificate(room.authority_key, room.authority, room.node_key.public_key(), "pc7")
    assert again.serial_number != room.node.serial_number
    assert keys.public_key_hash(again) == keys.public_key_hash(room.node)


def test_bytes_that_are_no_certificate_have_no_hash() -> None:
    with pytest.raises(ValueError, match="asn1"):
        keys.public_key_hash(b"nothing")


def test_text_around_the_pem_is_damage() -> None:
    pem = keys.node_key_pem(keys.new_key())
    for changed in (b"\n" + pem, pem + b"\n", pem.replace(b"\n", b"\r\n"), pem[:-1], b""):
        with pytest.raises(StateDamaged) as refused:
            keys.parse_node_key(changed)
        assert "join again" in refused.value.advice


@pytest.mark.parametrize("other", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()])
def test_a_key_of_another_kind_is_refused(other: ec.EllipticCurvePrivateKey) -> None:
    with pytest.raises(StateDamaged, match="P-256"):
        keys.parse_node_key(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(StateDamaged, match="P-256"):
        keys.parse_private_der(other.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def test_the_authority_key_is_locked_by_a_passphrase() -> None:
    key = keys.new_key()
    data = keys.lock_authority_key(key, "sesame", scrypt_n=MIN_SCRYPT_N)
    assert keys.is_authority_locked(data)
    with pytest.raises(AuthorityLocked):
        keys.open_authority_key(data)
    assert keys.public_key_hash(keys.open_authority_key(data, "sesame")) == keys.public_key_hash(key)


def test_the_authority_key_without_a_passphrase_is_open() -> None:
    key = keys.new_key()
    data = keys.lock_authority_key(key, None)
    assert not keys.is_authority_locked(data)
    assert keys.public_key_hash(keys.open_authority_key(data)) == keys.public_key_hash(key)


def test_a_box_that_holds_no_key_is_damage() -> None:
    with pytest.raises(StateDamaged, match="no private key"):
        keys.open_authority_key(lock_box(b"hello", None, purpose="authority-key"))


@given(st.binary(max_size=100))
def test_a_signature_holds_for_its_data_its_context_and_its_key(data: bytes) -> None:
    room = the_room()
    signature = keys.sign(room.hub_key, "x", data)
    public = room.hub_key.public_key()
    assert len(signature) == keys.SIGNATURE_BYTES
    assert keys.is_signed(public, "x", signature, data)
    assert not keys.is_signed(public, "y", signature, data)
    assert not keys.is_signed(public, "x", signature, data + b"\0")
    assert not keys.is_signed(room.node_key.public_key(), "x", signature, data)


@given(st.binary(max_size=80))
def test_no_garbage_is_a_signature(signature: bytes) -> None:
    assert not keys.is_signed(the_room().hub_key.public_key(), "x", signature, b"data")


def test_the_short_form_of_a_key_is_for_people() -> None:
    assert keys.short_key(bytes(range(32))) == "0001020304050607"


def test_importing_the_pure_half_of_the_room_loads_no_certificates() -> None:
    names = "keys keybox certificates roster book freshness policy policyfile audit door joining paths backup"
    imports = "\n".join(f"import lanline.room.{name}" for name in names.split())
    code = f"import sys\n{imports}\nprint(*{{'cryptography', 'spake2', 'asyncio', 'ssl'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15, check=True)
    assert done.stdout.split() == []
