"""Who gets a link with this node: members of the room over TLS, this machine's own user over the Unix socket.

The room data of a HELLO is a msgpack array: room id (32 bytes), node name, roster number. Names in it are for messages
alone; who a peer is follows from its key and the roster. Keys are judged on the newer of the two sides' rosters.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

from lanline.clean import clean
from lanline.errors import LanlineError
from lanline.link.caller import Caller
from lanline.link.guard import AwaitRoster, Refuse, Verdict, Welcome
from lanline.roles import Role
from lanline.room.book import Refused, RosterBook
from lanline.room.keys import public_key_hash
from lanline.transport.base import ConnectionFacts

if TYPE_CHECKING:
    from lanline.link.link import Link

log = logging.getLogger("lanline.room")


class RoomData(msgspec.Struct, frozen=True, array_like=True):
    """What a HELLO says about the room: its id, the sender's name, the number of the sender's roster."""

    room_id: bytes
    node: str
    number: int


_decode = msgspec.msgpack.Decoder(RoomData).decode


class Welcomer(Protocol):
    """What a guard tells the node of."""

    def adopt(self, roster: bytes) -> Refused | None:
        """Puts a newer roster in force, on disk too; says why not."""

    def link_welcomed(self, link: Link) -> None:
        """A link with a member is open."""

    def link_lost(self, link: Link, reason: str) -> None:
        """It is gone."""


class RoomGuard:
    """Judges peers by their key and the roster.

    Args:
        book: the roster in force.
        node: this node's name.
        welcomer: the node.
    """

    def __init__(self, book: RosterBook, node: str, welcomer: Welcomer) -> None:
        self._book = book
        self._node = node
        self._welcomer = welcomer

    def room_data(self) -> bytes:
        """Room, name and roster number."""
        roster = self._book.current
        return msgspec.msgpack.encode(RoomData(roster.room_id, self._node, roster.number))

    def judge(self, facts: ConnectionFacts, room_data: bytes) -> Verdict:
        """Welcomes members; waits for the peer's roster where that is newer; sends ours where it is older."""
        try:
            data = _decode(room_data)
        except msgspec.MsgspecError:
            return Refuse("this is a room's port, and the HELLO speaks of no room")
        roster = self._book.current
        if data.room_id != roster.room_id:
            return Refuse(f"this node is in the room {roster.room}, and the peer is in another one")
        if data.number > roster.number:
            return AwaitRoster()
        return self._verdict(facts, self._book.data if data.number < roster.number else None)

    def judge_with_roster(self, facts: ConnectionFacts, room_data: bytes, roster: bytes) -> Verdict:
        """Adopts the peer's roster, then judges."""
        try:
            refused = self._welcomer.adopt(roster)
        except LanlineError as error:
            return Refuse(f"the roster could not be kept: {error}")
        if refused is not None:
            log.warning("a roster from %s was refused: %s", clean(facts.peer_address), refused)
            return Refuse(f"the roster was refused: {refused}")
        return self._verdict(facts, None)

    def welcomed(self, link: Link) -> str | None:
        """Tells the node."""
        self._welcomer.link_welcomed(link)
        return None

    def lost(self, link: Link, reason: str) -> None:
        """Tells the node."""
        self._welcomer.link_lost(link, reason)

    def _verdict(self, facts: ConnectionFacts, newer: bytes | None) -> Verdict:
        if facts.certificate is None:
            return Refuse("no certificate was shown")
        key_hash = public_key_hash(facts.certificate)
        member = self._book.member_for(key_hash)
        if member is None:
            room = self._book.current.room
            return Refuse(f"this key is not in the roster of the room {room}: it was removed, or never joined")
        caller = Caller(member.name, member.role, facts.peer_address, key_hash)
        return Welcome(caller, newer)


class LocalGuard:
    """Lets in the node's own user and root, as this member; nobody else on the machine.

    Args:
        own_name: this node's name.
        own_role: its role now; asked at each connection.
        key_hash: its key.
    """

    def __init__(self, own_name: str, own_role: Callable[[], Role], key_hash: bytes) -> None:
        self._name = own_name
        self._role = own_role
        self._key_hash = key_hash

    def room_data(self) -> bytes:
        """Nothing: the peer is on this machine."""
        return b""

    def judge(self, facts: ConnectionFacts, room_data: bytes) -> Verdict:
        """By the peer's user id, as the kernel tells it."""
        if facts.uid is None:
            return Refuse("the system does not say whose process this is, so it is not let in")
        if facts.uid not in (0, os.geteuid()):
            return Refuse(f"this socket belongs to user {os.geteuid()}; user {facts.uid} may not use it")
        return Welcome(Caller(self._name, self._role(), facts.peer_address, self._key_hash, is_local=True))

    def judge_with_roster(self, facts: ConnectionFacts, room_data: bytes, roster: bytes) -> Verdict:
        """Local programs have no roster to offer."""
        return Refuse("no roster is taken from this machine's own programs")

    def welcomed(self, link: Link) -> str | None:
        """Nothing to add."""
        return None

    def lost(self, link: Link, reason: str) -> None:
        """Nothing to undo."""
