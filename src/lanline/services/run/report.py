"""What a client asks of a fan-out, and what it is told of it.

Values only, and light: the command line loads this file before its first byte. Machines are numbered in the order of
the plan; their output travels as raw items that begin with that number (two bytes, big-endian), followed by what the
machine sent (see `spec.py`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from lanline.services.run.outcome import (
    Cancelled,
    Ended,
    Exited,
    Lost,
    Outcome,
    Refused,
    SpawnFailed,
    Unreachable,
    exit_code,
    summary,
)
from lanline.services.run.spec import Spec, Started

AT_ONCE: Final = 1024
"""Machines that run at once when nothing else is said: a whole room. Links are there already, so a smaller number would
only make people wait (docs/decisions/0041-a-fan-out-asks-all-at-once.md)."""

CONFIRM_ABOVE: Final = 5
"""Machines above which a person at a terminal is asked first."""

_MOST_REASONS: Final = 50
"""Told one by one; a room where every machine has its own is not read to the end by anybody."""

INDEX: Final = struct.Struct(">H")
"""The number of a machine in front of its output."""


class FanOut(msgspec.Struct, frozen=True, array_like=True):
    """One command for many machines.

    Args:
        target: which, as people write it.
        spec: what to run.
        without: targets to leave out.
        at_once: how many machines run at the same time, 1 or more.
        asks_above: wait for `Go` after the plan when it has more machines than this; None never waits.
    """

    target: str
    spec: Spec
    without: tuple[str, ...] = ()
    at_once: int = AT_ONCE
    asks_above: int | None = None

    def __post_init__(self) -> None:
        if self.at_once < 1:
            raise ValueError(f"{self.at_once} machines at once make no sense")


class Plan(msgspec.Struct, frozen=True, array_like=True, tag="plan"):
    """The first report: which machines were selected.

    Args:
        names: in natural order. The number of a machine in later reports is its place here.
        folded: the same, as people write it.
        waits: nothing begins before `Go`.
    """

    names: tuple[str, ...]
    folded: str
    waits: bool


class MemberStarted(msgspec.Struct, frozen=True, array_like=True, tag="member_started"):
    """The command runs on one machine."""

    index: int
    started: Started


class MemberEnded(msgspec.Struct, frozen=True, array_like=True, tag="member_ended"):
    """It is over there. Exactly one for each machine, after its output."""

    index: int
    ended: Ended


Report = Plan | MemberStarted | MemberEnded


class Reason(msgspec.Struct, frozen=True, array_like=True):
    """Why something went wrong, once for all machines where it went wrong in the same way.

    Args:
        names: folded.
        what: `refused`, `unreachable`, `lost`, ...
        text: one sentence. It can be a peer's: clean it.
        advice: what to try; can be empty. A peer's too.
    """

    names: str
    what: str
    text: str
    advice: str = ""


class Verdict(msgspec.Struct, frozen=True, array_like=True):
    """The result of a fan-out.

    Args:
        exit_code: of the command line, by the table in `outcome.py`.
        text: the last line: `247 ok, 2 exit 3: pc[7,31], 1 timeout: pc12`.
        reasons: the rest of the story, worst first.
    """

    exit_code: int
    text: str
    reasons: tuple[Reason, ...] = ()


def verdict_on(ends: Mapping[str, Ended], fold: Callable[[Iterable[str]], str]) -> Verdict:
    """What many ends add up to.

    Args:
        ends: the last word of each machine, by its name.
        fold: makes one text of several names.
    """
    outcomes = {name: ended.outcome for name, ended in ends.items()}
    groups: dict[tuple[str, str, str], list[str]] = {}
    for name, ended in ends.items():
        for key in _explain(ended):
            groups.setdefault(key, []).append(name)
    largest = sorted(groups.items(), key=lambda group: -len(group[1]))
    reasons = [Reason(fold(names), *key) for key, names in largest[:_MOST_REASONS]]
    if rest := largest[_MOST_REASONS:]:
        reasons.append(Reason(f"{sum(len(names) for _, names in rest)} more", "different", "for other reasons"))
    return Verdict(exit_code(outcomes.values()), summary(outcomes, fold), tuple(reasons))


def word_for(outcome: Outcome) -> str:
    """The one word for an outcome, as it stands on the wire and in JSON: `exited`, `spawn_failed`."""
    return str(type(outcome).__struct_config__.tag)


def _explain(ended: Ended) -> Iterable[tuple[str, str, str]]:
    """What, sentence and advice for what a person should know beyond the last line."""
    outcome = ended.outcome
    match outcome:
        case Refused(text=text, advice=advice):
            yield word_for(outcome), text, advice
        case Unreachable(text=text) | Lost(text=text) | Cancelled(reason=text):
            yield word_for(outcome), text, ""
        case SpawnFailed(text=text):
            yield "not started", text, ""
    if not isinstance(outcome, Exited) and ended.left_running:
        yield "left running", f"{ended.left_running} of its processes could not be ended", "ps, on that machine."
    if ended.dropped_bytes:
        yield "output dropped", f"{ended.dropped_bytes} bytes of output were not handed over", ""
