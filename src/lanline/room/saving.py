"""What a running node writes now and then: presence, for the time when the hub is away, and how long the roster has
gone unconfirmed.

Rules: only what has changed is written, in a thread, for a sync takes as long as the disk takes; a disk that takes
nothing is told of and survived; the values are taken in the loop's turn, never while it changes them.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

from lanline.errors import StateNotSaved
from lanline.room import freshness, presence
from lanline.room.alarms import Alarms
from lanline.room.freshness import Freshness, FreshnessState, boot_clock
from lanline.room.paths import StateFolder
from lanline.room.presence import Presence, PresenceBook
from lanline.room.sealed import save_sealed


@dataclass(slots=True)
class Saver:
    """Writes one node's presence and freshness.

    Args:
        folder: where to.
        presence, freshness: what.
        alarms: where people are told that it cannot be written.
    """

    folder: StateFolder
    presence: PresenceBook
    freshness: Freshness
    alarms: Alarms
    _rows: tuple[Presence, ...] = ()
    _freshness_at: float = float("-inf")
    _writing: threading.Lock = field(default_factory=threading.Lock)

    async def save_changes(self) -> None:
        """Writes what has changed since the last time."""
        rows, counted = self._due(boot_clock())
        if rows is not None or counted is not None:
            await asyncio.to_thread(self._write, rows, counted)

    def save_all(self) -> None:
        """Writes everything, at the end; waits for a writing under way."""
        rows, counted = self.presence.rows(), self.freshness.state(boot_clock())
        self._write(rows if rows != self._rows else None, counted)

    def _due(self, now: float) -> tuple[tuple[Presence, ...] | None, FreshnessState | None]:
        rows = self.presence.rows()
        is_old = now - self._freshness_at >= freshness.SAVE_EVERY
        return (rows if rows != self._rows else None), (self.freshness.state(now) if is_old else None)

    def _write(self, rows: tuple[Presence, ...] | None, counted: FreshnessState | None) -> None:
        with self._writing:
            try:
                if rows is not None:
                    save_sealed(self.folder.presence, presence.KIND, rows)
                    self._rows = rows
                if counted is not None:
                    save_sealed(self.folder.freshness, freshness.KIND, counted)
                    self._freshness_at = counted.clock
            except StateNotSaved as error:
                self.alarms.sound(f"what this node knows of the room is not on disk: {error}")
