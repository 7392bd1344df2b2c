"""How a command ended on one machine, and what many such ends add up to.

Values only: this file starts no process and imports neither asyncio nor anything of lanline, because the
command line loads it before its first byte. An outcome is one of eight frozen values and is never folded
into a number on the way: "exit 255", "killed by SIGSEGV", "refused" and "unreachable" stay apart up to the
last line a person reads. Only `exit_code` folds, once, by the table below.

==== =====================================================================
exit when
==== =====================================================================
2    there is no outcome at all: nobody was asked
0    every machine exited with 0
n    every machine exited: the largest code among them
130  somebody cancelled
125  some machine refused, was unreachable or was lost
124  everything that went wrong is a timeout
123  anything else: a signal, a failed start, failures of several kinds
==== =====================================================================

The rows are tried in this order. Sources: docs of `clush -S`, `timeout(1)` (124), `xargs(1)` (123 to 125).
On the wire an outcome is a msgpack array whose first element is its tag, such as `["exited", 3]`.
"""

from __future__ import annotations

import errno as errno_names
from collections.abc import Callable, Iterable, Mapping

import msgspec


class Exited(msgspec.Struct, frozen=True, array_like=True, tag="exited"):
    """The command ran to its end and returned `code`: 0 to 255, on Windows up to 2**32 - 1."""

    code: int


class Signaled(msgspec.Struct, frozen=True, array_like=True, tag="signaled"):
    """A signal ended the command, and lanline did not send it. `signal` is its name, such as SIGSEGV."""

    signal: str
    core: bool = False


class TimedOut(msgspec.Struct, frozen=True, array_like=True, tag="timeout"):
    """The command ran longer than its `seconds` and was ended, with everything it had started."""

    seconds: float


class Cancelled(msgspec.Struct, frozen=True, array_like=True, tag="cancelled"):
    """Somebody ended the command: a person, a lost client, a node that stops."""

    reason: str


class Refused(msgspec.Struct, frozen=True, array_like=True, tag="refused"):
    """The machine would not run it. Nothing was started. `rule` names the rule, `text` is one sentence, `advice` says
    what to try; it can be empty."""

    rule: str
    text: str
    advice: str = ""


class Unreachable(msgspec.Struct, frozen=True, array_like=True, tag="unreachable"):
    """No link to the machine came about. Nothing was started."""

    text: str


class Lost(msgspec.Struct, frozen=True, array_like=True, tag="lost"):
    """It was started, and how it ended is not known."""

    text: str


class SpawnFailed(msgspec.Struct, frozen=True, array_like=True, tag="spawn_failed"):
    """The machine wanted to run it and could not. `errno` is that system's number, `text` one sentence."""

    errno: int
    text: str


Outcome = Exited | Signaled | TimedOut | Cancelled | Refused | Unreachable | Lost | SpawnFailed
"""One of eight. msgspec decodes the union by tag."""


class Ended(msgspec.Struct, frozen=True, array_like=True):
    """The last word on one job. Fields that are not known are None.

    Args:
        outcome: how it ended.
        wall_s: seconds from the start of the spawn to the exit of the command.
        cpu_s: user and system seconds of the command and of the children it waited for.
        max_rss_bytes: the largest resident size of one of those processes. Linux counts from before the
            program was loaded, so it is never less than the size of the node, some 30 MB.
        out_bytes: bytes of standard output that were handed to the reader.
        err_bytes: the same of standard error.
        held_open: the command exited while another process still held its output open; that process was not
            waited for.
        left_running: processes of the job that still run. After a normal exit these are the daemons that the
            command left on purpose; after any other end they could not be killed. None: not known.
        dropped_bytes: output that was written and not handed to the reader, as far as it could be counted.
    """

    outcome: Outcome
    wall_s: float = 0.0
    cpu_s: float | None = None
    max_rss_bytes: int | None = None
    out_bytes: int = 0
    err_bytes: int = 0
    held_open: bool = False
    left_running: int | None = 0
    dropped_bytes: int = 0


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """The one exit code of a command line that asked many machines.

    Args:
        outcomes: one per machine that was asked.

    Returns:
        0 to 255, by the table at the head of this file. A code that does not fit a byte counts as 255.
    """
    every = list(outcomes)
    if not every:
        return 2
    failed = [outcome for outcome in every if outcome != Exited(0)]
    if not failed:
        return 0
    codes = [_byte(outcome.code) for outcome in every if isinstance(outcome, Exited)]
    if len(codes) == len(every):
        return max(codes)
    if any(isinstance(outcome, Cancelled) for outcome in failed):
        return 130
    if any(isinstance(outcome, Refused | Unreachable | Lost) for outcome in failed):
        return 125
    if all(isinstance(outcome, TimedOut) for outcome in failed):
        return 124
    return 123


def summary(
    outcomes: Mapping[str, Outcome], fold: Callable[[Iterable[str]], str] = lambda names: ",".join(names)
) -> str:
    """The last line under a fan-out: `247 ok, 2 exit 3: pc[7,31], 1 timeout: pc12`.

    Nothing a peer wrote gets into it except the name of a signal, and only when it looks like one.

    Args:
        outcomes: the outcome of each machine by its name.
        fold: makes one text of several names, sorted; the default joins them with commas.

    Returns:
        One line without a line end; `nobody was asked` when there is no outcome.
    """
    groups: dict[tuple[int, int, str], list[str]] = {}
    for name, outcome in outcomes.items():
        groups.setdefault(_heading(outcome), []).append(name)
    parts = []
    for (rank, _, words), names in sorted(groups.items()):
        parts.append(f"{len(names)} {words}" if rank == 0 else f"{len(names)} {words}: {fold(sorted(names))}")
    return ", ".join(parts) or "nobody was asked"


def is_ok(outcome: Outcome) -> bool:
    """Whether the command ran to its end and returned 0."""
    return outcome == Exited(0)


def _byte(code: int) -> int:
    """A code a shell can report. Windows codes beyond 255 would wrap, some of them to 0."""
    return code if 0 <= code <= 255 else 255


def _heading(outcome: Outcome) -> tuple[int, int, str]:
    """Order of the group in the line, order within it, and its words."""
    match outcome:
        case Exited(code=0):
            return 0, 0, "ok"
        case Exited(code=code):
            return 1, code, f"exit {code}"
        case Signaled(signal=signal):
            return 2, 0, _signal_words(signal)
        case TimedOut():
            return 3, 0, "timeout"
        case Cancelled():
            return 4, 0, "cancelled"
        case SpawnFailed(errno=number):
            return 5, number, f"not started ({errno_names.errorcode.get(number, number)})"
        case Refused():
            return 6, 0, "refused"
        case Unreachable():
            return 7, 0, "unreachable"
        case Lost():
            return 8, 0, "lost"


def _signal_words(signal: str) -> str:
    name = signal.replace("+", "").replace("-", "")
    return f"signal {signal}" if name.isascii() and name.isalnum() and len(signal) <= 16 else "signal"
