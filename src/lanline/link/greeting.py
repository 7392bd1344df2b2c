"""The first exchange of a link: from the peer's HELLO to the moment both sides have let each other in.

It asks the guard and acts on its verdicts; what makes somebody welcome is the guard's business (`guard.py`). The
listener hears of the peer's name before this side says WELCOME, so that a member with too many connections is told why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanline.link.caller import Caller
from lanline.link.guard import AwaitRoster, Guard, Refuse, Verdict, Welcome
from lanline.session import events
from lanline.transport.base import Arrival, ConnectionFacts

if TYPE_CHECKING:
    from lanline.link.link import Link


class Greeting:
    """Lets the peer of one link in, or not.

    Args:
        link: whose.
        guard: judges.
        facts: what is known of the connection.
        arrival: what the listener knows of it, on the accepting side.
    """

    def __init__(self, link: Link, guard: Guard, facts: ConnectionFacts, arrival: Arrival | None) -> None:
        self._link = link
        self._guard = guard
        self._facts = facts
        self._arrival = arrival
        self._room_data = b""
        self._has_welcomed = False

    def greeted(self, event: events.Greeted) -> None:
        """The peer's HELLO came."""
        self._room_data = event.hello.room
        self._act_on(self._guard.judge(self._facts, event.hello.room))

    def roster_received(self, event: events.RosterReceived) -> None:
        """The peer's roster came: awaited, or sent because it had news in the meantime."""
        self._act_on(self._guard.judge_with_roster(self._facts, self._room_data, event.data))

    def both_welcomed(self) -> str | None:
        """Both sides have let each other in: the guard has the last word. Returns why not, or None."""
        return self._guard.welcomed(self._link)

    def _act_on(self, verdict: Verdict) -> None:
        if self._link.pump.session.is_closed:
            return  # a later frame of the same bytes has ended it
        if isinstance(verdict, Welcome):
            self._welcome(verdict.caller, verdict.roster)
        elif isinstance(verdict, Refuse):
            self._link.refuse(verdict.reason)
        else:
            assert isinstance(verdict, AwaitRoster), "a verdict is one of three"

    def _welcome(self, caller: Caller, roster: bytes | None) -> None:
        link = self._link
        link.caller = caller
        if self._has_welcomed:
            return
        if self._arrival is not None and not self._arrival.welcomed(caller.name or None):
            link.refuse(f"{caller.name or 'this machine'} has too many connections to this node already")
            return
        self._has_welcomed = True
        session = link.pump.session
        if roster is not None:
            session.send_roster(roster)
        session.send_welcome()
