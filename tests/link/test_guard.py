"""Who may ask what, in one place; and the guard where there is no room."""

from __future__ import annotations

import pytest

from lanline.link.caller import Caller
from lanline.link.guard import Anyone, Refuse, Welcome, refusal
from lanline.link.service import Service, endpoint
from lanline.roles import Role
from lanline.transport.base import ConnectionFacts

FACTS = ConnectionFacts("tcp", "tcp://192.0.2.7:5", None, None)


class Gate(Service):
    """One endpoint for each least role, and one without."""

    name = "gate"

    @endpoint
    def free(self) -> None:
        """Needs nothing."""

    @endpoint(role=Role.GUEST)
    def guest(self) -> None:
        """Needs to be somebody."""

    @endpoint(role=Role.MEMBER)
    def member(self) -> None:
        """Needs a member."""

    @endpoint(role=Role.OPERATOR)
    def operator(self) -> None:
        """Needs an operator."""

    @endpoint(role=Role.OWNER)
    def owner(self) -> None:
        """Needs an owner."""

    @endpoint(role=Role.GUEST, local=True)
    def local(self) -> None:
        """Needs to be here."""


TABLE = Gate().endpoints()


@pytest.mark.parametrize("role", [None, *Role])
@pytest.mark.parametrize("least", Role)
def test_a_role_is_enough_for_itself_and_all_below(role: Role | None, least: Role) -> None:
    said = refusal(Caller("pc7", role), TABLE[f"gate.{least.word}"])
    if role is not None and role >= least:
        assert said is None
    else:
        has = role.word if role else "no role"
        assert said == f"gate.{least.word} needs the role {least.word}; pc7 has {has}"


def test_an_endpoint_without_a_role_is_for_everybody() -> None:
    assert refusal(Caller(), TABLE["gate.free"]) is None


def test_a_local_endpoint_is_for_local_callers_of_any_role() -> None:
    entry = TABLE["gate.local"]
    assert refusal(Caller("pc7", Role.OWNER), entry) == "gate.local answers only to people on its own machine"
    assert refusal(Caller("pc7", Role.GUEST, is_local=True), entry) is None
    assert refusal(Caller("", None, is_local=True), entry) == "gate.local needs the role guest; this caller has no role"


def test_without_a_room_everybody_is_a_guest_without_a_name() -> None:
    guard = Anyone()
    assert guard.room_data() == b""
    assert guard.judge(FACTS, b"whatever") == Welcome(Caller(role=Role.GUEST, address="tcp://192.0.2.7:5"))
    assert isinstance(guard.judge_with_roster(FACTS, b"", b"roster"), Refuse)
