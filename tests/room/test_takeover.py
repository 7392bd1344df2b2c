"""Claims about taking a room over: the new hub stands in the old one's place, and the old key stays out."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.room.founding import Founded, found, the_room

from lanline.errors import AuthorityLocked, InRoomAlready, RoomError, StateDamaged, UsageError
from lanline.roles import Role
from lanline.room import keys
from lanline.room.backup import Backup, make_backup
from lanline.room.certificates import certificate_pem
from lanline.room.identity import load_identity
from lanline.room.keybox import MIN_SCRYPT_N
from lanline.room.paths import StateFolder
from lanline.room.roster import TAKEOVER_STEP
from lanline.room.settings import Settings
from lanline.room.takeover import read_backup, take_over


def backup_of(room: Founded, *, signed: bytes = b"", key: keys.PrivateKey | None = None) -> bytes:
    """A backup, or one whose parts do not belong together."""
    whole = Backup(key or room.authority_key, certificate_pem(room.authority), signed or room.signed)
    return make_backup(whole, "sesame", scrypt_n=MIN_SCRYPT_N)


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """Of a machine in no room."""
    return StateFolder(tmp_path / "state")


def test_the_new_hub_has_the_name_of_the_old_and_its_own_key(folder: StateFolder) -> None:
    room = the_room()
    taken = take_over(folder, backup_of(room), "sesame", Settings(), is_locked=False)
    me = load_identity(folder)
    assert me.is_hub and me.name == "hub-1" and me.own_line is not None and me.own_line.role is Role.OWNER
    old = keys.public_key_hash(room.hub_key)
    assert me.key_hash != old
    assert old in taken.after.removed
    assert taken.after.number == taken.before.number + TAKEOVER_STEP
    assert taken.after.datagram_epoch > taken.before.datagram_epoch
    assert taken.after.member_named("pc7") == taken.before.member_named("pc7")


@pytest.mark.parametrize("is_locked", [True, False])
def test_the_authority_key_is_locked_with_the_backups_passphrase_or_not_at_all(
    folder: StateFolder, *, is_locked: bool
) -> None:
    take_over(folder, backup_of(the_room()), "sesame", Settings(), is_locked=is_locked)
    data = folder.authority_key.read_bytes()
    assert keys.is_authority_locked(data) is is_locked
    opened = keys.open_authority_key(data, "sesame" if is_locked else None)
    assert keys.public_key_hash(opened) == keys.public_key_hash(the_room().authority_key)


def test_a_wrong_passphrase_or_a_flipped_byte_founds_nothing(folder: StateFolder) -> None:
    data = backup_of(the_room())
    with pytest.raises(AuthorityLocked, match="does not open the room backup"):
        take_over(folder, data, "simsala", Settings(), is_locked=True)
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    with pytest.raises(StateDamaged):
        take_over(folder, bytes(flipped), "sesame", Settings(), is_locked=True)
    assert not folder.is_in_room


def test_parts_of_two_rooms_are_refused(folder: StateFolder) -> None:
    room, other = the_room(), found()
    with pytest.raises(StateDamaged, match="did not sign"):
        take_over(folder, backup_of(room, signed=other.signed), "sesame", Settings(), is_locked=True)
    with pytest.raises(StateDamaged, match="do not belong together"):
        take_over(folder, backup_of(room, key=other.authority_key), "sesame", Settings(), is_locked=True)
    assert not folder.is_in_room


def test_a_machine_in_a_room_takes_over_none(folder: StateFolder) -> None:
    data = backup_of(the_room())
    take_over(folder, data, "sesame", Settings(), is_locked=False)
    with pytest.raises(InRoomAlready):
        take_over(folder, data, "sesame", Settings(), is_locked=False)


def test_a_key_that_the_roster_knows_already_is_refused() -> None:
    room = the_room()
    with pytest.raises(RoomError, match="this machine's key is in the roster"):
        room.roster.taken_over_by(keys.public_key_hash(room.node_key), issued_at=9)


def test_a_file_that_cannot_be_a_backup_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_backup(str(tmp_path / "none"))
    (tmp_path / "large").write_bytes(bytes(4_000_000))
    with pytest.raises(UsageError, match="is no backup: it has more than"):
        read_backup(str(tmp_path / "large"))
