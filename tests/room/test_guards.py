"""Who gets a link with a node: by key and roster alone, judged when the HELLO comes and again when the WELCOME does."""

from __future__ import annotations

import asyncio
import os

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests.room.founding import Founded, found, the_room

from lanline.errors import StateNotSaved
from lanline.limits import LAN
from lanline.link.caller import Caller
from lanline.link.guard import AwaitRoster, Refuse, Verdict, Welcome
from lanline.link.link import Link
from lanline.roles import Role
from lanline.room import certificates, keys, roster
from lanline.room.book import Refused, RosterBook
from lanline.room.guards import LocalGuard, RoomData, RoomGuard
from lanline.session.session import Side
from lanline.transport.base import ConnectionFacts

ROOM = the_room()


class Node:
    """What a guard tells of, kept."""

    def __init__(self, book: RosterBook) -> None:
        self.book = book
        self.alarms: list[str] = []
        self.welcomed: list[str] = []
        self.is_full = False

    def adopt(self, data: bytes) -> Refused | None:
        if self.is_full:
            raise StateNotSaved("the disk is full")
        verdict = self.book.adopt(data)
        return verdict if isinstance(verdict, Refused) else None

    def link_welcomed(self, link: Link) -> None:
        self.welcomed.append(link.caller.name)

    def link_lost(self, link: Link, reason: str) -> None:
        self.welcomed.remove(link.caller.name)

    def alarm(self, text: str) -> None:
        self.alarms.append(text)


def guarded(room: Founded = ROOM) -> tuple[RoomGuard, Node]:
    """A guard of hub-1 in this room."""
    node = Node(RosterBook(room.authority_key.public_key(), room.signed))
    return RoomGuard(node.book, "hub-1", node), node


def facts(room: Founded = ROOM) -> ConnectionFacts:
    """A connection from pc7 of this room."""
    return ConnectionFacts("tls", "tls://10.0.0.7:4000", room.node.public_bytes(Encoding.DER), None)


def hello(room: Founded = ROOM, *, number: int | None = None, digest: bytes = b"") -> bytes:
    """What pc7's HELLO says."""
    return msgspec.msgpack.encode(RoomData(room.roster.room_id, "pc7", number or room.roster.number, digest))


def reason(verdict: Verdict) -> str:
    """Why it was refused."""
    assert isinstance(verdict, Refuse), verdict
    return verdict.reason


def test_a_member_is_welcome_under_the_name_and_role_of_the_roster() -> None:
    guard, _ = guarded()
    verdict = guard.judge(facts(), hello())
    key_hash = keys.public_key_hash(ROOM.node_key)
    assert verdict == Welcome(Caller("pc7", Role.OPERATOR, "tls://10.0.0.7:4000", key_hash), None)


def test_a_member_with_an_older_roster_is_sent_ours() -> None:
    guard, node = guarded()
    verdict = guard.judge(facts(), hello(number=1))
    assert isinstance(verdict, Welcome) and verdict.roster == node.book.data


def test_a_peer_with_a_newer_roster_is_judged_once_that_has_come() -> None:
    guard, node = guarded()
    newer = roster.sign(ROOM.roster.without("pc7", issued_at=3), ROOM.authority_key)
    assert guard.judge(facts(), hello(number=3)) == AwaitRoster()
    assert "not in the roster" in reason(guard.judge_with_roster(facts(), hello(number=3), newer))
    assert node.book.number == 3


def test_a_newer_roster_that_is_none_is_refused_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    guard, node = guarded()
    forged = b"LLR\x01" + b"x" * 99
    for _ in range(100):
        assert "not a roster signed" in reason(guard.judge_with_roster(facts(), hello(number=9), forged))
    assert node.book.number == 2
    assert len(caplog.records) == 1, "a flood of them is one line"


def test_an_old_roster_in_place_of_the_newer_one_that_was_told_of_is_refused() -> None:
    guard, _ = guarded()
    first = roster.sign(
        roster.first_roster(
            "lab", ROOM.authority_key.public_key(), "hub-1", keys.public_key_hash(ROOM.hub_key), issued_at=1
        ),
        ROOM.authority_key,
    )
    assert "lower" in reason(guard.judge_with_roster(facts(), hello(number=99), first))


def test_a_roster_that_was_overtaken_on_its_way_is_no_reason_to_refuse() -> None:
    guard, node = guarded()
    third = ROOM.roster.with_role("pc7", Role.MEMBER, issued_at=3)
    fourth = third.with_role("pc7", Role.GUEST, issued_at=4)
    assert guard.judge(facts(), hello(number=3)) == AwaitRoster()
    node.adopt(roster.sign(fourth, ROOM.authority_key))
    verdict = guard.judge_with_roster(facts(), hello(number=3), roster.sign(third, ROOM.authority_key))
    assert isinstance(verdict, Welcome) and verdict.caller.role is Role.GUEST and verdict.roster == node.book.data


def test_a_full_disk_is_a_refusal_with_its_reason() -> None:
    guard, node = guarded()
    node.is_full = True
    assert "the disk is full" in reason(guard.judge_with_roster(facts(), hello(number=3), b""))


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x90", os.urandom(64), b"\x91" * 1000])
def test_a_hello_that_speaks_of_no_room_is_refused(data: bytes) -> None:
    guard, _ = guarded()
    assert reason(guard.judge(facts(), data))


def test_a_peer_of_another_room_is_refused_even_if_it_has_the_same_name() -> None:
    guard, _ = guarded()
    assert "another one" in reason(guard.judge(facts(), hello(found())))


def test_a_key_that_is_not_in_the_roster_is_refused_whatever_its_certificate_says() -> None:
    guard, _ = guarded()
    stranger = keys.new_key()
    certificate = certificates.new_node_certificate(ROOM.authority_key, ROOM.authority, stranger.public_key(), "pc7")
    shown = ConnectionFacts("tls", "tls://x:1", certificate.public_bytes(Encoding.DER), None)
    assert "not in the roster" in reason(guard.judge(shown, hello()))


def test_a_peer_without_a_certificate_is_refused() -> None:
    guard, _ = guarded()
    assert "no certificate" in reason(guard.judge(ConnectionFacts("tls", "tls://x:1", None, None), hello()))


def test_another_roster_of_the_same_number_is_an_alarm_when_a_member_has_it() -> None:
    guard, node = guarded()
    verdict = guard.judge(facts(), hello(digest=b"0" * 16))
    assert isinstance(verdict, Welcome), "judged on our own roster"
    assert "pc7 has another roster 2 than this node" in node.alarms[0]


def test_the_same_roster_signed_twice_and_an_older_peer_without_digest_are_no_alarm() -> None:
    guard, node = guarded()
    other_guard, other = guarded(ROOM)  # signed anew: another signature over the same content
    assert other.book.data != node.book.data
    guard.judge(facts(), other_guard.room_data())
    guard.judge(facts(), hello())
    assert node.alarms == []


def test_somebody_who_is_no_member_cannot_raise_that_alarm() -> None:
    guard, node = guarded()
    guard.judge(ConnectionFacts("tls", "tls://x:1", None, None), hello(digest=b"0" * 16))
    assert node.alarms == []


def link_of(guard: RoomGuard, caller: Caller) -> Link:
    """A link that was judged and waits for the peer's WELCOME."""
    link = Link(Side.ACCEPTING, guard, {}, scheme="tls", boot=bytes(8), limits=LAN)
    link.caller = caller
    return link


def test_a_member_removed_between_hello_and_welcome_gets_no_link() -> None:
    async def main() -> None:
        guard, node = guarded()
        verdict = guard.judge(facts(), hello())
        assert isinstance(verdict, Welcome)
        link = link_of(guard, verdict.caller)
        node.adopt(roster.sign(ROOM.roster.without("pc7", issued_at=3), ROOM.authority_key))
        assert "not in the roster" in (guard.welcomed(link) or "")
        assert node.welcomed == []

    asyncio.run(main())


def test_a_role_lowered_between_hello_and_welcome_is_the_one_the_link_has() -> None:
    async def main() -> None:
        guard, node = guarded()
        verdict = guard.judge(facts(), hello())
        assert isinstance(verdict, Welcome)
        link = link_of(guard, verdict.caller)
        node.adopt(roster.sign(ROOM.roster.with_role("pc7", Role.GUEST, issued_at=3), ROOM.authority_key))
        assert guard.welcomed(link) is None
        assert link.caller.role is Role.GUEST and node.welcomed == ["pc7"]
        guard.lost(link, "over")
        assert node.welcomed == []

    asyncio.run(main())


def local(uid: int | None) -> Verdict:
    """What this machine's own socket says to a process of this user."""
    guard = LocalGuard("pc7", lambda: Role.OPERATOR, b"k" * 32)
    assert guard.room_data() == b""
    return guard.judge(ConnectionFacts("unix", "unix:///x", None, uid), b"")


def test_this_user_and_root_act_as_this_member_on_its_own_socket() -> None:
    for uid in (0, os.geteuid()):
        assert local(uid) == Welcome(Caller("pc7", Role.OPERATOR, "unix:///x", b"k" * 32, is_local=True))


def test_another_user_of_this_machine_is_refused_and_so_is_one_the_system_does_not_name() -> None:
    assert f"user {os.geteuid() + 1} may not use it" in reason(local(os.geteuid() + 1))
    assert "does not say whose" in reason(local(None))


def test_no_roster_is_taken_from_a_local_program() -> None:
    guard = LocalGuard("pc7", lambda: Role.OPERATOR, b"k" * 32)
    verdict = guard.judge_with_roster(ConnectionFacts("unix", "", None, 0), b"", ROOM.signed)
    assert "no roster is taken" in reason(verdict)
