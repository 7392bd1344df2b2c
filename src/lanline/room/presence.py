"""Presence: who is here, where they listen, and what they let others do. Pure, as the hub and every node keep it.

The hub knows who is online: each node keeps a call to it open. It hands every node a snapshot and then deltas,
gathered for a quarter of a second each, so that a thousand members coming back at once are a few messages and not
half a million. A node keeps what it last heard on disk: when the hub is away, members that know each other's
addresses go on. Presence is a hint: where to look for a member. Who it is, its key proves.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final

import msgspec

from lanline.limits import LAN

GATHER: Final = 0.25
"""Seconds over which changes are gathered into one delta."""

KIND: Final = "presence"
"""The word in the sealed file."""

ROWS_AT_ONCE: Final = 40
ROSTER_BYTES_AT_ONCE: Final = 4 * 1024
"""Rows, and bytes of a roster, in one message. The hub sends each in a loop turn of its own, because the buffer of a
TLS connection keeps the size of the largest write for as long as it lives: a snapshot or a roster of a thousand
members in one piece would cost 80 KiB a member for ever (benchmarks/idle_links.py)."""

MAX_ADDRESSES: Final = 8

_MAX_HOST_CHARACTERS: Final = 64
"""An IPv6 address with the name of an interface; ipaddress itself would take a name of any length."""


class Report(msgspec.Struct, frozen=True, array_like=True):
    """What a node says of itself to the hub.

    Fields: the port its links come in at; IP addresses it listens on (empty: wherever the hub saw it connect from);
    lanline's version; operating system; whether its policy lets anybody run anything; the number of its roster.
    """

    port: int
    hosts: tuple[str, ...] = ()
    version: str = ""
    system: str = ""
    runs: bool = False
    roster_number: int = 0


class Presence(msgspec.Struct, frozen=True, array_like=True):
    """What is known of one member besides its line in the roster.

    Fields: name; whether it is online; its addresses as `host:port`; version; system; whether it runs commands for
    anybody; when it was last seen (civil time, seconds since 1970, by the hub's clock; 0: never); round trip from the
    hub in seconds (negative: not measured).
    """

    name: str
    online: bool = False
    addresses: tuple[str, ...] = ()
    version: str = ""
    system: str = ""
    runs: bool = False
    last_seen: float = 0.0
    round_trip: float = -1.0


class News(msgspec.Struct, frozen=True, array_like=True):
    """One message from the hub to a node: presence that changed, and the roster when there is a newer one.

    Both come in parts (`news_of_rows`, `news_of_roster`). Fields: rows; whether a snapshot begins with them, or they
    are more of it, or only what changed; a part of a signed roster, or nothing; how many bytes of the roster follow
    this part.
    """

    rows: tuple[Presence, ...] = ()
    is_whole: bool = False
    roster: bytes = b""
    roster_bytes_left: int = 0


encode_news: Final = msgspec.msgpack.Encoder().encode
decode_news: Final = msgspec.msgpack.Decoder(News).decode


def news_of_rows(rows: tuple[Presence, ...], *, is_whole: bool) -> list[bytes]:
    """Rows as encoded News, in parts.

    Args:
        is_whole: they are all there are; the first part says so.
    """
    starts = range(0, max(len(rows), 1), ROWS_AT_ONCE)
    return [encode_news(News(rows[start : start + ROWS_AT_ONCE], is_whole and start == 0)) for start in starts]


def news_of_roster(data: bytes) -> list[bytes]:
    """A signed roster as encoded News, in parts."""
    starts = range(0, len(data), ROSTER_BYTES_AT_ONCE)
    parts = [data[start : start + ROSTER_BYTES_AT_ONCE] for start in starts]
    left = [max(0, len(data) - start - ROSTER_BYTES_AT_ONCE) for start in starts]
    return [encode_news(News(roster=part, roster_bytes_left=rest)) for part, rest in zip(parts, left, strict=True)]


class RosterParts:
    """Puts a roster together from the parts of News."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._wanted = 0

    def __repr__(self) -> str:
        return f"<RosterParts {sum(map(len, self._parts))} bytes, {self._wanted} to come>"

    def add(self, news: News) -> bytes | None:
        """Takes the next News; returns the roster when this was its last part.

        A part that does not continue the ones before begins a new roster: those were cut off by the end of a call.
        """
        if not news.roster:
            return None
        if self._wanted != len(news.roster) + news.roster_bytes_left:
            self._parts.clear()
        if news.roster_bytes_left < 0 or len(news.roster) + news.roster_bytes_left > LAN.max_roster_bytes:
            return None
        self._parts.append(news.roster)
        self._wanted = news.roster_bytes_left
        if self._wanted:
            return None
        whole = b"".join(self._parts)
        self._parts.clear()
        return whole


class PresenceBook:
    """What one node knows of everybody, by name."""

    def __init__(self, rows: tuple[Presence, ...] = ()) -> None:
        # From the disk: what was online then need not be now.
        self._rows = {row.name: msgspec.structs.replace(row, online=False) for row in rows}
        self._changed: set[str] = set()

    def __repr__(self) -> str:
        return f"<PresenceBook known={len(self._rows)} online={len(self.online)}>"

    @property
    def online(self) -> frozenset[str]:
        """Names of the members that are here."""
        return frozenset(name for name, row in self._rows.items() if row.online)

    def of(self, name: str) -> Presence:
        """What is known of a member; of one never seen, nothing but its name."""
        return self._rows.get(name) or Presence(name)

    def rows(self) -> tuple[Presence, ...]:
        """Everything known, for a snapshot or the disk."""
        return tuple(self._rows.values())

    def set(self, row: Presence) -> None:
        """Something is known anew of one member; `take_changes` will tell of it if it differs."""
        if self._rows.get(row.name) != row:
            self._rows[row.name] = row
            self._changed.add(row.name)

    def set_offline(self, name: str, *, now: float) -> None:
        """A member has gone.

        Args:
            now: civil time, seconds.
        """
        row = self._rows.get(name)
        if row is not None and row.online:
            self.set(msgspec.structs.replace(row, online=False, last_seen=now))

    def all_offline(self) -> None:
        """Nobody is known to be here any more: the hub is away."""
        self._rows = {name: msgspec.structs.replace(row, online=False) for name, row in self._rows.items()}

    def measure(self, round_trips: Mapping[str, float | None]) -> None:
        """Takes the round trips of live links, by name, in seconds; None where none was measured.

        A row changes only when the new figure is less than half or more than twice the old: a thousand rows are not
        sent around for a microsecond.
        """
        for name, seconds in round_trips.items():
            row = self._rows.get(name)
            if row is None or seconds is None:
                continue
            if row.round_trip <= 0 or not 0.5 <= seconds / row.round_trip <= 2.0:
                self.set(msgspec.structs.replace(row, round_trip=seconds))

    def forget(self, name: str) -> None:
        """A member has left the room."""
        self._rows.pop(name, None)
        self._changed.discard(name)

    def take_changes(self) -> tuple[Presence, ...]:
        """The rows that changed since the last time; handed over once."""
        changed, self._changed = self._changed, set()
        return tuple(self._rows[name] for name in changed if name in self._rows)

    def learn(self, news: News) -> None:
        """Takes what the hub sent."""
        if news.is_whole:
            self._rows = {}
        for row in news.rows:
            self._rows[row.name] = row


def presence_of(name: str, report: Report, seen_host: str, *, now: float, round_trip: float | None) -> Presence:
    """The presence of a member that has just reported.

    Args:
        name: the member's, from the roster.
        report: what it said; its texts are hostile. A host that is no IP address is left out: others would look a name
            up that the member chose, and a long text would travel to everybody.
        seen_host: where its link came from.
        now: civil time, seconds.
        round_trip: measured by the hub, seconds.
    """
    hosts = [host for host in report.hosts[:MAX_ADDRESSES] if _is_address(host)] or [seen_host]
    addresses = [f"[{host}]:{report.port}" if ":" in host else f"{host}:{report.port}" for host in hosts if host]
    return Presence(
        name,
        online=True,
        addresses=tuple(addresses) if 0 < report.port < 65536 else (),
        version=report.version[:40],
        system=report.system[:80],
        runs=report.runs,
        last_seen=now,
        round_trip=-1.0 if round_trip is None else round_trip,
    )


def with_addresses(row: Presence, addresses: tuple[str, ...]) -> Presence:
    """The row with these addresses (`host:port`) in place of its own, as many as a row may have."""
    return msgspec.structs.replace(row, addresses=addresses[:MAX_ADDRESSES])


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return len(host) <= _MAX_HOST_CHARACTERS
