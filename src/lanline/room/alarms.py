"""Alarms: what a person must look at, in the log, the audit and the status.

Decides nothing about what is alarming. Two rules: sounding one never fails, for the reason may be a disk that takes
nothing; the same alarm is not repeated within an hour, for a peer that brings one about may do so as often as it likes.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from lanline.clean import clean
from lanline.errors import StateNotSaved
from lanline.room.audit import AuditLog

log = logging.getLogger("lanline.room")

SHOWN: Final = 10
"""Alarms that `lanline status` shows: the newest."""

QUIET: Final = 3600.0
"""Seconds for which the same alarm is not sounded again."""

_REMEMBERED: Final = 256


class Alarms:
    """The alarms of one node since it started.

    Args:
        audit: this machine's log.
        now: seconds on a clock that only goes forward.
    """

    def __init__(self, audit: AuditLog, *, now: Callable[[], float] = time.monotonic) -> None:
        self._audit = audit
        self._now = now
        self._sounded: OrderedDict[str, float] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Alarms {len(self._sounded)}>"

    @property
    def texts(self) -> tuple[str, ...]:
        """The newest, the latest last. May hold text from peers: clean it before showing."""
        return tuple(self._sounded)[-SHOWN:]

    def note(self, text: str) -> None:
        """Shows a text in the status alone: a state file that was discarded and is learned again."""
        self._sounded[text] = self._now()

    def sound(self, text: str) -> None:
        """Tells people, unless they were told the same within the last hour."""
        now = self._now()
        last = self._sounded.get(text)
        if last is not None and now - last < QUIET:
            return
        self._sounded[text] = now
        self._sounded.move_to_end(text)
        if len(self._sounded) > _REMEMBERED:
            self._sounded.popitem(last=False)
        log.error("%s", clean(text))
        try:
            self._audit.append("alarm", details={"text": text})
        except StateNotSaved as error:
            log.error("the alarm is not in the audit: %s", clean(str(error)))
