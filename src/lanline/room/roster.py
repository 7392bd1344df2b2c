"""The roster: the signed, numbered list of a room's members. The only source of who is in and with which
role.

Pure: no file, no clock, no network. Three rules: the signature is checked before a single byte of the
content is decoded; a member is a key, its name only a label (whoever reuses a name inherits nothing);
the number only grows, which `book.py` guards.

On the wire and on disk, big-endian::

    magic      4 bytes   "LLR" and the version, 1
    signature  64 bytes  P-256 over "lanline roster", a zero byte, and the content; see `keys.sign`
    content    msgpack   array: room, room id, number, issued at, members, removed, hub, datagram epoch
      member   array: name, key hash (32 bytes), role (1 to 4), number of the roster it came with

Fields are only ever appended; a reader ignores what it does not know, and the signature covers it all the
same.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lanline.errors import RemoteProtocolError, RoomError, UsageError
from lanline.limits import LAN
from lanline.roles import Role
from lanline.room.keys import KEY_HASH_BYTES, SIGNATURE_BYTES, is_signed, public_key_hash
from lanline.room.keys import sign as sign_bytes
from lanline.room.names import check_name

if TYPE_CHECKING:
    from lanline.room.keys import PrivateKey, PublicKey

MAX_MEMBERS: Final = 4096
MAX_REMOVED: Final = 8192
"""Removed keys that are remembered; beyond it the oldest is forgotten. 34 bytes each."""
MAX_ROSTER_BYTES: Final = LAN.max_roster_bytes
MAX_NUMBER: Final = 2**53
"""Every reader, one in JavaScript included, counts this far exactly."""

TAKEOVER_STEP: Final = 2**20
"""By how much the number leaps when a hub takes over from a backup: more changes than the lost hub can have signed
since the backup was made."""

_MAGIC: Final = b"LLR\x01"
_CONTEXT: Final = "roster"
_HEAD_BYTES: Final = len(_MAGIC) + SIGNATURE_BYTES


class Member(msgspec.Struct, frozen=True, array_like=True):
    """One line of the roster."""

    name: str
    key_hash: bytes
    """SHA-256 of the public key, 32 bytes: who this is."""
    role: Role
    added: int = 0
    """Number of the roster it first stood in."""


class Roster(msgspec.Struct, frozen=True, array_like=True):
    """Who is in a room. Frozen: the methods that change something return the next roster, unsigned."""

    room: str
    room_id: bytes
    """Hash of the authority's key, 32 bytes: two rooms of one name are two rooms."""
    number: int
    issued_at: int
    """Seconds since 1970 by the hub's clock. For people only: nothing is decided by it."""
    members: tuple[Member, ...]
    """Sorted by name."""
    removed: tuple[bytes, ...] = ()
    """Hashes of keys that were removed, oldest first: they never come back by accident."""
    hub: bytes = b""
    """Key hash of the member that is the hub."""
    datagram_epoch: int = 0
    """Grows with each removal: which datagram key is in force."""

    def member_for(self, key_hash: bytes) -> Member | None:
        """The member with this key, or None: it is not, or no longer, in the room."""
        return next((member for member in self.members if member.key_hash == key_hash), None)

    def member_named(self, name: str) -> Member | None:
        """The member with this name. For what a person typed; never to judge a peer."""
        return next((member for member in self.members if member.name == name), None)

    def with_member(self, name: str, key_hash: bytes, role: Role, *, issued_at: int) -> Roster:
        """The next roster, with one more member.

        Raises:
            UsageError: the name is not allowed, or taken.
            RoomError: the key is in already or was removed, or the room is full.
        """
        check_name(name, what="node name")
        if self.member_named(name):
            raise UsageError(f"the name {name} is taken in room {self.room}", advice="another name: --name NAME.")
        if key_hash in self.removed:
            raise RoomError(
                f"the key of {name} was removed from room {self.room} and stays out",
                advice="move that machine's state folder away, so that it makes a new key, and join again.",
            )
        if there := self.member_for(key_hash):
            raise RoomError(f"this key is in room {self.room} already, as {there.name}")
        if len(self.members) >= MAX_MEMBERS:
            raise RoomError(f"room {self.room} is full: {MAX_MEMBERS} members")
        member = Member(name, key_hash, role, self.number + 1)
        return self._next(issued_at, members=_sorted((*self.members, member)))

    def without(self, name: str, *, issued_at: int) -> Roster:
        """The next roster, with one member less; its key is remembered as removed and the datagram key
        changes.

        Raises:
            UsageError: there is no such member, or it is the hub.
        """
        gone = self._must_have(name)
        if gone.key_hash == self.hub:
            raise UsageError(
                f"{name} is the hub of room {self.room} and cannot be removed",
                advice="lanline leave --end-room there ends the room for everybody.",
            )
        return self._next(
            issued_at,
            members=tuple(member for member in self.members if member is not gone),
            removed=(*self.removed, gone.key_hash)[-MAX_REMOVED:],
            datagram_epoch=self.datagram_epoch + 1,
        )

    def with_role(self, name: str, role: Role, *, issued_at: int) -> Roster:
        """The next roster, with another role for one member.

        Raises:
            UsageError: there is no such member, it is the hub, or it has that role already.
        """
        old = self._must_have(name)
        if old.key_hash == self.hub:
            raise UsageError(f"{name} is the hub of room {self.room} and stays its owner", advice="")
        if old.role == role:
            raise UsageError(f"{name} is {role.word} already", advice="")
        new = msgspec.structs.replace(old, role=role)
        others = tuple(member for member in self.members if member is not old)
        return self._next(issued_at, members=_sorted((*others, new)))

    def taken_over_by(self, key_hash: bytes, *, issued_at: int) -> Roster:
        """The first roster of another hub, which takes the name of the one before; that one's key is removed.

        Its number leaps by `TAKEOVER_STEP`.

        Args:
            key_hash: of the new hub's key.
            issued_at: seconds since 1970.

        Raises:
            RoomError: that key is a member's, or was removed; or the room has no hub.
        """
        old = self.member_for(self.hub)
        if old is None:
            raise RoomError(f"the roster of room {self.room} names no hub")
        if key_hash in self.removed or self.member_for(key_hash):
            raise RoomError(
                f"this machine's key is in the roster of room {self.room} already",
                advice="move the state folder away, so that it makes a new key.",
            )
        number = self.number + TAKEOVER_STEP
        others = tuple(member for member in self.members if member is not old)
        return msgspec.structs.replace(
            self,
            number=number,
            issued_at=issued_at,
            members=_sorted((*others, Member(old.name, key_hash, Role.OWNER, number))),
            removed=(*self.removed, old.key_hash)[-MAX_REMOVED:],
            hub=key_hash,
            datagram_epoch=self.datagram_epoch + TAKEOVER_STEP,
        )

    def _must_have(self, name: str) -> Member:
        member = self.member_named(name)
        if member is None:
            near = difflib.get_close_matches(name[:80], [one.name for one in self.members], n=3)
            advice = f"did you mean {' or '.join(near)}?" if near else "lanline who, which lists the names."
            raise UsageError(f"there is no member {name[:80]!r} in room {self.room}", advice=advice)
        return member

    def _next(self, issued_at: int, **changes: Any) -> Roster:
        return msgspec.structs.replace(self, number=self.number + 1, issued_at=issued_at, **changes)


def first_roster(room: str, authority: PublicKey, hub: str, hub_key_hash: bytes, *, issued_at: int) -> Roster:
    """The roster of a room just founded: the hub, as owner.

    Raises:
        UsageError: the room's or the hub's name is not allowed.
    """
    check_name(room, what="room name")
    owner = Member(check_name(hub, what="node name"), hub_key_hash, Role.OWNER, 1)
    return Roster(room, public_key_hash(authority), 1, issued_at, (owner,), hub=hub_key_hash)


def sign(roster: Roster, authority_key: PrivateKey) -> bytes:
    """The signed roster, as it travels and lies on disk.

    Raises:
        ValueError: the roster breaks a rule of its own (a mistake in the calling code), or the key is not
            this
            room's.
    """
    if why := _fault(roster) or _wrong_room(roster, authority_key.public_key()):
        raise ValueError(f"a roster that cannot be signed: {why}")
    content = msgspec.msgpack.encode(roster)
    data = _MAGIC + sign_bytes(authority_key, _CONTEXT, content) + content
    if len(data) > MAX_ROSTER_BYTES:
        raise ValueError(f"a roster of {len(data)} bytes, limit {MAX_ROSTER_BYTES} bytes")
    return data


def verify(data: bytes, authority: PublicKey) -> Roster:
    """The roster in `data`, when this room's authority signed it.

    Args:
        data: what a peer sent or the disk held.
        authority: the public key in the room's certificate.

    Raises:
        RemoteProtocolError: too large, not signed by this authority, or not a roster inside.
    """
    if len(data) > MAX_ROSTER_BYTES:
        raise RemoteProtocolError(f"a roster of {len(data)} bytes, limit {MAX_ROSTER_BYTES} bytes")
    if len(data) <= _HEAD_BYTES or data[: len(_MAGIC)] != _MAGIC:
        raise RemoteProtocolError(f"{len(data)} bytes that are no roster of version 1")
    content = data[_HEAD_BYTES:]
    if not is_signed(authority, _CONTEXT, data[len(_MAGIC) : _HEAD_BYTES], content):
        raise RemoteProtocolError("a roster that this room's authority did not sign")
    try:
        roster = msgspec.msgpack.decode(content, type=Roster)
    except (msgspec.DecodeError, ValueError) as error:
        raise RemoteProtocolError(f"a signed roster that cannot be read: {error}") from error
    if why := _fault(roster) or _wrong_room(roster, authority):
        raise RemoteProtocolError(f"a signed roster that breaks its own rules: {why}")
    return roster


def content_of(data: bytes) -> bytes:
    """The signed bytes of a verified roster: two rosters say the same if these are the same."""
    return data[_HEAD_BYTES:]


def _sorted(members: tuple[Member, ...]) -> tuple[Member, ...]:
    return tuple(sorted(members, key=lambda member: member.name))


def _wrong_room(roster: Roster, authority: PublicKey) -> str:
    return "" if roster.room_id == public_key_hash(authority) else "it is of another room"


def _fault(roster: Roster) -> str:
    """What is wrong with a roster in itself, in words; empty when nothing is."""
    hashes = [member.key_hash for member in roster.members]
    names = [member.name for member in roster.members]
    try:
        check_name(roster.room, what="room name")
        for name in names:
            check_name(name, what="node name")
    except UsageError as error:
        return str(error)
    all_hashes = {*hashes, *roster.removed}
    checks = (
        (0 < roster.number < MAX_NUMBER, f"number {roster.number}"),
        (len(hashes) <= MAX_MEMBERS, f"{len(hashes)} members, limit {MAX_MEMBERS}"),
        (len(roster.removed) <= MAX_REMOVED, f"{len(roster.removed)} removed keys, limit {MAX_REMOVED}"),
        (all(len(one) == KEY_HASH_BYTES for one in all_hashes), "a key hash that has not 32 bytes"),
        (names == sorted(set(names)), "names that are not sorted, or used twice"),
        (
            len(all_hashes) == len(hashes) + len(roster.removed),
            "a key that is there twice, or removed and a member",
        ),
        (not roster.hub or roster.hub in hashes, "a hub that is no member"),
        (roster.datagram_epoch >= 0, "a negative datagram epoch"),
    )
    return next((words for holds, words in checks if not holds), "")
