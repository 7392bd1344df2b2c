"""What only the hub does: everything or nothing, in the audit before it is in force, and only with the key open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lanline.errors import (
    AuthorityLocked,
    JoinFailed,
    LanlineError,
    NotAllowed,
    RoomError,
    StateDamaged,
    StateNotSaved,
    UsageError,
)
from lanline.link.caller import Caller
from lanline.roles import Role
from lanline.room import keys, roster
from lanline.room.audit import AuditLog
from lanline.room.book import Change, RosterBook
from lanline.room.certificates import (
    certificate_pem,
    new_authority_certificate,
    new_request,
    parse_authority_certificate,
    parse_node_certificate,
)
from lanline.room.chain import verify
from lanline.room.door import MAX_OPEN
from lanline.room.founding import found
from lanline.room.hub import Hub
from lanline.room.joining import JoinRequest
from lanline.room.paths import StateFolder
from lanline.room.settings import Settings


class Desk:
    """A hub over a state folder, without a node around it."""

    def __init__(self, path: Path, passphrase: str | None = None) -> None:
        self.folder = StateFolder(path / "hub")
        found(self.folder, "lab", "hub-1", Settings(), passphrase)
        self.authority = parse_authority_certificate(self.folder.authority_certificate.read_bytes())
        self.book = RosterBook(self.authority.public_key(), self.folder.roster.read_bytes())  # type: ignore[arg-type]
        self.audit = AuditLog(self.folder.audit)
        self.is_full = False
        self.hub = Hub(self.folder, self.book, self.audit, self.enforce)
        self.owner = Caller("hub-1", Role.OWNER, "", self.book.current.hub)

    def enforce(self, data: bytes) -> None:
        if self.is_full:
            raise StateNotSaved("the disk is full")
        assert isinstance(self.book.adopt(data), Change)

    def names(self) -> list[str]:
        return [member.name for member in self.book.current.members]

    def lines(self) -> list[dict[str, Any]]:
        """The audit, without its own marks."""
        lines: list[bytes] = []
        assert not verify(self.folder.audit, lines.append).problem
        return [line for line in map(json.loads, lines) if line["what"] != "segment"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An open hub."""
    one = Desk(tmp_path)
    one.hub.unlock(None)
    return one


def request(name: str, key: keys.PrivateKey | None = None) -> JoinRequest:
    """What a machine that joins says of itself."""
    own = key or keys.new_key()
    return JoinRequest(name, new_request(own, "pc7"), "Debian \x1b[2J")


def member(name: str, role: Role, key: bytes = b"k" * 32) -> Caller:
    """Somebody who asks over a link."""
    return Caller(name, role, "tls://10.0.0.9:1", key)


def test_a_hub_that_was_restarted_is_locked_until_its_passphrase_comes(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "correct horse")
    hub = desk.hub
    assert repr(hub) == "<Hub locked roster=1>" and Hub.needs_passphrase(desk.folder)
    for forbidden in (
        lambda: hub.invite(desk.owner, Role.MEMBER, uses=1, ttl=None),
        lambda: hub.admit(request("pc7"), Role.MEMBER),
        lambda: hub.remove(desk.owner, "pc7"),
        lambda: hub.set_role(desk.owner, "pc7", Role.GUEST),
        lambda: hub.unlock(None),
        lambda: hub.unlock("wrong"),
    ):
        with pytest.raises(AuthorityLocked):
            forbidden()
    hub.unlock("correct horse")
    assert not hub.is_locked and repr(hub) == "<Hub open roster=1>"
    assert hub.invite(desk.owner, Role.MEMBER, uses=1, ttl=None).uses_left == 1


def test_a_hub_without_passphrase_opens_without_one(desk: Desk) -> None:
    assert not Hub.needs_passphrase(desk.folder) and not desk.hub.is_locked


def test_an_authority_key_of_another_room_is_refused(desk: Desk) -> None:
    desk.folder.authority_key.write_bytes(keys.lock_authority_key(keys.new_key(), None))
    with pytest.raises(StateDamaged, match="not this room's"):
        Hub(desk.folder, desk.book, desk.audit, desk.enforce).unlock(None)


def test_a_hub_without_its_authority_key_says_what_to_do(desk: Desk) -> None:
    desk.folder.authority_key.unlink()
    with pytest.raises(StateDamaged, match=r"authority\.key is missing") as caught:
        Hub.needs_passphrase(desk.folder)
    assert "backup" in caught.value.advice


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("who", [Role.OPERATOR, Role.OWNER])
def test_operators_invite_guests_and_members_and_only_owners_more(desk: Desk, who: Role, role: Role) -> None:
    if who is Role.OWNER or role < Role.OPERATOR:
        assert desk.hub.invite(member("x", who), role, uses=1, ttl=None).role is role
        assert desk.lines()[-1]["details"] == {"role": role.word, "uses": 1}
    else:
        with pytest.raises(NotAllowed, match="only an owner"):
            desk.hub.invite(member("x", who), role, uses=1, ttl=None)


def test_an_invitation_that_is_not_in_the_audit_is_not_open(desk: Desk) -> None:
    desk.audit.close()
    desk.folder.audit.rename(desk.folder.path / "gone")
    for _ in range(MAX_OPEN + 1):
        with pytest.raises(StateNotSaved):
            desk.hub.invite(desk.owner, Role.MEMBER, uses=1, ttl=None)
    assert desk.hub.invitations.statistics()["invitations"] == 0


def test_a_machine_that_proved_its_code_is_a_member_with_a_certificate(desk: Desk) -> None:
    key = keys.new_key()
    welcome = desk.hub.admit(request("pc7", key), Role.OPERATOR)
    parse_node_certificate(welcome.node_certificate, desk.authority, key_hash=keys.public_key_hash(key))
    assert desk.names() == ["hub-1", "pc7"]
    assert roster.verify(welcome.roster, desk.authority.public_key()).number == 2  # type: ignore[arg-type]
    assert welcome.datagram_epoch == 0 and len(welcome.datagram_key) == 32
    line = desk.book.member_for(keys.public_key_hash(key))
    assert line is not None and (line.name, line.role) == ("pc7", Role.OPERATOR)
    assert desk.lines()[-1]["details"]["name"] == "pc7"


def test_a_machine_whose_answer_was_lost_joins_again_under_its_key_and_name(desk: Desk) -> None:
    key = keys.new_key()
    desk.hub.admit(request("pc7", key), Role.MEMBER)
    again = desk.hub.admit(request("pc7", key), Role.OPERATOR)
    assert again.roster == desk.book.data and desk.book.number == 2
    line = desk.book.current.member_named("pc7")
    assert line is not None and line.role is Role.MEMBER, "an invitation raises nobody"
    assert desk.lines()[-1]["what"] == "join.again"


def test_a_taken_name_a_removed_key_and_a_bad_request_change_nothing(desk: Desk) -> None:
    key, removed = keys.new_key(), keys.new_key()
    desk.hub.admit(request("pc7", key), Role.MEMBER)
    desk.hub.admit(request("pc8", removed), Role.MEMBER)
    desk.hub.remove(desk.owner, "pc8")
    number = desk.book.number
    for bad, kind, says in (
        (request("pc7"), UsageError, "the name pc7 is taken"),
        (request("pc9", key), RoomError, "in room lab already, as pc7"),
        (request("pc8", removed), RoomError, "was removed from room lab and stays out"),
        (request("others"), UsageError, "cannot be a node name"),
        (request("../x"), UsageError, "cannot be a node name"),
        (JoinRequest("pc9", b"nonsense"), JoinFailed, "cannot be read"),
    ):
        with pytest.raises(kind, match=says):
            desk.hub.admit(bad, Role.MEMBER)
    assert desk.book.number == number


@pytest.mark.parametrize("lost", ["authority_certificate", "datagram_key"])
def test_a_hub_that_cannot_hand_out_everything_lets_nobody_in_by_half(desk: Desk, lost: str) -> None:
    path: Path = getattr(desk.folder, lost)
    path.write_bytes(b"damaged")
    with pytest.raises(LanlineError):
        desk.hub.admit(request("pc7"), Role.MEMBER)
    assert desk.names() == ["hub-1"]


def test_a_lost_datagram_key_is_made_anew(desk: Desk) -> None:
    desk.folder.datagram_key.unlink()
    first = desk.hub.admit(request("pc7"), Role.MEMBER)
    assert desk.hub.admit(request("pc8"), Role.MEMBER).datagram_key == first.datagram_key


def test_a_removal_is_audited_in_force_and_changes_the_datagram_key(desk: Desk) -> None:
    first = desk.hub.admit(request("pc7"), Role.MEMBER)
    desk.hub.remove(member("pc9", Role.OPERATOR), "pc7")
    assert desk.names() == ["hub-1"]
    assert desk.lines()[-1]["who"]["name"] == "pc9"
    second = desk.hub.admit(request("pc8"), Role.MEMBER)
    assert (second.datagram_epoch, second.datagram_key != first.datagram_key) == (1, True)


def test_who_may_remove_whom(desk: Desk) -> None:
    for name, role in (("pc1", Role.MEMBER), ("pc2", Role.OPERATOR), ("pc3", Role.OPERATOR)):
        desk.hub.admit(request(name), role)
    operator = desk.book.current.member_named("pc2")
    assert operator is not None
    with pytest.raises(NotAllowed, match="pc3 is operator"):
        desk.hub.remove(member("pc2", Role.OPERATOR, operator.key_hash), "pc3")
    with pytest.raises(UsageError, match="is the hub"):
        desk.hub.remove(desk.owner, "hub-1")
    with pytest.raises(UsageError, match="no member 'nobody'"):
        desk.hub.remove(desk.owner, "nobody")
    desk.hub.remove(member("pc2", Role.OPERATOR, operator.key_hash), "pc1")
    desk.hub.remove(member("pc2", Role.OPERATOR, operator.key_hash), "pc2")
    desk.hub.remove(desk.owner, "pc3")
    assert desk.names() == ["hub-1"]


def test_a_role_is_changed_by_an_owner_and_never_the_hubs(desk: Desk) -> None:
    desk.hub.admit(request("pc7"), Role.MEMBER)
    desk.hub.set_role(desk.owner, "pc7", Role.OPERATOR)
    line = desk.book.current.member_named("pc7")
    assert line is not None and line.role is Role.OPERATOR
    for name, role in (("hub-1", Role.GUEST), ("pc7", Role.OPERATOR), ("nobody", Role.GUEST)):
        with pytest.raises(UsageError):
            desk.hub.set_role(desk.owner, name, role)


def test_a_disk_that_takes_nothing_leaves_the_roster_as_it_was(desk: Desk) -> None:
    desk.hub.admit(request("pc7"), Role.MEMBER)
    desk.is_full = True
    for change in (
        lambda: desk.hub.remove(desk.owner, "pc7"),
        lambda: desk.hub.set_role(desk.owner, "pc7", Role.GUEST),
        lambda: desk.hub.admit(request("pc8"), Role.MEMBER),
    ):
        with pytest.raises(StateNotSaved):
            change()
    assert desk.names() == ["hub-1", "pc7"] and desk.book.number == 2


def test_no_audit_no_change(desk: Desk) -> None:
    desk.hub.admit(request("pc7"), Role.MEMBER)
    desk.audit.close()
    desk.folder.audit.rename(desk.folder.path / "gone")
    for change in (
        lambda: desk.hub.remove(desk.owner, "pc7"),
        lambda: desk.hub.set_role(desk.owner, "pc7", Role.GUEST),
        lambda: desk.hub.admit(request("pc8"), Role.MEMBER),
    ):
        with pytest.raises(StateNotSaved):
            change()
    assert desk.names() == ["hub-1", "pc7"]


def test_a_roster_that_cannot_grow_any_further_is_said_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "MAX_ROSTER_BYTES", len(desk.book.data) + 10)
    with pytest.raises(RoomError, match="cannot grow"):
        desk.hub.admit(request("pc7"), Role.MEMBER)
    assert desk.names() == ["hub-1"]


def test_a_certificate_of_another_room_in_the_folder_makes_no_member(desk: Desk) -> None:
    other = new_authority_certificate(keys.new_key(), "other")
    desk.folder.authority_certificate.write_bytes(certificate_pem(other))
    with pytest.raises(StateDamaged, match="not this room's"):
        desk.hub.admit(request("pc7"), Role.MEMBER)
    assert desk.names() == ["hub-1"]


def test_that_a_running_hub_was_opened_is_in_the_audit_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.hub._key = None
    with monkeypatch.context() as patch:

        def full(*_: object, **__: object) -> int:
            raise StateNotSaved("no space left on device")

        patch.setattr(desk.audit, "append", full)
        with pytest.raises(StateNotSaved):
            desk.hub.unlock(None, desk.owner)
    assert repr(desk.hub).startswith("<Hub locked")
    desk.hub.unlock(None, desk.owner)
    assert repr(desk.hub).startswith("<Hub open")
    assert desk.lines()[-1]["what"] == "unlock"
