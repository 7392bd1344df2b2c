"""The journal of an unfinished upload: what shall become of it, and which bytes of its part file are vouched for.

It lies beside the part file and survives the process that wrote it. Bytes go into the part file first and into the
journal afterwards, so the journal never tells of more than there is. It never tells of less than a client was told
either, because a line is written before the client hears of it.

The first line is the plan, every other one a mark (bytes from `start` to `end` have this SHA-256) or the length, once
it is known. Each line ends in a check that covers the line before as well: a line changed, lost or moved shows. A last
line without its line end was being written when the power went; it is left out. Anything else that is wrong makes the
journal void, as one cannot tell how much of it a client had been promised. The check is no seal: every value is looked
at as if anybody had written it.

Pure: bytes in, values out. Source for the promise: draft-ietf-httpbis-resumable-upload, section "Offset" (an offset
never goes back; a server that has lost a part of the state gives the upload up).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from lanline.beneath.names import is_draft
from lanline.services.share.uploads.digests import ALGORITHMS

VERSION: Final = 1

FIRST_BYTES: Final = b'{"lanline":"upload",'
"""Every journal begins so: what does not need not be read."""

_CHECK_BYTES: Final = 8
"""Against accidents, not against somebody who may write into the folder: he could write the file as well."""


@dataclass(frozen=True)
class Plan:
    """What shall become of an upload. It never changes.

    Args:
        part: the name of the part file, in the folder in which the journal lies.
        name: the name that the finished file gets, in the same folder.
        may_replace: whether a file of that name may be replaced.
        may_rename: whether the finished file may get another name where that one was taken meanwhile.
        replaced_tag: the entity tag that the file to be replaced must still have; None for any.
        algorithm: of the digest of the whole, `sha-256` or `sha-512`; None where nobody wants one.
        digest: what that digest must be, in hexadecimal digits; empty where it is only to be told.
    """

    part: str
    name: str
    may_replace: bool = False
    may_rename: bool = False
    replaced_tag: str | None = None
    algorithm: str | None = None
    digest: str = ""


@dataclass(frozen=True)
class Mark:
    """Bytes that are on disk: from `start` to `end` they have this SHA-256.

    Marks with the same start are about one and the same stretch as it grew. So one run over the bytes checks them all,
    and the last one is the digest of what one request brought.
    """

    start: int
    end: int
    sha256: str


@dataclass(frozen=True)
class Journal:
    """What a journal told."""

    plan: Plan
    marks: list[Mark] = field(default_factory=list)
    length: int | None = None
    """How long the whole will be, in bytes; None while nobody has said."""
    size: int = 0
    """How many bytes of the journal were read. What is behind them was never finished, and may be cut off."""
    check: str = ""
    """The check of the last line, with which the next one goes on."""

    @property
    def offset(self) -> int:
        """How many bytes of the upload are vouched for."""
        return self.marks[-1].end if self.marks else 0


def line_of(what: Plan | Mark | int, check: str) -> tuple[bytes, str]:
    """A line, and its check.

    Args:
        what: the plan, a mark, or the length in bytes.
        check: that of the line before; empty for the first one.
    """
    if isinstance(what, Plan):
        record: dict[str, Any] = {"lanline": "upload", "version": VERSION, **asdict(what)}
    elif isinstance(what, Mark):
        record = asdict(what)
    else:
        record = {"length": what}
    text = json.dumps(record, separators=(",", ":"))
    new_check = _check(text, check)
    return f"{text}\t{new_check}\n".encode(), new_check


def read_journal(data: bytes) -> Journal | None:
    """What a journal tells; None where it is not what was written, or a later version wrote it."""
    *lines, _unfinished = data.split(b"\n")
    size, check = 0, ""
    records: list[dict[str, Any]] = []
    for line in lines:
        record, check = _record(line, check)
        if record is None:
            return None
        records.append(record)
        size += len(line) + 1
    if not records or records[0].get("lanline") != "upload" or records[0].get("version") != VERSION:
        return None
    try:
        plan = _plan(records[0])
        marks = [_mark(record) for record in records[1:] if "sha256" in record]
        lengths = [_count(record["length"]) for record in records[1:] if "sha256" not in record]
    except (KeyError, TypeError, ValueError):
        return None
    if not _is_sound(marks) or len(lengths) > 1:
        return None
    return Journal(plan, marks, lengths[0] if lengths else None, size, check)


def _record(line: bytes, check: str) -> tuple[dict[str, Any] | None, str]:
    text, _, told = line.decode("utf-8", "replace").rpartition("\t")
    if told != _check(text, check):
        return None, check
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None, check
    return (record if isinstance(record, dict) else None), told


def _plan(record: dict[str, Any]) -> Plan:
    """Raises KeyError, TypeError, ValueError: it is none."""
    algorithm, tag = record["algorithm"], record["replaced_tag"]
    if (algorithm is not None and algorithm not in ALGORITHMS) or not is_draft(_text(record["part"])):
        raise ValueError
    return Plan(
        part=_text(record["part"]),
        name=_text(record["name"]),
        may_replace=record["may_replace"] is True,
        may_rename=record["may_rename"] is True,
        replaced_tag=_text(tag) if tag is not None else None,
        algorithm=algorithm,
        digest=_text(record["digest"]),
    )


def _mark(record: dict[str, Any]) -> Mark:
    """Raises as `_plan`."""
    return Mark(_count(record["start"]), _count(record["end"]), _text(record["sha256"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # half a surrogate pair is a ValueError
    return value


def _count(value: object) -> int:
    """A number of bytes that a file can have."""
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise TypeError
    return value


def _check(text: str, before: str) -> str:
    return hashlib.blake2b(f"{before}\t{text}".encode(), digest_size=_CHECK_BYTES).hexdigest()


def _is_sound(marks: Iterable[Mark]) -> bool:
    """Whether the marks cover the upload from its beginning without a gap."""
    start = end = 0
    for mark in marks:
        if mark.start not in (start, end) or mark.end < end:
            return False
        start, end = mark.start, mark.end
    return True
