"""Who this machine is: its state folder read, checked against itself, and turned into keys, names and TLS contexts.

Rule: whatever on disk is not what was written, or does not fit the rest, ends in a refusal that says what to do.
Nothing is opened on the word of a damaged file.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast

from lanline.errors import NotInRoom, RemoteProtocolError, StateDamaged
from lanline.room.book import RosterBook
from lanline.room.certificates import node_of, parse_authority_certificate, parse_node_certificate, room_of
from lanline.room.disk import quoted, read_secret, read_state
from lanline.room.keys import parse_node_key, public_key_hash
from lanline.room.paths import StateFolder
from lanline.room.roster import MAX_ROSTER_BYTES, Member
from lanline.transport.tls import mutual_context

if TYPE_CHECKING:
    from pathlib import Path

    from lanline.room.keys import PublicKey

T = TypeVar("T")

_MAX_CERTIFICATE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """This machine in its room.

    Attributes:
        folder: where the state lies.
        name, room: as in the certificates.
        key_hash: of this node's key.
        book: the roster in force.
        accepting, connecting: TLS contexts of the two sides of links.
    """

    folder: StateFolder
    name: str
    room: str
    key_hash: bytes
    book: RosterBook
    accepting: ssl.SSLContext = field(repr=False)
    connecting: ssl.SSLContext = field(repr=False)

    @property
    def own_line(self) -> Member | None:
        """This machine's line in the roster; None once it was removed."""
        return self.book.member_for(self.key_hash)

    @property
    def hub_line(self) -> Member:
        """The hub's line in the roster."""
        member = self.book.member_for(self.book.current.hub)
        assert member is not None, "a valid roster lists its hub"
        return member

    @property
    def is_hub(self) -> bool:
        """Whether this machine is the hub."""
        return self.book.current.hub == self.key_hash


def load_identity(folder: StateFolder) -> Identity:
    """Reads the state folder.

    Raises:
        NotInRoom: there is no room in it.
        StateUnsafe: others can read or change it. StateDamaged: a file is not what was written.
    """
    if not folder.is_in_room:
        raise NotInRoom(f"this machine is in no room ({folder.path})")
    folder.check()
    authority = _parsed(folder, folder.authority_certificate, parse_authority_certificate)
    key = _parsed(folder, folder.node_key, parse_node_key, read=read_secret)
    key_hash = public_key_hash(key)
    certificate = _parsed(
        folder, folder.node_certificate, lambda data: parse_node_certificate(data, authority, key_hash=key_hash)
    )
    book = _parsed(
        folder,
        folder.roster,
        lambda data: RosterBook(cast("PublicKey", authority.public_key()), data),
        read=lambda path: read_state(path, max_bytes=MAX_ROSTER_BYTES),
    )
    files = (folder.node_certificate, folder.node_key, folder.authority_certificate)
    return Identity(
        folder,
        node_of(certificate, authority),
        room_of(authority),
        key_hash,
        book,
        mutual_context("accepting", *files),
        mutual_context("connecting", *files),
    )


def _read_small(path: Path) -> bytes | None:
    return read_state(path, max_bytes=_MAX_CERTIFICATE_BYTES)


def _parsed(
    folder: StateFolder,
    path: Path,
    parse: Callable[[bytes], T],
    *,
    read: Callable[[Path], bytes | None] = _read_small,
) -> T:
    """What a file holds; whatever is wrong with it is said with its name and what to do."""
    try:
        data = read(path)
        if data is None:
            raise StateDamaged(f"{path} is missing")
        return parse(data)
    except (StateDamaged, RemoteProtocolError) as error:
        words = str(error) if str(path) in str(error) else f"{path}: {error}"
        raise StateDamaged(words, advice=_again(folder)) from error


def _again(folder: StateFolder) -> str:
    return (
        f"restore it from a backup, or move the folder away (mv {quoted(folder.path)} {quoted(folder.path)}.old) and "
        "join the room again."
    )
