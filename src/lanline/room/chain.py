"""The audit's format: lines that each hold the hash of the one before, in numbered segments; and the check of
them.

It reads and judges; `audit.py` writes. Two rules: a line that was acknowledged is never lost unnoticed,
whichever byte of it changes; a torn end (a kill or a power cut in the middle of a write) is told apart from
damage, because nobody was told that a torn line was written.

A segment is `00000001.jsonl`, JSON in ASCII, one record a line. The keys stand in this order::

    n        number of the line, counted over all segments
    at       nanoseconds since 1970 by this machine's clock
    what     run.start, run.end, run.refused, join, role, remove, unlock, audit.segment, ...
    job      id of the job, where there is one
    who      name, role, first 16 hex digits of the key; missing where this machine's own user did it
    details  depends on what
    prev     hash of the line before; 64 zeros for the first
    hash     SHA-256 of this line's bytes up to and without `,"hash":`

The first line of each segment is `audit.segment`: its number, why it was begun, and, after a torn or damaged
end, at which byte of the previous segment the good lines stop and how many bytes after it are passed over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final

from lanline.errors import StateDamaged
from lanline.room.disk import read_state

ZERO_HASH: Final = "0" * 64
SEGMENT: Final = "audit.segment"
MAX_SEGMENT_BYTES: Final = 64 * 1024 * 1024
"""What is read as one segment; the writer begins a new one long before."""

_HASH_KEY: Final = b',"hash":"'
_PREV_KEY: Final = b',"prev":"'
_TAIL_BYTES: Final = len(_HASH_KEY) + 64 + len(b'"}')


class Ending(Enum):
    """How a segment ends."""

    CLEAN = "clean"
    TORN = "torn"
    """An unfinished line without its newline: never acknowledged."""
    DAMAGED = "damaged"
    """A finished line that is not what was written."""


def encode_line(record: dict[str, Any], prev: str) -> tuple[bytes, str]:
    """One line with its newline, and its hash. `record` has neither `prev` nor `hash`."""
    # ASCII only: whatever a peer sent, escape characters included, lies harmless in the file. JSON leaves DEL
    # bare.
    text = json.dumps({**record, "prev": prev}, separators=(",", ":"), ensure_ascii=True)
    body = text.replace("\x7f", "\\u007f")[:-1].encode("ascii")
    digest = hashlib.sha256(body).hexdigest()
    return body + _HASH_KEY + digest.encode() + b'"}\n', digest


def line_hash(line: bytes, prev: str | None) -> str:
    """The hash of a whole line without its newline, or nothing when it is not what was written after `prev`.

    Args:
        line: the bytes.
        prev: the hash it must hold of the line before; None takes any.
    """
    body, tail = line[:-_TAIL_BYTES], line[-_TAIL_BYTES:]
    digest = hashlib.sha256(body).hexdigest()
    if tail != _HASH_KEY + digest.encode() + b'"}':
        return ""
    if prev is not None and not body.endswith(_PREV_KEY + prev.encode() + b'"'):
        return ""
    return digest


@dataclass(frozen=True, slots=True)
class Segment:
    """What one segment holds."""

    lines: list[bytes] = field(repr=False)
    """The good lines, without newlines, up to the first bad one."""
    last_hash: str
    ending: Ending
    good_bytes: int
    """Length of the good lines in the file."""
    bad_bytes: int
    """What follows them."""
    has_newline: bool = True
    """False when the last good line lacks its newline: nothing may be appended behind it."""

    @property
    def opening(self) -> dict[str, Any]:
        """The record of the first line; empty when there is none."""
        return _record(self.lines[0]) if self.lines else {}


def read_segment(data: bytes, prev: str | None) -> Segment:
    """The lines of a segment, as far as each continues the one before.

    Args:
        data: the file.
        prev: hash of the last line of the previous segment; None where that is gone.
    """
    lines: list[bytes] = []
    position = 0
    last = prev
    while position < len(data):
        end = data.find(b"\n", position)
        line = data[position : end if end >= 0 else len(data)]
        digest = line_hash(line, last)
        if not digest:
            if end < 0 and (whole := line_hash(line[:-1], last)):
                # The newline itself changed. The line may have been acknowledged, so it counts.
                return Segment([*lines, line[:-1]], whole, Ending.TORN, len(data) - 1, 1)
            ending = Ending.TORN if end < 0 else Ending.DAMAGED
            return Segment(lines, last or ZERO_HASH, ending, position, len(data) - position)
        lines.append(line)
        last = digest
        if end < 0:
            return Segment(lines, digest, Ending.CLEAN, len(data), 0, has_newline=False)
        position = end + 1
    return Segment(lines, last or ZERO_HASH, Ending.CLEAN, len(data), 0)


def segment_paths(folder: Path) -> list[Path]:
    """The segments in a folder, oldest first."""
    return sorted(path for path in folder.glob("*.jsonl") if path.stem.isdigit())


@dataclass(slots=True)
class Report:
    """The result of checking a folder of segments."""

    segments: int = 0
    lines: int = 0
    last_hash: str = ZERO_HASH
    problem: str = ""
    """The first bad place, in words; empty when all is well."""
    notes: list[str] = field(default_factory=list)
    """What is no damage but worth knowing, such as a torn line after a power cut."""

    @property
    def is_whole(self) -> bool:
        """Whether every line is as it was written, and none is missing from the chain."""
        return not self.problem


def verify(folder: Path, on_line: Callable[[bytes], object] | None = None, *, first: int = 0) -> Report:
    """Checks every line of every segment, each against the one before.

    Args:
        folder: the audit folder. Missing or empty is whole.
        on_line: called with each good line.
        first: index of the segment to begin with; its link to the one before is then taken on trust.

    Raises:
        StateUnsafe: a segment is a link, somebody else's, or open to others.
        StateDamaged: a segment is larger than any that lanline writes.
    """
    report = Report()
    previous: Segment | None = None
    number = 0
    for path in segment_paths(folder)[first:]:
        data = read_state(path, max_bytes=MAX_SEGMENT_BYTES) or b""
        segment = read_segment(data, previous.last_hash if previous else None)
        if problem := _between(previous, number, segment, path, report):
            report.problem = report.problem or problem
            return report
        for line in segment.lines:
            if on_line:
                on_line(line)
        report.segments += 1
        report.lines += len(segment.lines)
        report.last_hash = segment.last_hash
        previous, number = segment, int(path.stem)
    if previous and previous.bad_bytes:
        _judge_end(previous, f"segment {number}", report)
    return report


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """Every good record, oldest first, for showing. Text in them is a peer's: clean it before a terminal.

    Raises:
        StateUnsafe, StateDamaged: as `verify`.
    """
    lines: list[bytes] = []
    verify(folder, lines.append)
    return (_record(line) for line in lines)


def _between(previous: Segment | None, number: int, segment: Segment, path: Path, report: Report) -> str:
    """What is wrong between two segments, in words; notes gaps that the later one declares."""
    opening = segment.opening
    if not opening:
        if segment.ending is Ending.TORN or not segment.bad_bytes:
            report.notes.append(f"{path.name} was begun and not written: a kill or a power cut")
            return ""
        return f"{path.name}, line 1: it does not continue the segment before"
    if opening.get("what") != SEGMENT:
        return f"{path.name}, line 1: it does not open a segment"
    if previous is None:
        if int(path.stem) > 1:
            report.notes.append(f"it begins with {path.name}: what was before is not here and not checked")
        return ""
    if int(path.stem) != number + 1:
        return f"{path.name} follows segment {number}: segments between them are missing"
    details = opening["details"]
    if (details.get("good_bytes"), details.get("bad_bytes")) != (previous.good_bytes, previous.bad_bytes):
        return _place(previous, f"segment {number}")
    if previous.bad_bytes:
        _judge_end(previous, f"segment {number}", report)
    return ""


def _judge_end(segment: Segment, name: str, report: Report) -> None:
    if segment.ending is Ending.TORN:
        report.notes.append(f"{name} ends in a torn line of {segment.bad_bytes} bytes, never acknowledged")
    elif not report.problem:
        report.problem = _place(segment, name)


def _place(segment: Segment, name: str) -> str:
    return (
        f"{name}, line {len(segment.lines) + 1} (byte {segment.good_bytes}): it is not what was written; "
        f"{segment.bad_bytes} bytes from there on cannot be trusted"
    )


def _record(line: bytes) -> dict[str, Any]:
    record = json.loads(line)
    if not isinstance(record, dict):
        raise StateDamaged("an audit line that is no record")
    return record
