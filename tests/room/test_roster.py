"""The signed list of members."""

from __future__ import annotations

import os
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.room.founding import found, the_room

from lanline.errors import RemoteProtocolError, RoomError, UsageError
from lanline.limits import LAN
from lanline.roles import Role
from lanline.room import keys
from lanline.room.roster import MAX_MEMBERS, MAX_REMOVED, Member, Roster, content_of, first_roster, sign, verify


def _signed_raw(content: bytes) -> bytes:
    """A roster with a valid signature over any content: what a broken or newer hub could send."""
    return b"LLR\x01" + keys.sign(the_room().authority_key, "roster", content) + content


def _changed(**changes: Any) -> Roster:
    return msgspec.structs.replace(the_room().roster, **changes)


def _full(members: int, removed: int) -> Roster:
    lines = [Member(f"pc-{number:05d}-{'x' * 30}", os.urandom(32), Role.MEMBER, number) for number in range(members)]
    return _changed(members=tuple(lines), removed=tuple(os.urandom(32) for _ in range(removed)), hub=b"")


def test_a_signed_roster_is_verified() -> None:
    room = the_room()
    assert verify(room.signed, room.authority_key.public_key()) == room.roster


def test_the_same_roster_is_always_the_same_bytes() -> None:
    room = the_room()
    assert content_of(room.signed) == content_of(room.signed)


def test_members_are_known_by_their_key_and_found_by_their_name() -> None:
    room = the_room()
    member = room.roster.member_for(keys.public_key_hash(room.node_key))
    assert member is not None
    assert (member.name, member.role, member.added) == ("pc7", Role.OPERATOR, 2)
    assert room.roster.member_named("pc7") is member
    assert room.roster.member_for(bytes(32)) is None


def test_a_roster_of_another_authority_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="did not sign"):
        verify(found().signed, the_room().authority_key.public_key())


@pytest.mark.parametrize("data", [b"", b"LLR\x01", b"LLR\x02" + bytes(200), b"x" * 200])
def test_bytes_that_are_no_roster_are_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="no roster"):
        verify(data, the_room().authority_key.public_key())


@given(st.binary(max_size=300))
def test_garbage_gives_one_kind_of_error(data: bytes) -> None:
    for garbage in (data, b"LLR\x01" + data, _signed_raw(data)):
        with pytest.raises(RemoteProtocolError):
            verify(garbage, the_room().authority_key.public_key())


def test_a_roster_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(RemoteProtocolError, match="limit 1048576 bytes"):
        verify(bytes(LAN.max_roster_bytes + 1), the_room().authority_key.public_key())


def test_the_largest_roster_fits_into_its_limit() -> None:
    room = the_room()
    roster = _full(MAX_MEMBERS, MAX_REMOVED)
    data = sign(roster, room.authority_key)
    assert len(data) < LAN.max_roster_bytes
    assert verify(data, room.authority_key.public_key()) == roster


def test_fields_of_a_later_version_are_passed_over() -> None:
    room = the_room()
    fields = [*msgspec.msgpack.decode(msgspec.msgpack.encode(room.roster)), "later"]
    assert verify(_signed_raw(msgspec.msgpack.encode(fields)), room.authority_key.public_key()) == room.roster


PC7 = the_room().roster.members[1]
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"room": "LAB"}, "room name"),
    ({"room_id": bytes(32)}, "another room"),
    ({"number": 0}, "number 0"),
    ({"number": -1}, "number -1"),
    ({"number": 2**53}, "number"),
    ({"members": (PC7, PC7)}, "used twice"),
    ({"members": (PC7, msgspec.structs.replace(PC7, name="pc8"))}, "a key that is there twice"),
    ({"members": the_room().roster.members[::-1]}, "not sorted"),
    ({"members": (msgspec.structs.replace(PC7, name="\x1b[2J"),)}, "node name"),
    ({"members": (msgspec.structs.replace(PC7, key_hash=b"short"),), "hub": b""}, "32 bytes"),
    ({"removed": (b"short",)}, "32 bytes"),
    ({"removed": (PC7.key_hash,)}, "removed and a member"),
    ({"removed": (bytes(32), bytes(32))}, "twice"),
    ({"hub": bytes(32)}, "a hub that is no member"),
    ({"datagram_epoch": -1}, "epoch"),
    ({"members": _full(MAX_MEMBERS + 1, 0).members, "hub": b""}, "4097 members"),
    ({"removed": _full(0, MAX_REMOVED + 1).removed}, "8193 removed"),
]


@pytest.mark.parametrize(("changes", "words"), FAULTS, ids=[words for _, words in FAULTS])
def test_a_roster_that_breaks_its_own_rules_is_neither_signed_nor_believed(changes: dict[str, Any], words: str) -> None:
    roster = _changed(**changes)
    with pytest.raises(ValueError, match=words):
        sign(roster, the_room().authority_key)
    with pytest.raises(RemoteProtocolError, match=words):
        verify(_signed_raw(msgspec.msgpack.encode(roster)), the_room().authority_key.public_key())


@pytest.mark.parametrize("role", [0, 5, "owner"])
def test_an_unknown_role_is_refused(role: object) -> None:
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(the_room().roster))
    fields[4][1][2] = role
    with pytest.raises(RemoteProtocolError, match="cannot be read"):
        verify(_signed_raw(msgspec.msgpack.encode(fields)), the_room().authority_key.public_key())


def test_another_rooms_key_cannot_sign() -> None:
    with pytest.raises(ValueError, match="another room"):
        sign(the_room().roster, keys.new_key())


def test_a_new_room_has_its_hub_as_owner() -> None:
    key = keys.new_key()
    roster = first_roster("lab", key.public_key(), "hub-1", bytes(32), issued_at=7)
    assert roster.members == (Member("hub-1", bytes(32), Role.OWNER, 1),)
    assert (roster.number, roster.hub, roster.room_id) == (1, bytes(32), keys.public_key_hash(key))
    assert verify(sign(roster, key), key.public_key()) == roster


@pytest.mark.parametrize(("room", "hub"), [("LAB", "hub-1"), ("lab", "others"), ("all", "pc1")])
def test_a_new_room_takes_only_proper_names(room: str, hub: str) -> None:
    with pytest.raises(UsageError):
        first_roster(room, the_room().authority_key.public_key(), hub, bytes(32), issued_at=1)


def test_a_member_comes_in_with_the_next_number_and_in_order() -> None:
    roster = the_room().roster.with_member("anna", bytes(32), Role.GUEST, issued_at=9)
    assert [member.name for member in roster.members] == ["anna", "hub-1", "pc7"]
    assert (roster.number, roster.issued_at, roster.members[0].added) == (3, 9, 3)
    assert sign(roster, the_room().authority_key)


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(UsageError, match="pc7 is taken"):
        the_room().roster.with_member("pc7", bytes(32), Role.MEMBER, issued_at=9)


def test_a_key_that_is_in_already_is_refused() -> None:
    with pytest.raises(RoomError, match="as pc7"):
        the_room().roster.with_member("pc8", PC7.key_hash, Role.MEMBER, issued_at=9)


def test_a_full_room_takes_nobody() -> None:
    with pytest.raises(RoomError, match="full: 4096"):
        _full(MAX_MEMBERS, 0).with_member("pc7", bytes(32), Role.MEMBER, issued_at=9)


def test_a_removed_key_never_comes_back_under_any_name() -> None:
    roster = the_room().roster.without("pc7", issued_at=9)
    assert (roster.removed, roster.number, roster.datagram_epoch) == ((PC7.key_hash,), 3, 1)
    for name in ("pc7", "pc8"):
        with pytest.raises(RoomError, match="stays out"):
            roster.with_member(name, PC7.key_hash, Role.MEMBER, issued_at=10)


def test_a_reused_name_is_another_member_and_inherits_nothing() -> None:
    again = the_room().roster.without("pc7", issued_at=9).with_member("pc7", bytes(32), Role.GUEST, issued_at=10)
    assert again.member_for(PC7.key_hash) is None
    member = again.member_for(bytes(32))
    assert member is not None
    assert member.role is Role.GUEST


def test_the_oldest_removed_key_is_forgotten_first() -> None:
    room = the_room()
    old = _changed(removed=tuple(os.urandom(32) for _ in range(MAX_REMOVED)))
    new = old.without("pc7", issued_at=9)
    assert new.removed == (*old.removed[1:], PC7.key_hash)
    assert sign(new, room.authority_key)


def test_a_role_changes_with_the_next_number() -> None:
    roster = the_room().roster.with_role("pc7", Role.GUEST, issued_at=9)
    member = roster.member_named("pc7")
    assert member is not None
    assert (member.role, member.key_hash, roster.number) == (Role.GUEST, PC7.key_hash, 3)
    with pytest.raises(UsageError, match="guest already"):
        roster.with_role("pc7", Role.GUEST, issued_at=10)


def test_the_hub_is_neither_removed_nor_demoted() -> None:
    with pytest.raises(UsageError, match="cannot be removed"):
        the_room().roster.without("hub-1", issued_at=9)
    with pytest.raises(UsageError, match="stays its owner"):
        the_room().roster.with_role("hub-1", Role.GUEST, issued_at=9)


def test_an_unknown_member_is_said() -> None:
    with pytest.raises(UsageError, match="no member 'pc9'") as caught:
        the_room().roster.without("pc9", issued_at=9)
    assert caught.value.advice == "did you mean pc7?"
    with pytest.raises(UsageError, match="no member 'nobody'") as caught:
        the_room().roster.with_role("nobody", Role.GUEST, issued_at=9)
    assert "lanline who" in caught.value.advice
