"""A talk with one partner over a stream: what is heard and typed goes in, what to show and send comes out. Pure.

It holds no socket, no terminal and no clock. The ends of a talk::

    q typed            it is sent, then both sides end            a person's Ctrl-D or Ctrl-C      at once
    q heard            at once                                     the connection broke             at once
    input ended        (a pipe or file) nothing more is sent; the partner may go on until it ends or is silent
    partner ended      with a person at once; else the input may go on until it ends or is silent, for the partner may
                       have ended its own half only

Silence is `SILENCE` seconds. A partner that has closed and one that has ended its half look the same from here, until
something is sent to it. A caller that had ended before the talk began, and neither side said a word, was no partner: a
scanner, or a server that looks whether a socket file is stale. It does not keep the line for long.
"""

from __future__ import annotations

from lanline.errors import ChannelEnded, LanlineError
from lanline.services.talk.events import SILENCE, EndHalf, Event, How, Over, Said, Send
from lanline.services.talk.farewell import is_typed_farewell
from lanline.services.talk.incoming import SETTLE, FramedIncoming, Incoming, RawIncoming
from lanline.services.talk.lineends import LineEnds, Mode
from lanline.services.talk.typist import Typed
from lanline.translation import _


class Conversation:
    """One talk.

    Args:
        partner: who is at the other end, for sentences.
        newline: whether lines go out with a newline; without framing only.
        is_framed: whether a framing keeps messages apart.
        is_person: whether a person types: an end of input is Ctrl-D then.
        has_hung_up: whether the partner called and had ended already when the talk began.
    """

    def __init__(
        self, partner: str, *, newline: Mode, is_framed: bool, is_person: bool, has_hung_up: bool = False
    ) -> None:
        self._partner = partner
        self._ends = LineEnds(newline)
        self._is_framed = is_framed
        self._is_person = is_person
        self._incoming: Incoming = FramedIncoming(self._ends) if is_framed else RawIncoming(self._ends)
        self._has_hung_up = has_hung_up
        self._has_words = False
        self._is_in_line = False
        self._has_input_ended = False
        self._has_partner_ended = False
        self._quiet_since: float | None = None

    @property
    def deadline(self) -> float | None:
        """When to call `tick`; None: there is nothing to wait for."""
        silence = None if self._quiet_since is None else self._quiet_since + self._silence
        times = [time for time in (silence, self._incoming.deadline) if time is not None]
        return min(times, default=None)

    def received(self, data: bytes, now: float) -> list[Event]:
        """A message came; without framing, whatever one read delivered."""
        self._has_words = True
        if self._has_input_ended:
            self._quiet_since = now
        return self._heard(self._incoming.receive(data, now))

    def typed(self, typed: Typed, now: float) -> list[Event]:
        """A line was typed, or a piece of a long one."""
        if self._has_partner_ended:
            self._quiet_since = now
        self._has_words = True
        begins, self._is_in_line = not self._is_in_line, not typed.is_whole
        sends: list[Event] = [Send(message) for message in self._messages(typed)]
        if begins and typed.is_whole and is_typed_farewell(typed.data):
            return [*sends, Over(How.OWN_Q, _("you have ended the talk"))]
        return sends

    def input_ended(self, now: float) -> list[Event]:
        """Nothing more will be typed."""
        if self._is_person:
            return [Over(How.CTRL_D, _("the talk is over: Ctrl-D"))]
        self._has_input_ended = True
        if self._has_partner_ended:
            return [self._closed()]
        self._quiet_since = now
        return [EndHalf()]

    def partner_ended(self, error: LanlineError, now: float) -> list[Event]:
        """Nothing more will come, or nothing more can be sent.

        Args:
            error: why; ChannelEnded where the partner closed, or ended its half.
            now: the time.
        """
        if self._has_partner_ended:
            return [self._closed()]
        self._has_partner_ended = True
        said = self._heard(self._incoming.finish())
        if said and isinstance(said[-1], Over):
            return said
        if not isinstance(error, ChannelEnded):
            return [*said, self._closed() if self._is_blink else Over(How.BROKEN, str(error), error)]
        if self._is_person or self._has_input_ended:
            return [*said, self._closed()]
        self._quiet_since = now
        return said

    def tick(self, now: float) -> list[Event]:
        """Time has passed."""
        events = self._heard(self._incoming.tick(now))
        if events or self._quiet_since is None or now < self._quiet_since + self._silence:
            return events
        if self._has_partner_ended:
            return [self._closed()]
        text = _("the talk is over: the input has ended, and nothing has come for {seconds:g} s")
        return [Over(How.SILENCE, text.format(seconds=SILENCE))]

    def _messages(self, typed: Typed) -> list[bytes]:
        if self._is_framed:
            return typed.data.split(b"\n")  # pasted lines are a message each
        message = typed.data + self._ends.ending if typed.is_whole else typed.data
        return [message] if message else []

    def _heard(self, lines: list[str]) -> list[Event]:
        said: list[Event] = [Said(line) for line in lines]
        if self._incoming.is_farewell:
            said.append(Over(How.PARTNER_Q, _("{partner} has ended the talk").format(partner=self._partner)))
        return said

    @property
    def _is_blink(self) -> bool:
        return self._has_hung_up and not self._has_words

    @property
    def _silence(self) -> float:
        return SETTLE if self._is_blink else SILENCE

    def _closed(self) -> Over:
        if self._is_blink:
            return Over(How.HUNG_UP, _("{partner} has called and hung up").format(partner=self._partner))
        return Over(
            How.CLOSED, _("{partner} has closed the connection: the talk is over").format(partner=self._partner)
        )
