"""How long the hub has not confirmed this node's roster, in running time.

A node that was cut off does not know of removals. After seven days without a link to the hub it refuses to
run commands for others and goes on with the rest. The date is not asked, for clocks are wrong: what counts
is the time the machine was switched on, sleep included (CLOCK_BOOTTIME), kept on disk from one boot to the
next.

Pure: the clock's reading is an argument. Two rules: time never runs backwards; without a whole state file
the roster counts as not confirmed.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import msgspec

from lanline.errors import StateDamaged
from lanline.room.paths import StateFolder
from lanline.room.sealed import load_cache, save_sealed

STALE_AFTER: Final = 7 * 24 * 3600.0
"""Seconds of running time after which commands are refused."""

SAVE_EVERY: Final = 600.0
"""Seconds between two savings. A power cut loses at most this much of the count."""

KIND: Final = "freshness"
"""The word in the sealed file."""

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class FreshnessState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What lies on disk."""

    unconfirmed: float
    """Seconds of running time since the last confirmation, as of `clock`."""
    boot: str
    """Which boot `clock` belongs to."""
    clock: float
    """Reading of the boot-time clock, in seconds."""


class Freshness:
    """Counts the running time since the hub last confirmed the roster.

    Args:
        state: what the disk held; None where there was nothing whole, which counts as never confirmed.
        boot: which boot this is; see `this_boot`.
        now: the boot-time clock; see `boot_clock`. Time with the node down and the machine up counts too.
            well.
    """

    def __init__(self, state: FreshnessState | None, *, boot: str, now: float) -> None:
        self._boot = boot
        self._clock = now
        if state is None or state.unconfirmed < 0:
            self._unconfirmed = STALE_AFTER
        elif state.boot == boot:
            self._unconfirmed = state.unconfirmed + max(0.0, now - state.clock)
        else:
            # Another boot: this one has run `now` seconds. What the other ran after its last saving is lost.
            self._unconfirmed = state.unconfirmed + max(0.0, now)

    def confirmed(self, now: float) -> None:
        """A link to the hub has just confirmed the roster's number."""
        self._unconfirmed = 0.0
        self._clock = max(now, self._clock)

    def age(self, now: float) -> float:
        """Seconds of running time since the last confirmation."""
        return self._unconfirmed + max(0.0, now - self._clock)

    def is_stale(self, now: float) -> bool:
        """Whether commands of others are refused."""
        return self.age(now) >= STALE_AFTER

    def state(self, now: float) -> FreshnessState:
        """What to save: every `SAVE_EVERY` seconds, after a confirmation, and at the end."""
        return FreshnessState(self.age(now), self._boot, now)

    def explain(self, now: float) -> str:
        """One sentence for people on why commands are refused."""
        days = self.age(now) / 86400
        return f"the hub has not confirmed the roster for {days:.1f} days of running time, limit 7 days"

    def __repr__(self) -> str:
        return f"<Freshness unconfirmed={self._unconfirmed:.0f}s at={self._clock:.0f}s>"


def load_freshness(folder: StateFolder) -> Freshness:
    """The count from disk, brought up to now. A damaged file counts as never confirmed."""
    state, _ = load_cache(folder.freshness, KIND, FreshnessState)
    return Freshness(state, boot=this_boot(), now=boot_clock())


def save_freshness(folder: StateFolder, freshness: Freshness) -> None:
    """Puts the count on disk.

    Raises:
        StateNotSaved: it could not be written.
    """
    save_sealed(folder.freshness, KIND, freshness.state(boot_clock()))


def boot_clock() -> float:
    """Seconds since this machine was switched on, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def this_boot() -> str:
    """The kernel's random name for this boot.

    Raises:
        StateDamaged: the kernel does not say (no /proc).
    """
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError as error:
        raise StateDamaged(f"{_BOOT_ID} cannot be read: {error.strerror or error}") from error
