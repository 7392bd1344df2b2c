"""Joining as a dialogue of two objects: who gets in, who does not, and what each side learns."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.room.founding import Founded, found, the_room

from lanline.errors import JoinFailed, LocalProtocolError, RemoteProtocolError, UsageError
from lanline.roles import Role
from lanline.room import keys
from lanline.room.certificates import certificate_pem, new_node_certificate
from lanline.room.door import Attempt, Invitation, InvitationBook, Turned
from lanline.room.joincode import JoinCode
from lanline.room.joining import (
    FIRST_BYTES,
    MAX_FOURTH_BYTES,
    MAX_THIRD_BYTES,
    SECOND_BYTES,
    HubSide,
    JoinerSide,
    JoinRequest,
    State,
    Welcome,
)
from lanline.room.roster import MAX_MEMBERS, Member, Roster, sign

KEY = keys.new_key()


@dataclass
class Meeting:
    """A hub with an open invitation, and one machine at its door."""

    joiner: JoinerSide
    hub: HubSide
    book: InvitationBook
    invitation: Invitation

    def prove(self) -> None:
        """The first three messages."""
        second = self.hub.receive(self.joiner.start(), 0.0)
        assert second is not None
        third = self.joiner.receive(second)
        assert third is not None
        assert self.hub.receive(third, 0.1) is None


def _attempt(book: InvitationBook, address: str = "10.0.0.1") -> Attempt:
    attempt = book.begin(address, 0.0)
    assert isinstance(attempt, Attempt)
    return attempt


def _meet(*, code: JoinCode | None = None, name: str = "pc8", system: str = "", role: Role = Role.MEMBER) -> Meeting:
    book = InvitationBook()
    invitation = book.invite(role, now=0.0)
    joiner = JoinerSide(code or invitation.code, KEY, name, system=system)
    return Meeting(joiner, HubSide(_attempt(book)), book, invitation)


def _welcome(meeting: Meeting, room: Founded | None = None, *, roster: Roster | None = None) -> Welcome:
    """What an honest hub hands out."""
    room = room or the_room()
    request = meeting.hub.request
    assert meeting.hub.invitation is not None
    public = request.checked_key()
    joined = (roster or room.roster).with_member(
        request.name, keys.public_key_hash(public), meeting.hub.invitation.role, issued_at=3_000
    )
    node = new_node_certificate(room.authority_key, room.authority, public, request.name)
    return Welcome(
        certificate_pem(room.authority),
        certificate_pem(node),
        sign(joined, room.authority_key),
        joined.datagram_epoch,
        secrets.token_bytes(32),
    )


def test_a_machine_with_the_code_joins_and_has_all_it_needs() -> None:
    meeting = _meet(system="Debian 12", role=Role.OPERATOR)
    meeting.prove()
    assert meeting.hub.request.name == "pc8"
    assert meeting.hub.request.system == "Debian 12"
    assert meeting.hub.invitation is meeting.invitation
    welcome = _welcome(meeting)
    assert meeting.joiner.receive(meeting.hub.welcome(welcome)) is None
    meeting.hub.ended(1.0)
    joined = meeting.joiner.result
    assert joined is not None
    assert (joined.room, joined.member.name, joined.member.role) == ("lab", "pc8", Role.OPERATOR)
    assert joined.member.key_hash == keys.public_key_hash(KEY)
    assert joined.roster_data == welcome.roster
    assert joined.datagram_key == welcome.datagram_key
    assert (meeting.joiner.state, meeting.hub.state) == (State.DONE, State.DONE)
    assert meeting.book.statistics() == {
        "invitations": 1, "under_way": 0, "let_in": 1, "wrong": 0, "dropped": 0, "turned": 0,
    }  # fmt: skip


def test_messages_have_their_lengths() -> None:
    meeting = _meet()
    first = meeting.joiner.start()
    second = meeting.hub.receive(first, 0.0)
    assert second is not None
    assert (len(first), len(second)) == (FIRST_BYTES, SECOND_BYTES) == (36, 33)


def test_the_largest_roster_fits_into_the_welcome() -> None:
    room = the_room()
    lines = tuple(
        Member(f"m-{number:05d}-{'x' * 30}", secrets.token_bytes(32), Role.MEMBER, number)
        for number in range(MAX_MEMBERS - 2)
    )
    full = msgspec.structs.replace(
        room.roster,
        members=(room.roster.members[0], *lines),
        removed=tuple(secrets.token_bytes(32) for _ in range(8192)),
    )
    meeting = _meet()
    meeting.prove()
    message = meeting.hub.welcome(_welcome(meeting, roster=full))
    assert len(message) > 500_000
    meeting.joiner.receive(message)
    assert meeting.joiner.result is not None


def _other_secret(code: JoinCode) -> JoinCode:
    return JoinCode(code.slot, "0" * 8 if code.secret != "0" * 8 else "1" * 8)


def test_a_wrong_code_is_refused_and_counted_and_learns_nothing() -> None:
    meeting = _meet()
    meeting.joiner = JoinerSide(_other_secret(meeting.invitation.code), KEY, "pc8")
    with pytest.raises(JoinFailed, match="wrong code"):
        meeting.prove()
    assert meeting.hub.state is State.FAILED
    assert (meeting.book.wrong, meeting.book.dropped, meeting.invitation.wrong) == (1, 0, 1)
    assert meeting.invitation.uses_left == 1
    assert "the code is wrong" in str(meeting.joiner.ended())


def test_an_unknown_slot_looks_like_a_wrong_secret() -> None:
    meeting = _meet()
    other = "00" if meeting.invitation.code.slot != "00" else "11"
    for code in (JoinCode(other, meeting.invitation.code.secret), _other_secret(meeting.invitation.code)):
        hub, joiner = HubSide(_attempt(meeting.book)), JoinerSide(code, KEY, "pc8")
        second = hub.receive(joiner.start(), 0.0)
        assert second is not None
        assert len(second) == SECOND_BYTES
        third = joiner.receive(second)
        assert third is not None
        with pytest.raises(JoinFailed, match="wrong code"):
            hub.receive(third, 0.0)
    assert meeting.book.wrong == 2


@pytest.mark.parametrize("messages", [0, 1, 2])
def test_a_connection_dropped_before_the_proof_is_no_guess(messages: int) -> None:
    meeting = _meet(code=JoinCode("00", "00000000"))
    if messages:
        meeting.hub.receive(meeting.joiner.start(), 0.0)
    meeting.hub.ended(1.0)
    meeting.hub.ended(1.0)
    assert (meeting.book.wrong, meeting.book.dropped) == (0, 1)
    assert meeting.hub.state is State.FAILED
    assert meeting.book.statistics()["under_way"] == 0


def test_what_the_hub_sends_before_the_proof_does_not_depend_on_the_code_in_length() -> None:
    sizes = set()
    for code in (None, JoinCode("00", "00000000")):
        meeting = _meet(code=code)
        sizes.add(len(meeting.hub.receive(meeting.joiner.start(), 0.0) or b""))
    assert sizes == {SECOND_BYTES}


def test_an_invitation_that_ends_during_the_conversation_lets_nobody_in() -> None:
    meeting = _meet()
    second = meeting.hub.receive(meeting.joiner.start(), 599.9)
    assert second is not None
    third = meeting.joiner.receive(second)
    assert third is not None
    with pytest.raises(JoinFailed, match="used up or has ended"):
        meeting.hub.receive(third, 600.0)
    assert meeting.book.wrong == 0


def test_twenty_racing_for_one_use_let_one_in() -> None:
    book = InvitationBook()
    invitation = book.invite(Role.MEMBER, now=0.0)
    let_in = 0
    for batch in range(4):
        proofs = []
        for number in range(5):
            attempt = book.begin(f"10.0.{batch}.{number}", 0.0)
            if isinstance(attempt, Turned):
                continue
            hub, joiner = HubSide(attempt), JoinerSide(invitation.code, KEY, "pc8")
            proofs.append((hub, joiner.receive(hub.receive(joiner.start(), 0.0) or b"") or b""))
        for hub, proof in proofs:
            try:
                hub.receive(proof, 0.0)
                let_in += 1
            except JoinFailed:
                continue
    assert let_in == 1


def test_a_rogue_hub_without_the_code_gets_nothing_it_can_use() -> None:
    meeting = _meet()
    rogue_book = InvitationBook()
    rogue_book.invite(Role.MEMBER, now=0.0)
    rogue = HubSide(_attempt(rogue_book))
    third = meeting.joiner.receive(rogue.receive(meeting.joiner.start(), 0.0) or b"")
    assert third is not None
    assert b"pc8" not in third
    with pytest.raises(JoinFailed):
        rogue.receive(third, 0.0)
    with pytest.raises(JoinFailed, match="does not know the code"):
        meeting.joiner.receive(bytes(500))
    assert meeting.joiner.result is None


def test_a_relay_that_changes_a_byte_of_the_third_message_breaks_it() -> None:
    for index in (0, 31, 32, 60, -1):
        meeting = _meet()
        third = meeting.joiner.receive(meeting.hub.receive(meeting.joiner.start(), 0.0) or b"")
        assert third is not None
        changed = bytearray(third)
        changed[index] ^= 1
        with pytest.raises((JoinFailed, RemoteProtocolError)):
            meeting.hub.receive(bytes(changed), 0.0)
        assert meeting.invitation.uses_left == 1


def test_a_relay_that_changes_a_byte_of_the_fourth_message_breaks_it() -> None:
    for index in (0, 31, 32, 500, -1):
        meeting = _meet()
        meeting.prove()
        changed = bytearray(meeting.hub.welcome(_welcome(meeting)))
        changed[index] ^= 1
        with pytest.raises((JoinFailed, RemoteProtocolError)):
            meeting.joiner.receive(bytes(changed))
        assert meeting.joiner.result is None


def test_a_captured_conversation_cannot_be_replayed() -> None:
    book = InvitationBook()
    invitation = book.invite(Role.MEMBER, now=0.0, uses=2)
    joiner, hub = JoinerSide(invitation.code, KEY, "pc8"), HubSide(_attempt(book))
    first = joiner.start()
    third = joiner.receive(hub.receive(first, 0.0) or b"")
    assert third is not None
    hub.receive(third, 0.0)
    again = HubSide(_attempt(book, "10.0.0.2"))
    assert again.receive(first, 0.0)
    with pytest.raises(JoinFailed):
        again.receive(third, 0.0)
    assert invitation.uses_left == 1


def test_a_message_reflected_to_its_sender_is_refused() -> None:
    meeting = _meet()
    first = meeting.joiner.start()
    with pytest.raises(RemoteProtocolError):
        meeting.joiner.receive(first[3:])


@pytest.mark.parametrize("length", [0, 1, 2, 35, 37, 36 * 2, 10_000])
def test_a_first_message_of_another_length_is_refused_unread(length: int) -> None:
    meeting = _meet()
    with pytest.raises(RemoteProtocolError, match="expected 36 to 36 bytes"):
        meeting.hub.receive(b"\x01" * length, 0.0)
    assert meeting.book.dropped == 1


@pytest.mark.parametrize("length", [0, 2, 32, 34, 100])
def test_a_second_message_of_another_length_is_refused_unread(length: int) -> None:
    meeting = _meet()
    meeting.joiner.start()
    with pytest.raises(RemoteProtocolError, match="expected 33 to 33 bytes"):
        meeting.joiner.receive(b"B" * length)


def test_third_and_fourth_messages_over_their_limits_are_refused_unread() -> None:
    meeting = _meet()
    meeting.hub.receive(meeting.joiner.start(), 0.0)
    with pytest.raises(RemoteProtocolError, match="expected 33 to 8192 bytes"):
        meeting.hub.receive(bytes(MAX_THIRD_BYTES + 1), 0.0)
    meeting = _meet()
    meeting.prove()
    with pytest.raises(RemoteProtocolError, match="expected"):
        meeting.joiner.receive(bytes(MAX_FOURTH_BYTES + 1))


@pytest.mark.parametrize(
    "element",
    [b"A" + bytes(32), b"A\x01" + bytes(31), b"B" + bytes(32), b"A" + b"\xff" * 32, b"S" + bytes(32), bytes(33)],
)
def test_an_element_that_no_honest_machine_sends_is_refused(element: bytes) -> None:
    meeting = _meet()
    with pytest.raises(RemoteProtocolError, match="no point"):
        meeting.hub.receive(b"\x01" + meeting.invitation.code.slot.encode() + element, 0.0)


def test_another_version_is_refused_by_its_number() -> None:
    meeting = _meet()
    with pytest.raises(RemoteProtocolError, match="version 2, this hub speaks version 1"):
        meeting.hub.receive(b"\x02" + meeting.joiner.start()[1:], 0.0)


@settings(max_examples=30)
@given(st.binary(max_size=80), st.binary(max_size=200))
def test_garbage_gives_documented_errors_only(first: bytes, third: bytes) -> None:
    meeting = _meet()
    with pytest.raises(RemoteProtocolError):
        meeting.hub.receive(first, 0.0)
    meeting = _meet()
    meeting.hub.receive(meeting.joiner.start(), 0.0)
    with pytest.raises((JoinFailed, RemoteProtocolError)):
        meeting.hub.receive(third, 0.0)
    assert meeting.book.let_in == 0


def test_a_hub_may_decline_and_gives_the_use_back() -> None:
    meeting = _meet()
    meeting.prove()
    assert meeting.invitation.uses_left == 0
    message = meeting.hub.decline("the name pc8 is taken\x1b[31m")
    with pytest.raises(JoinFailed, match="the name pc8 is taken") as refused:
        meeting.joiner.receive(message)
    assert "\x1b" not in str(refused.value)
    meeting.hub.ended(1.0)
    assert meeting.invitation.uses_left == 1


def test_a_hub_that_fails_before_deciding_gives_the_use_back() -> None:
    meeting = _meet()
    meeting.prove()
    meeting.hub.ended(1.0)
    assert meeting.invitation.uses_left == 1
    assert meeting.hub.state is State.FAILED


def test_a_welcomed_machine_that_went_away_stays_let_in() -> None:
    meeting = _meet()
    meeting.prove()
    meeting.hub.welcome(_welcome(meeting))
    meeting.hub.ended(1.0)
    assert meeting.invitation.uses_left == 0
    assert meeting.book.let_in == 1


def _handed_out(welcome: Welcome, meeting: Meeting) -> None:
    meeting.joiner.receive(meeting.hub.welcome(welcome))


def test_parts_that_do_not_fit_together_are_refused() -> None:
    other = found()
    cases: list[tuple[dict[str, object], str]] = [
        ({"authority_certificate": b"x"}, "cannot be read"),
        ({"authority_certificate": certificate_pem(other.authority)}, "not signed by this room"),
        ({"node_certificate": certificate_pem(the_room().node)}, "another key"),
        ({"roster": other.signed}, "did not sign"),
        ({"roster": the_room().signed}, "for another machine"),
        ({"roster": b""}, "no roster"),
        ({"datagram_key": b"short"}, "bad key"),
    ]
    for changes, words in cases:
        meeting = _meet()
        meeting.prove()
        welcome = msgspec.structs.replace(_welcome(meeting), **changes)
        with pytest.raises(JoinFailed, match=words):
            _handed_out(welcome, meeting)
        assert meeting.joiner.result is None
        assert meeting.joiner.state is State.FAILED


def test_a_machine_listed_under_another_name_is_refused() -> None:
    room = the_room()
    meeting = _meet()
    meeting.prove()
    listed = room.roster.with_member("pc9", keys.public_key_hash(KEY), Role.MEMBER, issued_at=1)
    welcome = msgspec.structs.replace(_welcome(meeting), roster=sign(listed, room.authority_key))
    with pytest.raises(JoinFailed, match="for another machine"):
        _handed_out(welcome, meeting)


@pytest.mark.parametrize("name", ["PC8", "all", "\x1b[2J", "", "x" * 100])
def test_a_machine_with_a_bad_name_does_not_even_begin(name: str) -> None:
    with pytest.raises(UsageError):
        _meet(name=name)


@pytest.mark.parametrize("name", ["PC8", "all", "\x1b[2J", "", "../x"])
def test_a_hostile_name_is_found_by_the_hub(name: str) -> None:
    meeting = _meet()
    meeting.prove()
    request = JoinRequest(name, meeting.hub.request.certificate_request)
    with pytest.raises(UsageError):
        request.checked_key()


def test_a_hostile_certificate_request_is_found_by_the_hub() -> None:
    with pytest.raises(JoinFailed):
        JoinRequest("pc8", b"x").checked_key()


def test_what_is_called_out_of_turn_is_the_callers_mistake() -> None:
    meeting = _meet()
    with pytest.raises(LocalProtocolError):
        _ = meeting.hub.request
    with pytest.raises(LocalProtocolError):
        meeting.hub.decline("x")
    with pytest.raises(LocalProtocolError):
        meeting.joiner.receive(b"")
    meeting.joiner.start()
    with pytest.raises(LocalProtocolError):
        meeting.joiner.start()


def test_an_early_end_says_what_it_may_mean() -> None:
    meeting = _meet()
    meeting.joiner.start()
    error = meeting.joiner.ended()
    assert "no invitation is open" in str(error)
    assert "lanline invite" in error.advice


def test_no_secret_is_shown() -> None:
    meeting = _meet()
    meeting.prove()
    welcome = _welcome(meeting)
    meeting.joiner.receive(meeting.hub.welcome(welcome))
    shown = " ".join(map(repr, (meeting.joiner, meeting.hub, meeting.joiner.result, welcome, meeting.joiner._keys)))
    assert meeting.invitation.code.secret not in shown
    assert repr(welcome.datagram_key) not in shown
    assert "proof" not in shown
