"""What a talk gives to whoever carries it out: words to show, bytes to send, and how it ended.

Values only. The pure pieces (`conversation.py`, `speakers.py`) make them; the engines send, `display.py` shows.
Texts of the partner are clean of what could disturb a terminal already, and the console cleans them once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from lanline.errors import LanlineError

SILENCE: Final = 2.0
"""Seconds. Once one direction has ended, the other may go on; this much silence ends the talk. As `nc -q 2`."""


class How(Enum):
    """What ended a talk."""

    OWN_Q = "own-q"
    PARTNER_Q = "partner-q"
    CTRL_D = "ctrl-d"
    CTRL_C = "ctrl-c"
    SIGNAL = "signal"
    CLOSED = "closed"
    HUNG_UP = "hung-up"
    SILENCE = "silence"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Said:
    """One line of the partner, without its end. `speaker` is empty where there can be only one."""

    text: str
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes for the partner: one message. `to` is empty where there is only one to send to."""

    data: bytes
    to: str = ""


@dataclass(frozen=True, slots=True)
class EndHalf:
    """Nothing more will be sent; what comes is still heard."""


@dataclass(frozen=True, slots=True)
class Noted:
    """Something about the talk that a person should know.

    Attributes:
        kind: for programs, one word.
        text: for people, a sentence without a full stop.
        peer: whom it is about; empty for nobody in particular.
    """

    kind: str
    text: str
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Over:
    """The talk has ended.

    Attributes:
        how: what ended it.
        text: for people, a sentence without a full stop.
        error: what broke, where something did.
        lost_input: whether a line was not sent that no person saw fail: it came from a pipe or a file.
    """

    how: How
    text: str
    error: LanlineError | None = None
    lost_input: bool = False

    @property
    def exit_code(self) -> int:
        """0 where either side ended it, 1 where it broke or a line of a pipe was not sent."""
        return 1 if self.how is How.BROKEN or self.lost_input else 0


Event = Said | Send | EndHalf | Noted | Over
