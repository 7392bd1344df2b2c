"""Who gets a link with this node: members of the room over TLS, this machine's own user over the Unix socket.

The room data of a HELLO is a msgpack array: room id (32 bytes), node name, roster number, and a digest of the roster
(16 bytes). Names in it are for messages alone; who a peer is follows from its key and the roster. Keys are judged on
the newer of the two sides' rosters, and once more when the peer's WELCOME comes: between the two a roster may have
come in force that removed it, and a peer chooses how long it takes.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from lanline.errors import LanlineError
from lanline.link.caller import Caller
from lanline.link.guard import AwaitRoster, Refuse, Verdict, Welcome
from lanline.roles import Role
from lanline.room.book import Refusal, Refused, RosterBook
from lanline.room.keys import public_key_hash
from lanline.room.roster import MAX_NUMBER, content_of
from lanline.transport.base import ConnectionFacts
from lanline.transport.quiet import QuietLog

if TYPE_CHECKING:
    from lanline.link.link import Link

log = logging.getLogger("lanline.room")


DIGEST_BYTES: Final = 16
"""Of the roster in a HELLO: enough to notice that two of one number differ."""


class RoomData(msgspec.Struct, frozen=True, array_like=True):
    """What a HELLO says about the room: its id, the sender's name, the number of the sender's roster and a digest of
    it."""

    room_id: bytes
    node: str
    number: int
    digest: bytes = b""


_decode = msgspec.msgpack.Decoder(RoomData).decode


class Welcomer(Protocol):
    """What a guard tells the node of."""

    def adopt(self, roster: bytes) -> Refused | None:
        """Puts a newer roster in force, on disk too; says why not."""

    def link_welcomed(self, link: Link) -> None:
        """A link with a member is open."""

    def link_lost(self, link: Link, reason: str) -> None:
        """It is gone."""

    def alarm(self, text: str) -> None:
        """Something a person must look at."""


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
        self._quiet = QuietLog(log)
        self._digested: tuple[bytes, bytes] = (b"", b"")

    def room_data(self) -> bytes:
        """Room, name, roster number and digest."""
        roster = self._book.current
        return msgspec.msgpack.encode(RoomData(roster.room_id, self._node, roster.number, self._digest()))

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
        verdict = self._verdict(facts, self._book.data if data.number < roster.number else None)
        if data.number == roster.number and data.digest not in (b"", self._digest()) and isinstance(verdict, Welcome):
            self._welcomer.alarm(
                f"{verdict.caller.name} has another roster {data.number} than this node: the authority key is "
                "in use in two places, or the hub went back to an old state"
            )
        return verdict

    def judge_with_roster(self, facts: ConnectionFacts, room_data: bytes, roster: bytes) -> Verdict:
        """Adopts the peer's roster, then judges. A roster older than its HELLO said is refused."""
        try:
            refused = self._welcomer.adopt(roster)
        except LanlineError as error:
            return Refuse(f"the roster could not be kept: {error}")
        if refused is None:
            return self._verdict(facts, None)
        if refused.reason is Refusal.OLD and _number_in(room_data) < self._book.number:
            # It is what was promised; a newer one has come in force here while it was on its way.
            return self._verdict(facts, self._book.data)
        self._quiet.warn("roster", f"a roster from {facts.peer_address} was refused: {refused}", time.monotonic())
        return Refuse(f"the roster was refused: {refused}")

    def welcomed(self, link: Link) -> str | None:
        """Judges the key once more, on the roster as it is now, and tells the node."""
        member = self._book.member_for(link.caller.key_hash)
        if member is None:
            return self._no_member()
        link.caller = replace(link.caller, name=member.name, role=member.role)
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
            return Refuse(self._no_member())
        caller = Caller(member.name, member.role, facts.peer_address, key_hash)
        return Welcome(caller, newer)

    def _no_member(self) -> str:
        return f"this key is not in the roster of the room {self._book.current.room}: it was removed, or never joined"

    def _digest(self) -> bytes:
        data, digest = self._digested
        if data is not self._book.data:
            data = self._book.data
            digest = hashlib.sha256(content_of(data)).digest()[:DIGEST_BYTES]
            self._digested = (data, digest)
        return digest


def _number_in(room_data: bytes) -> int:
    """The roster number a HELLO told of; beyond any where it cannot be read, so that nothing is excused by it."""
    try:
        return _decode(room_data).number
    except msgspec.MsgspecError:
        return MAX_NUMBER


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
