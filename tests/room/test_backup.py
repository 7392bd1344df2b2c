"""The backup of a room opens with its passphrase and is whole."""

from __future__ import annotations

import pytest
from tests.room.founding import the_room

from lanline.errors import AuthorityLocked, StateDamaged
from lanline.room import keys
from lanline.room.backup import Backup, make_backup, open_backup
from lanline.room.certificates import certificate_pem
from lanline.room.keybox import MIN_SCRYPT_N, lock_box


def _backup() -> Backup:
    room = the_room()
    return Backup(room.authority_key, certificate_pem(room.authority), room.signed)


def test_a_backup_holds_all_that_a_new_hub_needs() -> None:
    made = _backup()
    opened = open_backup(make_backup(made, "sesame", scrypt_n=MIN_SCRYPT_N), "sesame")
    assert keys.public_key_hash(opened.authority_key) == keys.public_key_hash(made.authority_key)
    assert (opened.authority_certificate, opened.roster) == (made.authority_certificate, made.roster)


def test_a_backup_is_always_encrypted() -> None:
    data = make_backup(_backup(), "sesame", scrypt_n=MIN_SCRYPT_N)
    assert b"hub-1" not in data
    for wrong in (None, "other"):
        with pytest.raises(AuthorityLocked):
            open_backup(data, wrong)


def test_the_key_file_is_no_backup_and_the_backup_no_key_file() -> None:
    room = the_room()
    with pytest.raises(StateDamaged):
        open_backup(keys.lock_authority_key(room.authority_key, None), None)
    with pytest.raises(StateDamaged):
        keys.open_authority_key(make_backup(_backup(), "sesame", scrypt_n=MIN_SCRYPT_N), "sesame")


def test_a_backup_with_other_content_is_refused() -> None:
    with pytest.raises(StateDamaged, match="another version"):
        open_backup(lock_box(b"\x90", None, purpose="room-backup"), None)


def test_a_backup_shows_no_key() -> None:
    assert "authority_key" not in repr(_backup())
