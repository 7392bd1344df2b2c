"""A talk over datagrams: whom the answers go to, and who has said what. Pure.

Datagrams know no connection. Answers go to whoever spoke last, and a note says who that is when it changes. Several
speakers are told apart by their addresses. An empty datagram is a message without words, not an end. `q` alone means
that its speaker leaves; it ends the talk when that was the partner, unless others are waited for.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from lanline.errors import DatagramRefused, MessageTooLarge
from lanline.services.talk.events import SILENCE, Event, How, Noted, Over, Said, Send
from lanline.services.talk.farewell import is_farewell_message, is_typed_farewell
from lanline.services.talk.incoming import FramedIncoming
from lanline.services.talk.lineends import LineEnds, Mode
from lanline.services.talk.typist import Typed
from lanline.translation import _
from lanline.transport.udp.undelivered import MAX_DATAGRAM_BYTES, SMALLER_DATAGRAMS

_MAX_SPEAKERS: Final = 1024
"""Speakers whose line ends are remembered; beyond it the longest silent is forgotten."""


class Speakers:
    """Everyone who speaks to one socket.

    Args:
        newline: whether lines go out with a newline, learned for each speaker.
        partner: the one to talk with, where it was named; None: whoever speaks last.
        keeps_on: whether the talk outlives a partner that leaves.
        is_person: whether a person types.
    """

    def __init__(self, *, newline: Mode, partner: str | None, keeps_on: bool, is_person: bool) -> None:
        self._newline: Mode = newline
        self._partner = partner
        self._is_named = partner is not None
        self._keeps_on = keeps_on
        self._is_person = is_person
        self._ends: OrderedDict[str, LineEnds] = OrderedDict()
        self._long_bytes = 0
        self._has_heard = False
        self._refusal: DatagramRefused | None = None
        self._quiet_since: float | None = None

    @property
    def deadline(self) -> float | None:
        """When to call `tick`; None: there is nothing to wait for."""
        return None if self._quiet_since is None else self._quiet_since + SILENCE

    @property
    def holds_input(self) -> bool:
        """Whether input had better wait: it comes from no person, and nobody has spoken yet whom it could go to."""
        return self._partner is None and not self._is_person

    def received(self, sender: str, data: bytes, now: float) -> list[Event]:
        """A datagram came."""
        self._has_heard, self._refusal = True, None
        if self._quiet_since is not None:
            self._quiet_since = now
        incoming = FramedIncoming(self._ends_of(sender))
        if is_farewell_message(data):
            return self._left(sender)
        events = self._turned_to(sender)
        if not data:
            return [*events, Noted("empty", _("{peer} has sent an empty datagram").format(peer=sender), sender)]
        speaker = "" if self._is_named else sender
        return [*events, *(Said(line, speaker) for line in incoming.receive(data, now))]

    def typed(self, typed: Typed, now: float) -> list[Event]:
        """A line was typed."""
        if not typed.is_whole or self._long_bytes:
            return self._too_long(typed)
        is_farewell = is_typed_farewell(typed.data)
        over = Over(How.OWN_Q, _("you have ended the talk"))
        if self._partner is None:
            unsent = Noted("unsent", _("not sent: nobody has spoken yet, so there is nobody to answer"))
            return [over] if is_farewell else [unsent]
        send = Send(typed.data + self._ends_of(self._partner).ending, self._partner)
        return [send, over] if is_farewell else [send]

    def input_ended(self, now: float) -> list[Event]:
        """Nothing more will be typed."""
        if self._is_person:
            return [Over(How.CTRL_D, _("the talk is over: Ctrl-D"))]
        self._quiet_since = now
        return []

    def refused(self, error: DatagramRefused, now: float) -> list[Event]:
        """The system of a peer says that nobody listens there."""
        self._refusal = error
        return [Noted("refused", _("{error}; the talk goes on").format(error=error))]

    def tick(self, now: float) -> list[Event]:
        """Time has passed."""
        if self._quiet_since is None or now < self._quiet_since + SILENCE:
            return []
        if self._refusal is not None and not self._has_heard:
            return [Over(How.BROKEN, str(self._refusal), self._refusal)]
        text = _("the talk is over: the input has ended, and nothing has come for {seconds:g} s")
        return [Over(How.SILENCE, text.format(seconds=SILENCE))]

    def _too_long(self, typed: Typed) -> list[Event]:
        """A line in pieces fits into no datagram, and its last piece alone would be another message."""
        self._long_bytes += len(typed.data)
        if not typed.is_whole:
            return []
        error = MessageTooLarge(self._long_bytes, MAX_DATAGRAM_BYTES, _("datagram"), advice=SMALLER_DATAGRAMS)
        self._long_bytes = 0
        return [Noted("unsent", _("not sent: {reason}").format(reason=error))]

    def _ends_of(self, speaker: str) -> LineEnds:
        ends = self._ends.get(speaker)
        if ends is None:
            ends = self._ends[speaker] = LineEnds(self._newline)
            if len(self._ends) > _MAX_SPEAKERS:
                self._ends.popitem(last=False)
        self._ends.move_to_end(speaker)
        return ends

    def _turned_to(self, sender: str) -> list[Event]:
        if sender == self._partner:
            return []
        self._partner = sender
        return [Noted("partner", _("answers go to {peer} now").format(peer=sender), sender)]

    def _left(self, sender: str) -> list[Event]:
        self._ends.pop(sender, None)
        is_partner = self._partner in (None, sender)
        note = Noted("left", _("{peer} has left the talk").format(peer=sender), sender)
        if not is_partner:
            return [note]
        if not self._is_named:
            self._partner = None
        if self._keeps_on:
            return [note]
        return [Over(How.PARTNER_Q, _("{partner} has ended the talk").format(partner=sender))]
