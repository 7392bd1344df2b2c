"""Who is here: the standing calls of the members to the hub, and the news that goes out on them.

A member is here as long as its call lives. Changes are gathered for a quarter of a second into one message for all, and
whoever comes gets the snapshot of the last such moment and then what follows: so a thousand members that return at once
cost a few encodings and not a thousand. Rules:

1. One seat per key. The newest call takes the seat and the one before is ended, for a machine that was cut off returns
   before its old call is known to be dead; an old call that ends later takes nothing away from the new one.
2. A start of a process has a random name (`boot`). When a key is used by one start, then by another, and then by the
   first again, two machines have it: an alarm. A machine that was only restarted never brings an old name back.
3. News that a member does not take pile up to `MAX_PENDING`; beyond that they are dropped, and it gets a new snapshot
   once it takes something again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from lanline.errors import RemoteProtocolError
from lanline.link.caller import Caller
from lanline.room.book import RosterBook
from lanline.room.civil import civil_now
from lanline.room.presence import GATHER, PresenceBook, Report, news_of_roster, news_of_rows, presence_of

MAX_PENDING: Final = 256
"""Messages one member may leave untaken: a minute of steady change, or sixteen changes of everything."""

_STARTS: Final = 4
"""Starts remembered per key."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """Where a member's call comes from.

    Attributes:
        host: IP address of its link.
        boot: which start of its node.
        round_trip: as measured on its link so far, seconds; None before that.
    """

    host: str
    boot: bytes
    round_trip: float | None = None


@dataclass(eq=False, slots=True)
class _Seat:
    """One member's standing call."""

    caller: Caller
    needs_roster: bool
    is_behind: bool = True
    pending: list[bytes] = field(default_factory=list)
    waiting: asyncio.Future[None] | None = None
    ended_because: str = ""

    def tell(self, news: bytes) -> None:
        if self.is_behind or self.ended_because:
            return  # the snapshot will have it
        if len(self.pending) >= MAX_PENDING:
            self.pending.clear()
            self.is_behind = self.needs_roster = True
        else:
            self.pending.append(news)
        self._wake()

    def end(self, why: str) -> None:
        self.ended_because = why
        self._wake()

    async def wait(self) -> None:
        while not (self.pending or self.is_behind or self.ended_because):
            self.waiting = asyncio.get_running_loop().create_future()
            try:
                await self.waiting
            finally:
                self.waiting = None

    def _wake(self) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)


class Attendance:
    """The members that are here, on the hub.

    Args:
        book: the roster in force.
        presence: what is known of everybody; changed here as members come and go.
        alarm: tells people.
    """

    def __init__(self, book: RosterBook, presence: PresenceBook, alarm: Callable[[str], None]) -> None:
        self._book = book
        self._presence = presence
        self._alarm = alarm
        self._seats: dict[bytes, _Seat] = {}
        self._starts: OrderedDict[bytes, list[Arrived]] = OrderedDict()
        self._snapshot: list[bytes] = []

    def __repr__(self) -> str:
        return f"<Attendance {len(self._seats)} here>"

    def __len__(self) -> int:
        return len(self._seats)

    def statistics(self) -> dict[str, int]:
        """Members that are here, and keys of which the last starts are remembered."""
        return {"here": len(self._seats), "keys": len(self._starts)}

    async def attend(self, caller: Caller, arrived: Arrived, report: Report) -> AsyncIterator[bytes]:
        """A member is here as long as this goes on; yields News for it, encoded.

        Args:
            caller: the member.
            arrived: where its call comes from.
            report: what it says of itself.

        Raises:
            RemoteProtocolError: another call of this member has begun.
        """
        seat = self._take_seat(caller, arrived, needs_roster=report.roster_number != self._book.number)
        self._presence.set(
            presence_of(caller.name, report, arrived.host, now=civil_now(), round_trip=arrived.round_trip)
        )
        try:
            while not seat.ended_because:
                for news in self._due(seat):
                    yield news
                    await asyncio.sleep(0)  # so that it goes out by itself: see ROWS_AT_ONCE
                await seat.wait()
            raise RemoteProtocolError(f"this call is over: {seat.ended_because}")
        finally:
            if self._seats.get(caller.key_hash) is seat:
                del self._seats[caller.key_hash]
                self._presence.set_offline(caller.name, now=civil_now())

    def tell_roster(self, data: bytes) -> None:
        """A newer roster is in force: everybody here hears of it at once."""
        self._snapshot = []  # somebody may have been forgotten
        for part in news_of_roster(data):
            self._tell(part)

    async def spread_changes(self, look: Callable[[], object] = tuple) -> None:
        """Tells everybody what changed, gathered; runs as long as the hub does.

        Args:
            look: called before each gathering, to put into `presence` what nobody reports: round trips. By default
                nothing.
        """
        while True:
            await asyncio.sleep(GATHER)
            look()
            self.spread_now()

    def spread_now(self) -> None:
        """Tells everybody what has changed since the last time."""
        rows = self._presence.take_changes()
        if rows:
            self._snapshot = []
            for part in news_of_rows(rows, is_whole=False):
                self._tell(part)

    def _tell(self, news: bytes) -> None:
        for seat in self._seats.values():
            seat.tell(news)

    def _due(self, seat: _Seat) -> list[bytes]:
        """What is to be sent to a member now."""
        if not seat.is_behind:
            due, seat.pending = seat.pending, []
            return due
        due = list(self._snapshot_now())
        if seat.needs_roster:
            due += news_of_roster(self._book.data)
        seat.is_behind = seat.needs_roster = False
        return due

    def _snapshot_now(self) -> list[bytes]:
        # As of the last gathering. What has changed since then comes with the next, to this member too.
        if not self._snapshot:
            self._snapshot = news_of_rows(self._presence.rows(), is_whole=True)
        return self._snapshot

    def _take_seat(self, caller: Caller, arrived: Arrived, *, needs_roster: bool) -> _Seat:
        before = self._seats.get(caller.key_hash)
        seat = self._seats[caller.key_hash] = _Seat(caller, needs_roster)
        if before is not None:
            before.end("another call of this member has begun")
        self._compare_starts(caller, arrived)
        return seat

    def _compare_starts(self, caller: Caller, arrived: Arrived) -> None:
        starts = self._starts.setdefault(caller.key_hash, [])
        self._starts.move_to_end(caller.key_hash)
        known = [start.boot for start in starts]
        if arrived.boot in known[:-1]:
            other = starts[-1].host
            self._alarm(
                f"one key on two machines: {caller.name} comes from {_here_and_there(arrived.host, other)} in turn. "
                f"One is a copy of the other: stop both, lanline members remove {caller.name}, and let each join anew"
            )
        if arrived.boot not in known[-1:]:
            self._starts[caller.key_hash] = [*starts, arrived][-_STARTS:]
        while len(self._starts) > 2 * max(len(self._book.current.members), 1):
            self._starts.popitem(last=False)


def _here_and_there(one: str, other: str) -> str:
    return f"{one} twice" if one == other else " and ".join(sorted((one, other)))
