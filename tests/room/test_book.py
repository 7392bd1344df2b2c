"""The roster in force: only ever newer, and every change named."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.room.founding import found, the_room

from lanline.errors import RemoteProtocolError
from lanline.roles import Role
from lanline.room import keys
from lanline.room.book import Change, Refusal, Refused, RosterBook
from lanline.room.roster import Roster, sign


def _book() -> RosterBook:
    room = the_room()
    return RosterBook(room.authority_key.public_key(), room.signed)


def _sign(roster: Roster) -> bytes:
    return sign(roster, the_room().authority_key)


def test_a_newer_roster_is_adopted_and_the_change_told() -> None:
    book = _book()
    new = book.current.with_member("anna", bytes(32), Role.GUEST, issued_at=9).with_role(
        "pc7", Role.MEMBER, issued_at=9
    )
    data = _sign(new)
    change = book.adopt(data)
    assert isinstance(change, Change)
    assert [member.name for member in change.added] == ["anna"]
    assert [(old.role, now.role) for old, now in change.role_changed] == [(Role.OPERATOR, Role.MEMBER)]
    assert [member.name for member in change.lowered] == ["pc7"]
    assert (change.removed, change.renamed, change.is_new) == ((), (), True)
    assert (book.number, book.data, book.current) == (4, data, new)
    assert book.member_for(bytes(32)) == new.member_named("anna")


def test_a_removed_member_is_told_and_gone() -> None:
    book = _book()
    change = book.adopt(_sign(book.current.without("pc7", issued_at=9)))
    assert isinstance(change, Change)
    assert [member.name for member in change.removed] == ["pc7"]
    assert book.member_for(change.removed[0].key_hash) is None


def test_a_name_with_another_key_is_one_removed_and_one_added() -> None:
    book = _book()
    new = book.current.without("pc7", issued_at=9).with_member("pc7", bytes(32), Role.OWNER, issued_at=9)
    change = book.adopt(_sign(new))
    assert isinstance(change, Change)
    assert [member.name for member in change.removed] == [member.name for member in change.added] == ["pc7"]
    assert change.role_changed == ()


def test_a_key_with_another_name_is_renamed_and_keeps_its_place() -> None:
    book = _book()
    hub, pc7 = book.current.members
    new = msgspec.structs.replace(book.current, number=3, members=(hub, msgspec.structs.replace(pc7, name="pc8")))
    change = book.adopt(_sign(new))
    assert isinstance(change, Change)
    assert [(old.name, now.name) for old, now in change.renamed] == [("pc7", "pc8")]
    assert (change.added, change.removed) == ((), ())


def test_the_roster_in_force_again_changes_nothing() -> None:
    book = _book()
    assert book.adopt(book.data) == Change()
    signed_again = the_room().signed
    assert signed_again != book.data
    assert book.adopt(signed_again) == Change()


def test_an_older_roster_is_refused_and_the_newer_stays() -> None:
    book = _book()
    old = book.data
    newer = _sign(book.current.without("pc7", issued_at=9))
    book.adopt(newer)
    refused = book.adopt(old)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.OLD
    assert not refused.is_alarm
    assert "2, in force 3" in str(refused)
    assert book.data == newer


def test_one_number_with_two_contents_is_an_alarm() -> None:
    book = _book()
    mine = book.current.with_member("anna", bytes(32), Role.GUEST, issued_at=9)
    theirs = book.current.with_member("mallory", bytes(32), Role.OWNER, issued_at=9)
    book.adopt(_sign(mine))
    refused = book.adopt(_sign(theirs))
    assert isinstance(refused, Refused)
    assert refused.is_alarm
    assert "ALARM" in str(refused)
    assert book.current == mine


@pytest.mark.parametrize("data", [b"", b"x" * 300, found().signed])
def test_what_this_room_did_not_sign_is_refused(data: bytes) -> None:
    book = _book()
    refused = book.adopt(data)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.NOT_VALID
    assert book.number == 2


def test_judging_changes_nothing() -> None:
    book = _book()
    newer = book.current.without("pc7", issued_at=9)
    assert book.judge(_sign(newer)) == newer
    assert book.judge(book.data) == book.current
    assert book.number == 2


def test_a_book_does_not_open_on_a_damaged_roster() -> None:
    room = the_room()
    with pytest.raises(RemoteProtocolError):
        RosterBook(room.authority_key.public_key(), room.signed[:-1])


def test_a_book_says_where_it_stands() -> None:
    assert repr(_book()) == "<RosterBook room=lab number=2 members=2>"


class Rollback(RuleBasedStateMachine):
    """A hub edits, and a peer offers any roster that ever was: the number never falls, the removed never return."""

    def __init__(self) -> None:
        super().__init__()
        self.book = _book()
        self.issued = [self.book.data]
        self.newest = self.book.current
        self.seen = self.book.number
        self.counter = 0

    @rule(role=st.sampled_from(Role))
    def join(self, role: Role) -> None:
        """Somebody joins at the hub."""
        self.counter += 1
        key_hash = keys.public_key_hash(keys.new_key())
        self.newest = self.newest.with_member(f"pc-{self.counter}", key_hash, role, issued_at=self.counter)
        self.issued.append(_sign(self.newest))

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """The hub removes somebody."""
        names = [member.name for member in self.newest.members if member.key_hash != self.newest.hub]
        if names:
            self.newest = self.newest.without(data.draw(st.sampled_from(names)), issued_at=0)
            self.issued.append(_sign(self.newest))

    @rule(data=st.data())
    def offer(self, data: st.DataObject) -> None:
        """A peer offers one of all rosters ever issued."""
        offered = data.draw(st.sampled_from(self.issued))
        result = self.book.adopt(offered)
        assert isinstance(result, Change) or result.reason is Refusal.OLD

    @invariant()
    def never_backwards(self) -> None:
        """The number only grows, and nobody is a member and removed."""
        assert self.book.number >= self.seen
        self.seen = self.book.number
        assert not {member.key_hash for member in self.book.current.members} & set(self.book.current.removed)


TestRollback = Rollback.TestCase
TestRollback.settings = settings(max_examples=15, stateful_step_count=20)
