"""The seam between links and rooms: who is let in, and who may ask what.

A link knows nothing of rosters. It shows the peer's HELLO to a `Guard`, which answers with one of three verdicts;
the room supplies the real one (`room/guards.py`), `Anyone` serves where there is no room. Whether a caller may ask
an endpoint is decided in one place, `refusal()`, from the table of endpoints and the caller's role alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lanline.link.caller import Caller
from lanline.roles import Role
from lanline.transport.base import ConnectionFacts

if TYPE_CHECKING:
    from lanline.link.link import Link
    from lanline.link.service import Endpoint


@dataclass(frozen=True, slots=True)
class Welcome:
    """The peer is in, as this caller. `roster` is sent to it first, where it has an older one."""

    caller: Caller
    roster: bytes | None = None


@dataclass(frozen=True, slots=True)
class AwaitRoster:
    """The peer has a newer roster: judge it once that has come."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The peer stays out; it is told why."""

    reason: str


Verdict = Welcome | AwaitRoster | Refuse


class Guard(Protocol):
    """What a room supplies to its links."""

    def room_data(self) -> bytes:
        """What this side's HELLO says about the room."""

    def judge(self, facts: ConnectionFacts, room_data: bytes) -> Verdict:
        """Decides on a peer by its HELLO."""

    def judge_with_roster(self, facts: ConnectionFacts, room_data: bytes, roster: bytes) -> Verdict:
        """Decides on a peer once its newer roster came. Never answers AwaitRoster."""

    def welcomed(self, link: Link) -> str | None:
        """Both sides have let each other in. A text refuses the link after all, for that reason."""

    def lost(self, link: Link, reason: str) -> None:
        """A link that was welcomed is gone."""


class Anyone:
    """The guard where there is no room: everybody is a guest, nobody has a name."""

    def room_data(self) -> bytes:
        """Nothing."""
        return b""

    def judge(self, facts: ConnectionFacts, room_data: bytes) -> Verdict:
        """Welcome."""
        return Welcome(Caller(role=Role.GUEST, address=facts.peer_address))

    def judge_with_roster(self, facts: ConnectionFacts, room_data: bytes, roster: bytes) -> Verdict:
        """There is no roster where there is no room."""
        return Refuse("this service belongs to no room and takes no roster")

    def welcomed(self, link: Link) -> str | None:
        """Nothing to add."""
        return None

    def lost(self, link: Link, reason: str) -> None:
        """Nothing to undo."""


def refusal(caller: Caller, endpoint: Endpoint) -> str | None:
    """Why this caller may not ask this endpoint, in one sentence; None when it may."""
    if endpoint.is_local and not caller.is_local:
        return f"{endpoint.name} answers only to people on its own machine"
    least = endpoint.role
    if least is not None and (caller.role is None or caller.role < least):
        who = caller.name or "this caller"
        has = caller.role.word if caller.role is not None else "no role"
        if endpoint.doing:
            return f"{endpoint.doing} takes the role {least.word}; {who} is {has}"
        return f"{endpoint.name} needs the role {least.word}; {who} has {has}"
    return None
