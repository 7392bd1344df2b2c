"""How a machine becomes the hub of a room from its backup, when the hub before it is lost.

It makes a node key of its own and takes the old hub's name, by which every member checks whom it talks to; the old
hub's key is removed. What was changed after the backup is unknown here: the number of the new roster leaps so far that
every member takes it for newer, whatever the old hub has signed since. Blocking, and before any node runs; as with
founding, the node's certificate is written last.

Not guarded against: the old hub coming back. Its key is in no roster that a member of the new hub has, but it still
holds the authority key. Whoever has taken over destroys it (`lanline leave --end-room` there).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lanline.errors import RemoteProtocolError, StateDamaged, UsageError
from lanline.room.backup import open_backup
from lanline.room.certificates import certificate_pem, new_node_certificate, parse_authority_certificate
from lanline.room.civil import civil_now
from lanline.room.disk import create_secret, write_atomic
from lanline.room.founding import DATAGRAM_KIND, DatagramKey, check_free, node_key_for
from lanline.room.keys import lock_authority_key, public_key_hash
from lanline.room.paths import StateFolder
from lanline.room.roster import MAX_ROSTER_BYTES, Roster, sign, verify
from lanline.room.sealed import save_sealed
from lanline.room.settings import Settings, save_settings

if TYPE_CHECKING:
    from lanline.room.keys import PublicKey

_MAX_BYTES = 2 * MAX_ROSTER_BYTES + 64 * 1024
"""Of a backup: its roster in base64, a key and a certificate."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The roster in the backup, and the first of the new hub."""

    before: Roster
    after: Roster


def read_backup(file: str) -> bytes:
    """The bytes of a backup file, which may lie anywhere.

    Raises:
        UsageError: it cannot be read, or is too large to be one.
    """
    try:
        with Path(file).open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error
    if len(data) > _MAX_BYTES:
        raise UsageError(f"{file} is no backup: it has more than {_MAX_BYTES} bytes")
    return data


def take_over(folder: StateFolder, data: bytes, passphrase: str, settings: Settings, *, is_locked: bool) -> Taken:
    """Makes the folder that of the room's new hub.

    Args:
        folder: belongs to no room.
        data: the backup.
        passphrase: of the backup.
        settings: how the node will serve.
        is_locked: encrypt the authority key here too, with the same passphrase.

    Raises:
        AuthorityLocked: the passphrase does not open the backup. StateDamaged: it is not what was written.
        InRoomAlready: the folder is in a room. StateUnsafe, StateNotSaved: it cannot be used.
    """
    check_free(folder)
    backup = open_backup(data, passphrase)
    authority = parse_authority_certificate(backup.authority_certificate)
    try:
        before = verify(backup.roster, cast("PublicKey", authority.public_key()))
    except RemoteProtocolError as error:
        raise StateDamaged(f"the backup holds {error}") from error
    if public_key_hash(backup.authority_key) != before.room_id:
        raise StateDamaged("the keys in the backup do not belong together")
    node_key = node_key_for(folder)
    after = before.taken_over_by(public_key_hash(node_key), issued_at=int(civil_now()))
    hub = after.member_for(after.hub)
    assert hub is not None, "the hub is a member"
    certificate = new_node_certificate(backup.authority_key, authority, node_key.public_key(), hub.name)
    folder.authority_key.unlink(missing_ok=True)  # of an earlier try that did not come to its end
    create_secret(folder.authority_key, lock_authority_key(backup.authority_key, passphrase if is_locked else None))
    save_sealed(folder.datagram_key, DATAGRAM_KIND, DatagramKey(after.datagram_epoch, os.urandom(32)))
    write_atomic(folder.authority_certificate, certificate_pem(authority))
    write_atomic(folder.roster, sign(after, backup.authority_key))
    save_settings(folder, settings)
    write_atomic(folder.node_certificate, certificate_pem(certificate))
    return Taken(before, after)
