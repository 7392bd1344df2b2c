"""The backup of a room: all that a new hub needs to take over, in one encrypted file.

It holds the authority key, the authority certificate and the newest signed roster. Not the node's key (a
new hub makes its own), not the chat log. Rule: a backup is always encrypted, whatever the hub's own file
is, for it is made to be carried around.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from lanline.errors import StateDamaged
from lanline.room.keybox import SCRYPT_N, lock_box, open_box
from lanline.room.keys import parse_private_der, private_der

if TYPE_CHECKING:
    from lanline.room.keys import PrivateKey

_PURPOSE: Final = "room-backup"


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds."""

    authority_key: PrivateKey = field(repr=False)
    authority_certificate: bytes
    """PEM; check it with `certificates.parse_authority_certificate`."""
    roster: bytes = field(repr=False)
    """As signed; check it with `roster.verify`."""


class _Content(msgspec.Struct, frozen=True, array_like=True):
    key: bytes
    certificate: bytes
    roster: bytes


def make_backup(backup: Backup, passphrase: str, *, scrypt_n: int = SCRYPT_N) -> bytes:
    """The bytes of an encrypted backup file.

    Raises:
        UsageError: the passphrase is empty.
    """
    content = _Content(private_der(backup.authority_key), backup.authority_certificate, backup.roster)
    return lock_box(msgspec.msgpack.encode(content), passphrase, purpose=_PURPOSE, scrypt_n=scrypt_n)


def open_backup(data: bytes, passphrase: str | None) -> Backup:
    """The content of a backup file. Takes a quarter of a second: call it in a thread.

    Raises:
        AuthorityLocked: the passphrase is missing or wrong.
        StateDamaged: the file is not what was written, or no backup.
    """
    plain = open_box(data, passphrase, purpose=_PURPOSE)
    try:
        content = msgspec.msgpack.decode(plain, type=_Content)
    except msgspec.DecodeError as error:
        raise StateDamaged(f"the backup was written by another version: {error}") from error
    return Backup(parse_private_der(content.key), content.certificate, content.roster)
