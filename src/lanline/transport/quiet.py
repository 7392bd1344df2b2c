"""A log that a flood cannot fill: at most one line a second for each kind of trouble, rarer while it lasts.

The first line of a kind is written at once. What follows is counted, and the count goes with the next line,
after 1 s, then 2, 4 ... 60 s. A kind of which two minutes nothing was heard begins anew. A day of flood is 1,440 lines.
Time is an argument; nothing here reads a clock.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from lanline.clean import clean
from lanline.errors import DatagramRefused, LanlineError

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0


@dataclass(slots=True)
class _Kind:
    last_line: float
    pause: float
    held_back: int
    last_text: str
    level: int


class QuietLog:
    """Writes to one logger, few enough lines for any flood."""

    __slots__ = ("_logger", "_kinds")

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._kinds: dict[str, _Kind] = {}

    def warn(
        self,
        kind: str,
        text: str,
        now: float,
        *,
        level: int = logging.WARNING,
        error: BaseException | None = None,
    ) -> None:
        """Writes or counts one event.

        Args:
            kind: what the events have in common; one of a few fixed words, never text from a peer.
            text: the line; what is written of it passes `clean`.
            now: seconds on any clock that does not go back.
            level: of the whole kind.
            error: whose traceback goes with the line where the kind begins, or begins anew; not with later ones.
        """
        known = self._kinds.get(kind)
        if known is None:
            self._kinds[kind] = _Kind(now, FIRST_PAUSE, 0, text, level)
            self._logger.log(level, "%s", clean(text), exc_info=error)
            return
        known.last_text = text
        if now - known.last_line < known.pause:
            known.held_back += 1
            return
        was_calm = now - known.last_line >= 2 * LONGEST_PAUSE
        self._write(known, now, error if was_calm else None)
        known.pause = FIRST_PAUSE if was_calm else min(LONGEST_PAUSE, 2 * known.pause)

    def pass_over(self, trouble: LanlineError, where: str, now: float) -> None:
        """Writes or counts what became of a server's datagram. Refused answers are no warning: their clients have left.

        Args:
            trouble: what happened.
            where: the server's address.
            now: as for `warn`.
        """
        level = logging.INFO if isinstance(trouble, DatagramRefused) else logging.WARNING
        self.warn(type(trouble).__name__, f"{where}: {trouble}", now, level=level)

    def flush(self, now: float) -> None:
        """Writes what is still counted, one line for each kind. For when the owner of the log ends."""
        for known in self._kinds.values():
            if known.held_back:
                known.held_back -= 1
                self._write(known, now)

    def _write(self, known: _Kind, now: float, error: BaseException | None = None) -> None:
        text = clean(known.last_text)
        if known.held_back:
            seconds = max(1, round(now - known.last_line))
            self._logger.log(
                known.level, "%s (and %d more like it in %d s)", text, known.held_back, seconds, exc_info=error
            )
        else:
            self._logger.log(known.level, "%s", text, exc_info=error)
        known.last_line = now
        known.held_back = 0
