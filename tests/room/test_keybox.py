"""A secret in a box: opened by its passphrase and by nothing else."""

from __future__ import annotations

import json

import msgspec
import pytest

from lanline.errors import AuthorityLocked, StateDamaged, UsageError
from lanline.room.keybox import MIN_SCRYPT_N, SCRYPT_N, lock_box, needs_passphrase, open_box
from lanline.room.sealed import seal

BOX = lock_box(b"the secret", "open sesame", purpose="test", scrypt_n=MIN_SCRYPT_N)


def test_the_passphrase_opens_the_box() -> None:
    assert open_box(BOX, "open sesame", purpose="test") == b"the secret"
    assert needs_passphrase(BOX, purpose="test")
    assert b"the secret" not in BOX


def test_a_wrong_passphrase_is_not_called_damage() -> None:
    with pytest.raises(AuthorityLocked, match="does not open"):
        open_box(BOX, "open sesame ", purpose="test")


def test_a_missing_passphrase_is_said() -> None:
    with pytest.raises(AuthorityLocked, match="needs its passphrase"):
        open_box(BOX, None, purpose="test")


def test_an_empty_passphrase_is_refused() -> None:
    with pytest.raises(UsageError, match="empty"):
        lock_box(b"x", "", purpose="test", scrypt_n=MIN_SCRYPT_N)


def test_accents_may_be_composed_either_way() -> None:
    box = lock_box(b"x", "caf\u00e9 口令", purpose="test", scrypt_n=MIN_SCRYPT_N)
    assert open_box(box, "cafe\u0301 口令", purpose="test") == b"x"


def test_without_a_passphrase_the_secret_lies_open() -> None:
    box = lock_box(b"x", None, purpose="test")
    assert open_box(box, None, purpose="test") == open_box(box, "any", purpose="test") == b"x"
    assert not needs_passphrase(box, purpose="test")


def test_a_box_for_another_purpose_is_refused() -> None:
    with pytest.raises(StateDamaged, match="not for 'other'"):
        open_box(BOX, "open sesame", purpose="other")


def test_the_same_secret_never_looks_the_same() -> None:
    assert lock_box(b"the secret", "open sesame", purpose="test", scrypt_n=MIN_SCRYPT_N) != BOX


@pytest.mark.parametrize("cost", [2**14, 2**21, 100_000, 0])
def test_a_cost_out_of_range_is_refused(cost: int) -> None:
    with pytest.raises(UsageError, match="power of two"):
        lock_box(b"x", "y", purpose="test", scrypt_n=cost)
    assert SCRYPT_N == 2**17


@pytest.mark.parametrize(
    "change", [{"n": 2**40}, {"n": 2**3}, {"kdf": "none"}, {"kdf": "md5"}, {"nonce": "AA=="}, {"version": 2}]
)
def test_a_box_with_other_costs_than_ours_is_refused_before_any_work(change: dict[str, object]) -> None:
    value = json.loads(BOX)["value"] | change
    with pytest.raises(StateDamaged):
        open_box(seal("key-box", value), "open sesame", purpose="test")


def test_a_cost_that_was_lowered_does_not_open() -> None:
    box = lock_box(b"x", "y", purpose="test", scrypt_n=2**16)
    value = json.loads(box)["value"] | {"n": 2**15}
    with pytest.raises(AuthorityLocked):
        open_box(seal("key-box", value), "y", purpose="test")


def test_ciphertext_changed_under_a_fresh_seal_does_not_open() -> None:
    value = json.loads(BOX)["value"]
    secret = bytearray(msgspec.json.decode(f'"{value["secret"]}"', type=bytes))
    secret[0] ^= 1
    value["secret"] = json.loads(msgspec.json.encode(bytes(secret)))
    with pytest.raises(AuthorityLocked):
        open_box(seal("key-box", value), "open sesame", purpose="test")
