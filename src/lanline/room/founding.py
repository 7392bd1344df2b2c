"""How a state folder comes to belong to a room: founding one, or keeping what the hub handed out.

Blocking, and before any node runs. Either everything needed is on disk at the end, the node's certificate last (it is
what `StateFolder.is_in_room` looks for), or the folder counts as in no room and the same word can be tried again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec

from lanline.errors import InRoomAlready
from lanline.room.certificates import certificate_pem, new_authority_certificate, new_node_certificate
from lanline.room.civil import civil_now
from lanline.room.disk import create_secret, read_secret, write_atomic
from lanline.room.keys import (
    lock_authority_key,
    new_key,
    node_key_pem,
    parse_node_key,
    public_key_hash,
)
from lanline.room.paths import StateFolder
from lanline.room.roster import Roster, first_roster, sign
from lanline.room.sealed import save_sealed
from lanline.room.settings import Settings, save_settings

if TYPE_CHECKING:
    from lanline.room.joining import Joined
    from lanline.room.keys import PrivateKey

DATAGRAM_KIND: Final = "datagram-key"


class DatagramKey(msgspec.Struct, frozen=True):
    """The room's datagram key and its epoch; used by beacons and shouts."""

    epoch: int
    key: bytes


def check_free(folder: StateFolder) -> None:
    """Raises InRoomAlready when it belongs to a room."""
    if folder.is_in_room:
        raise InRoomAlready(f"this machine is in a room already ({folder.home})")


def found(folder: StateFolder, room: str, node: str, settings: Settings, passphrase: str | None) -> Roster:
    """Founds a room with this machine as its hub and owner.

    Args:
        folder: where the state goes.
        room, node: their names.
        settings: how the node will serve.
        passphrase: for the authority key; None leaves it in the clear.

    Raises:
        UsageError: a name is not allowed. InRoomAlready: the folder is in a room.
        StateUnsafe, StateNotSaved: the folder cannot be used.
    """
    check_free(folder)
    authority_key, node_key = new_key(), _node_key(folder)
    authority = new_authority_certificate(authority_key, room)
    roster = first_roster(room, authority_key.public_key(), node, public_key_hash(node_key), issued_at=int(civil_now()))
    certificate = new_node_certificate(authority_key, authority, node_key.public_key(), node)
    folder.authority_key.unlink(missing_ok=True)  # of an earlier try that did not come to its end
    create_secret(folder.authority_key, lock_authority_key(authority_key, passphrase))
    save_sealed(folder.datagram_key, DATAGRAM_KIND, DatagramKey(roster.datagram_epoch, os.urandom(32)))
    write_atomic(folder.authority_certificate, certificate_pem(authority))
    write_atomic(folder.roster, sign(roster, authority_key))
    save_settings(folder, settings)
    write_atomic(folder.node_certificate, certificate_pem(certificate))
    return roster


def keep_joined(folder: StateFolder, joined: Joined, settings: Settings) -> None:
    """Puts what the hub handed out on disk.

    Raises:
        StateNotSaved: the folder cannot be written.
    """
    save_sealed(folder.datagram_key, DATAGRAM_KIND, DatagramKey(joined.datagram_epoch, joined.datagram_key))
    write_atomic(folder.authority_certificate, joined.authority_certificate)
    write_atomic(folder.roster, joined.roster_data)
    save_settings(folder, settings)
    write_atomic(folder.node_certificate, joined.node_certificate)


def node_key_for(folder: StateFolder) -> PrivateKey:
    """This machine's key, made where there is none yet: for joining.

    Raises:
        StateUnsafe, StateDamaged: the key on disk cannot be used.
    """
    folder.ensure()
    return _node_key(folder)


def leave(folder: StateFolder) -> None:
    """Forgets the room: keys, certificates, roster, presence and settings go; audit and policy stay.

    The certificate goes first, so that a half-done leave counts as having left.
    """
    files = (
        folder.node_certificate,
        folder.node_key,
        folder.authority_key,
        folder.authority_certificate,
        folder.roster,
        folder.datagram_key,
        folder.presence,
        folder.settings,
        folder.freshness,
    )
    for path in files:
        path.unlink(missing_ok=True)


def _node_key(folder: StateFolder) -> PrivateKey:
    folder.ensure()
    there = read_secret(folder.node_key)
    if there is not None:
        return parse_node_key(there)
    key = new_key()
    create_secret(folder.node_key, node_key_pem(key))
    return key
