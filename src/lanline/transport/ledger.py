"""Who is connected to one listener, and who has to go: pure counting, without sockets or clock.

It decides; `accept.py` acts. The rules (trust.md, "Limits"):

- A newcomer is a stranger until it is welcomed. Strangers are limited in all, per address and in time.
- Beyond a limit a stranger is dropped to make room, not the newcomer refused: a flood then displaces itself.
- Only when there is no stranger to drop, the newcomer is refused: members are never displaced.

Which stranger: first those that have not sent a byte, then those from the address that has most of them, then
the oldest. So with one flooding machine the strangers of others stay, and of two from the same machine the
one that is in the middle of its handshake stays. (OpenSSH's MaxStartups drops newcomers at random instead; a
member reconnecting into a flood would then have to be lucky.)

Addresses are whole IP addresses: in a LAN all machines share one IPv6 /64, so counting by /64, as is usual on
the internet, would count the room as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Generic, TypeVar

from lanline.limits import Limits


class Standing(Enum):
    """Where a connection stands in the ledger."""

    NEW = auto()
    STRANGER = auto()
    WELCOMED = auto()
    GONE = auto()


class Entry:
    """One connection in a ledger. `accept.py` derives from it.

    Args:
        host: the address to count by; None is counted in all, but not per address.
        since: when it was accepted, in seconds.
    """

    __slots__ = ("host", "since", "spoke", "standing", "member")

    def __init__(self, host: str | None, since: float) -> None:
        self.host = host
        self.since = since
        self.spoke = False
        self.standing = Standing.NEW
        self.member: str | None = None

    def has_spoken(self) -> bool:
        """Whether a byte of it has come, as far as can be known now. A last look before it would have to go."""
        return self.spoke


E = TypeVar("E", bound=Entry)


@dataclass(frozen=True, slots=True)
class Admission(Generic[E]):
    """What to do with a newcomer."""

    victim: E | None = None
    """A stranger that must be dropped now; the ledger has forgotten it."""

    refusal: str = ""
    """Not empty: the newcomer is not let in, for this reason."""


class Ledger(Generic[E]):
    """The connections of one listener.

    Args:
        limits: in force for the whole life of the ledger.
        descriptors: how many files this process may open; connections are kept to 70 % of it.
        expires: whether strangers run into `limits.handshake`.
    """

    def __init__(self, limits: Limits, *, descriptors: int | None = None, expires: bool = True) -> None:
        self._limits = limits
        self._most = limits.max_connections
        self._most_strangers = limits.max_strangers
        if descriptors is not None:
            # The rest is for files, child processes and connections going out. Strangers get a quarter at
            # most.
            self._most = max(1, min(self._most, descriptors * 7 // 10))
            self._most_strangers = max(1, min(self._most_strangers, descriptors // 4))
        self._expires = expires
        self._strangers: dict[E, None] = {}  # in the order they came: all have the same time to live
        self._strangers_of: dict[str, int] = {}
        self._connections_of: dict[str, int] = {}
        self._connections_of_member: dict[str, int] = {}
        self._connections = 0

    @property
    def strangers(self) -> int:
        """How many are open and not welcomed."""
        return len(self._strangers)

    @property
    def connections(self) -> int:
        """How many are open, strangers included."""
        return self._connections

    def admit(self, entry: E) -> Admission[E]:
        """Judges a newcomer and, unless it is refused, enters it as a stranger."""
        victim, refusal = self._room_for(entry.host)
        if refusal:
            entry.standing = Standing.GONE
            return Admission(refusal=refusal)
        if victim is not None:
            self.forget(victim)
        entry.standing = Standing.STRANGER
        self._strangers[entry] = None
        self._connections += 1
        if entry.host is not None:
            _add(self._strangers_of, entry.host)
            _add(self._connections_of, entry.host)
        return Admission(victim=victim)

    def welcome(self, entry: E, member: str | None) -> bool:
        """Makes a stranger welcome, under a member's name where it has one.

        Returns:
            False when it is gone, or when the member is at its limit; then nothing has changed.
        """
        if entry.standing is Standing.GONE or entry.standing is Standing.NEW:
            return False
        if member is not None and member != entry.member:
            if self._connections_of_member.get(member, 0) >= self._limits.max_connections_per_member:
                return False
            if entry.member is not None:
                _remove(self._connections_of_member, entry.member)
            _add(self._connections_of_member, member)
            entry.member = member
        if entry.standing is Standing.STRANGER:
            self._no_stranger(entry)
            entry.standing = Standing.WELCOMED
        return True

    def forget(self, entry: E) -> None:
        """Strikes a connection out. A second time does nothing."""
        if entry.standing is Standing.GONE or entry.standing is Standing.NEW:
            return
        if entry.standing is Standing.STRANGER:
            self._no_stranger(entry)
        entry.standing = Standing.GONE
        self._connections -= 1
        if entry.host is not None:
            _remove(self._connections_of, entry.host)
        if entry.member is not None:
            _remove(self._connections_of_member, entry.member)

    def victim(self, host: str | None = None) -> E | None:
        """The stranger that goes first; with a host, the first of that address. None when there is none."""
        candidates = [entry for entry in self._strangers if host is None or entry.host == host]
        while candidates:
            chosen = min(candidates, key=self._merit)
            if chosen.spoke or not chosen.has_spoken():
                return chosen
            # Its bytes came after the last turn of the loop, in the middle of a burst: it counts as one who spoke.
            chosen.spoke = True
        return None

    def all_strangers(self) -> list[E]:
        """Everyone not welcomed, oldest first."""
        return list(self._strangers)

    def next_deadline(self) -> float | None:
        """When the oldest stranger's time is over; None while there is none."""
        if not self._expires:
            return None
        oldest = next(iter(self._strangers), None)
        return None if oldest is None else oldest.since + self._limits.handshake

    def overdue(self, now: float) -> list[E]:
        """The strangers whose time is over at `now`, oldest first."""
        due: list[E] = []
        for entry in self._strangers:
            if entry.since + self._limits.handshake > now:
                break
            due.append(entry)
        return due

    def _room_for(self, host: str | None) -> tuple[E | None, str]:
        """(victim or None, refusal or empty). One victim is always enough: it frees a place of every kind."""
        limits = self._limits
        if host is not None:
            is_crowded = self._connections_of.get(host, 0) >= limits.max_connections_per_address
            if is_crowded or self._strangers_of.get(host, 0) >= limits.max_strangers_per_address:
                victim = self.victim(host)
                if victim is not None:
                    return victim, ""
                return (
                    None,
                    f"{limits.max_connections_per_address} connections from {host}, limit per address",
                )
        if self._connections >= self._most:
            victim = self.victim()
            return victim, "" if victim is not None else f"{self._most} connections, limit in all"
        return (self.victim() if len(self._strangers) >= self._most_strangers else None), ""

    def _merit(self, entry: E) -> tuple[bool, int, float]:
        crowd = self._strangers_of.get(entry.host, 0) if entry.host is not None else 0
        return entry.spoke, -crowd, entry.since

    def _no_stranger(self, entry: E) -> None:
        del self._strangers[entry]
        if entry.host is not None:
            _remove(self._strangers_of, entry.host)


def _add(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1


def _remove(counts: dict[str, int], key: str) -> None:
    left = counts[key] - 1
    if left:
        counts[key] = left
    else:
        del counts[key]  # an address that is gone must not stay in memory
