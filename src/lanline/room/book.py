"""The roster in force on one node, and what a newer one changes.

Pure: it keeps no file (write `data` with `disk.write_atomic` after each adoption). One rule: the number
never goes down, whoever offers what; and two rosters with one number and different contents are an
alarm, for then the authority key is in two hands or was restored from an old backup.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from lanline.errors import RemoteProtocolError
from lanline.room.roster import Member, Roster, content_of, verify

if TYPE_CHECKING:
    from lanline.room.keys import PublicKey


@dataclass(frozen=True, slots=True)
class Change:
    """What the adoption of a roster changed; all empty when it was the one in force already.

    A key is what makes a member: one name with another key is one removed and one added.
    """

    added: tuple[Member, ...] = ()
    removed: tuple[Member, ...] = ()
    role_changed: tuple[tuple[Member, Member], ...] = ()
    """Pairs of old and new."""
    renamed: tuple[tuple[Member, Member], ...] = ()
    """Pairs of old and new."""
    is_new: bool = False
    """Whether another roster is in force now, even when no member changed: write it to disk."""

    @property
    def lowered(self) -> tuple[Member, ...]:
        """Members, as they are now, whose role is lower than before."""
        return tuple(new for old, new in self.role_changed if new.role < old.role)


class Refusal(Enum):
    """Why a roster was not adopted; the value is the sentence for people."""

    NOT_VALID = "it is not a roster signed by this room's authority"
    OLD = "its number is lower than that of the roster in force"
    CONFLICT = (
        "ALARM: it has the same number as the roster in force and says something else. The authority key is "
        "in use in two places, or the hub went back to an old state"
    )


@dataclass(frozen=True, slots=True)
class Refused:
    """A roster that was not adopted. What was in force stays in force."""

    reason: Refusal
    detail: str

    @property
    def is_alarm(self) -> bool:
        """Whether people must be told, for it cannot happen by itself."""
        return self.reason is Refusal.CONFLICT

    def __str__(self) -> str:
        return f"{self.reason.value} ({self.detail})"


class RosterBook:
    """Holds the roster in force.

    Args:
        authority: the public key in the room's certificate.
        data: the roster from disk.

    Raises:
        RemoteProtocolError: `data` is not a roster of this authority. A node then starts without it and
            asks its
            peers, or refuses to start; it never goes on as if everybody were in.
    """

    def __init__(self, authority: PublicKey, data: bytes) -> None:
        self._authority = authority
        self._take(verify(data, authority), data)

    def _take(self, roster: Roster, data: bytes) -> None:
        self.current = roster
        self.data = data
        self._by_key = {member.key_hash: member for member in roster.members}

    @property
    def number(self) -> int:
        """Number of the roster in force."""
        return self.current.number

    def member_for(self, key_hash: bytes) -> Member | None:
        """The member with this key, or None when it is not in the room (any more)."""
        return self._by_key.get(key_hash)

    def judge(self, data: bytes) -> Roster | Refused:
        """What `adopt` would do with `data`, without doing it: the roster it would take, or why not."""
        if data == self.data:
            return self.current
        try:
            roster = verify(data, self._authority)
        except RemoteProtocolError as error:
            return Refused(Refusal.NOT_VALID, str(error))
        if roster.number < self.number:
            return Refused(Refusal.OLD, f"{roster.number}, in force {self.number}")
        if roster.number == self.number and content_of(data) != content_of(self.data):
            return Refused(Refusal.CONFLICT, f"number {self.number}")
        return roster

    def adopt(self, data: bytes) -> Change | Refused:
        """Puts a roster in force if it is valid and newer.

        Args:
            data: what a peer sent.

        Returns:
            What changed, or why it was refused. The same roster again is a change of nothing.
        """
        new = self.judge(data)
        if isinstance(new, Refused):
            return new
        if new.number == self.number:
            return Change()
        change = changes(self.current, new)
        self._take(new, data)
        return change

    def __repr__(self) -> str:
        roster = self.current
        return f"<RosterBook room={roster.room} number={roster.number} members={len(roster.members)}>"


def changes(old: Roster, new: Roster) -> Change:
    """What differs between two rosters, by key."""
    before = {member.key_hash: member for member in old.members}
    after = {member.key_hash: member for member in new.members}
    both = [(before[key], after[key]) for key in before.keys() & after.keys()]
    both.sort(key=lambda pair: pair[1].name)
    return Change(
        added=tuple(member for member in new.members if member.key_hash not in before),
        removed=tuple(member for member in old.members if member.key_hash not in after),
        role_changed=tuple(pair for pair in both if pair[0].role != pair[1].role),
        renamed=tuple(pair for pair in both if pair[0].name != pair[1].name),
        is_new=True,
    )
