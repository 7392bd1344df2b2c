"""Whether a line goes out with a newline behind it. Pure.

People's programs (`nc`, `socat`) want one. Short scripts that do `send(b"hello")` and `recv(1024)` do not, and one that
compares what it got with `b"q"` never ends when there is a newline. What a partner sends tells which kind it is: from
the first message without a line end on, lines go out without one. A partner that has once ended a line knows newlines,
and gets them again: a prompt such as `login: ` lacks one, but the program behind it waits for a whole line.
"""

from __future__ import annotations

from typing import Final, Literal

Mode = Literal["auto", "always", "never"]
MODES: Final[tuple[Mode, ...]] = ("auto", "always", "never")

_NEWLINE: Final = b"\n"


class LineEnds:
    """What is known of one partner's line ends.

    Args:
        mode: `auto` learns from what comes; the others do not.
    """

    __slots__ = ("_has_bare", "_has_ended", "_mode")

    def __init__(self, mode: Mode) -> None:
        self._mode: Mode = mode
        self._has_ended = False
        self._has_bare = False

    def heard(self, *, is_ended: bool) -> None:
        """A message came, with a line end in it or without."""
        if is_ended:
            self._has_ended = True
        else:
            self._has_bare = True

    @property
    def is_partner_bare(self) -> bool:
        """Whether the partner has sent messages, and none with a line end."""
        return self._has_bare and not self._has_ended

    @property
    def ending(self) -> bytes:
        """What goes out behind a line."""
        if self._mode == "never" or (self._mode == "auto" and self.is_partner_bare):
            return b""
        return _NEWLINE
