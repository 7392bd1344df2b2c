r"""A partner's bytes as lines to be shown, and the farewell among them. Pure: the time is an argument.

TCP keeps no messages, so where a framing does not tell, this judges by line ends and by pauses:

- Whatever ends with a newline is a line. Lines that stuck together in one read are shown one by one.
- What has no newline is held back for a moment, as the rest of its line may be on its way; then it is a message. In the
  middle of a character it is held longer. From a partner that never ends lines, a short read is a message at once.
- `q` alone is the farewell when it is the last line that has come: in `hello\nq\n` it is, in a pasted `a\nq\nb\n` it is
  a line like others, since whoever says farewell says nothing after it. A read that is nothing but `q` is the farewell
  even if what came before lacks its newline.

Memory is bounded: of a line that does not end, at most `MAX_LINE` characters are held back.
"""

from __future__ import annotations

from typing import Final, Protocol

from lanline.clean import DisplayDecoder
from lanline.services.talk.farewell import is_farewell, is_farewell_message
from lanline.services.talk.lineends import LineEnds

MAX_LINE: Final = 64 * 1024
"""Characters; a longer line is shown in pieces."""

SETTLE: Final = 0.2
"""Seconds after which text without a newline is a message. Shorter than a person notices, longer than the segments of
one line are apart in a LAN."""

_MID_CHARACTER: Final = 2.0
"""Seconds after which half a character is shown as the bad bytes it then is."""

_SHORT_BYTES: Final = 536
"""The smallest segment TCP cuts a stream into (RFC 9293 section 3.7.1): a read below it was not cut by the network."""


class Incoming(Protocol):
    """How the messages of one partner become lines."""

    @property
    def is_farewell(self) -> bool:
        """Whether the last message was the farewell."""

    @property
    def deadline(self) -> float | None:
        """When to call `tick`; None: nothing is held back."""

    def receive(self, data: bytes, now: float) -> list[str]:
        """The lines that are whole by now, clean and without their ends; the farewell is not among them."""

    def tick(self, now: float) -> list[str]:
        """What was held back long enough by now."""

    def finish(self) -> list[str]:
        """What is left when the partner has ended."""


class RawIncoming:
    """A stream without framing. See the head of this file.

    Args:
        ends: learns whether the partner ends its lines.
    """

    __slots__ = ("_ends", "_decoder", "_tail", "_tail_characters", "_since", "_is_farewell")

    def __init__(self, ends: LineEnds) -> None:
        self._ends = ends
        self._decoder = DisplayDecoder()
        self._tail: list[str] = []
        self._tail_characters = 0
        self._since: float | None = None
        self._is_farewell = False

    @property
    def is_farewell(self) -> bool:
        """See `Incoming.is_farewell`."""
        return self._is_farewell

    @property
    def deadline(self) -> float | None:
        """See `Incoming.deadline`."""
        if self._since is None:
            return None
        return self._since + (_MID_CHARACTER if self._decoder.has_unfinished else SETTLE)

    def receive(self, data: bytes, now: float) -> list[str]:
        """See `Incoming.receive`."""
        lines = self._settle() if self._tail and is_farewell_message(data) else []
        first, *others = self._decoder.decode(data).split("\n")
        self._keep(first)
        if others:
            self._ends.heard(is_ended=True)
            lines += [self._take_tail(), *others[:-1]]
            self._keep(others[-1])
        if self._tail_characters > MAX_LINE:
            lines.append(self._take_tail())
        is_held = bool(self._tail) or self._decoder.has_unfinished
        self._since = now if is_held else None
        if not is_held and lines and is_farewell(lines[-1]):
            self._is_farewell = True
            return lines[:-1]
        is_at_once = self._ends.is_partner_bare and len(data) < _SHORT_BYTES and not self._decoder.has_unfinished
        return lines + self._settle() if is_at_once else lines

    def tick(self, now: float) -> list[str]:
        """See `Incoming.tick`."""
        if self.deadline is None or now < self.deadline:
            return []
        self._keep(self._decoder.finish())
        return self._settle()

    def finish(self) -> list[str]:
        """See `Incoming.finish`."""
        self._keep(self._decoder.finish())
        return self._settle()

    def _settle(self) -> list[str]:
        """What was held back is a message of its own."""
        self._since = None
        if not self._tail:
            return []
        text = self._take_tail()
        self._ends.heard(is_ended=False)
        if is_farewell(text):
            self._is_farewell = True
            return []
        return [text]

    def _keep(self, text: str) -> None:
        if text:
            self._tail.append(text)
            self._tail_characters += len(text)

    def _take_tail(self) -> str:
        text = "".join(self._tail)
        self._tail.clear()
        self._tail_characters = 0
        return text


class FramedIncoming:
    """A stream in which a framing keeps messages apart: each is whole when it comes. Also for datagrams.

    Args:
        ends: learns whether the partner ends its lines.
    """

    __slots__ = ("_ends", "_is_farewell")

    deadline: None = None

    def __init__(self, ends: LineEnds) -> None:
        self._ends = ends
        self._is_farewell = False

    @property
    def is_farewell(self) -> bool:
        """See `Incoming.is_farewell`."""
        return self._is_farewell

    def receive(self, data: bytes, now: float) -> list[str]:
        """See `Incoming.receive`. An empty message is one empty line."""
        self._is_farewell = is_farewell_message(data)
        if self._is_farewell:
            return []
        decoder = DisplayDecoder()
        lines = (decoder.decode(data) + decoder.finish()).split("\n")
        is_ended = len(lines) > 1
        self._ends.heard(is_ended=is_ended)
        if is_ended and not lines[-1]:
            lines.pop()
        return [piece for line in lines for piece in _pieces(line)]

    def tick(self, now: float) -> list[str]:
        """See `Incoming.tick`: nothing is held back."""
        return []

    def finish(self) -> list[str]:
        """See `Incoming.finish`: nothing is held back."""
        return []


def _pieces(line: str) -> list[str]:
    return [line[at : at + MAX_LINE] for at in range(0, len(line), MAX_LINE)] or [""]
