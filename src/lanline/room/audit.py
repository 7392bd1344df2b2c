"""The audit log of one machine: what was done here for whom, on disk before it happens. It is the job journal
too.

Appends and remembers job ids; the format and its check are `chain.py`'s. Rules: `append` returns when the
line is on disk (fdatasync) and raises otherwise, so that nothing runs without its line; a job id is started
once, also across a restart; what went wrong while writing is cut off again or left behind in a closed
segment, never continued. Nothing is ever deleted here.

Thread-safe: call it from worker threads, for a sync takes as long as the disk takes.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from lanline.errors import StateDamaged, StateNotSaved
from lanline.room.chain import SEGMENT, ZERO_HASH, Ending, Segment, encode_line, read_segment, segment_paths, verify
from lanline.room.disk import quoted, read_state, sync_folder, write_all
from lanline.room.keys import short_key
from lanline.room.paths import ensure_folder

SEGMENT_BYTES: Final = 8 * 1024 * 1024
"""A segment is closed beyond this; about 20,000 lines, read in a tenth of a second."""

REMEMBERED_SECONDS: Final = 24 * 3600
"""How far back job ids are read again at a start ..."""
MIN_SEGMENTS_READ: Final = 2
"""... but never less than this, for the clock may have jumped ahead ..."""
MAX_SEGMENTS_READ: Final = 8
"""... and never more, so that a start takes a second at most."""
MAX_JOB_IDS: Final = 200_000
"""Remembered in memory; beyond it the oldest is forgotten. About 30 MB."""

MAX_TEXT_CHARACTERS: Final = 4096
"""Of one text in the details; the rest is replaced by its length and hash."""
MAX_LINE_BYTES: Final = 512 * 1024

RUN_START: Final = "run.start"


@dataclass(frozen=True, slots=True)
class Who:
    """Who did it, as the roster knew it then."""

    name: str
    role: str
    key_hash: bytes

    def as_record(self) -> dict[str, str]:
        """The form in the file."""
        return {"name": self.name, "role": self.role, "key": short_key(self.key_hash)}


class AuditLog:
    """The open log. One per state folder: hold the node's lock.

    Args:
        folder: made when missing, 0700.
        segment_bytes: size beyond which a new segment is begun.
        now_ns: the clock, nanoseconds since 1970.
        accept_damage: go on after damage, in a new segment that says where it is. For a person's decision
            only: job ids in the damaged part are forgotten.

    Raises:
        StateDamaged: a line is not what was written; the advice says how to go on.
        StateUnsafe: a segment is a link, somebody else's, or open to others.
        StateNotSaved: the disk takes nothing.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        now_ns: Callable[[], int] = time.time_ns,
        accept_damage: bool = False,
    ) -> None:
        self.folder = folder
        self._segment_bytes = segment_bytes
        self._now_ns = now_ns
        self._lock = threading.Lock()
        self._descriptor = -1
        self._segment = self._size = self._next_line = self._synced_lines = 0
        self._last_hash = ZERO_HASH
        self._jobs: dict[str, None] = {}
        ensure_folder(folder)
        self._read_back(accept_damage)

    def append(
        self,
        what: str,
        *,
        who: Who | None = None,
        job: str = "",
        details: Mapping[str, Any] | None = None,
        sync: bool = True,
    ) -> int:
        """Writes one record.

        Args:
            what: such as `run.end`.
            who: None for this machine's own user, or lanline itself.
            job: id of the job, where there is one.
            details: anything JSON can say; long texts are cut, with their hash.
            sync: wait until it is on disk. Without it a power cut may lose the last lines, never tear the
                chain.

        Returns:
            The number of the line.

        Raises:
            StateNotSaved: it is not on disk.
        """
        with self._lock:
            return self._append(what, who, job, details, sync=sync)

    def start_job(self, job: str, who: Who, details: Mapping[str, Any]) -> bool:
        """Records that a job is about to start, unless it was started before: then nothing is written.

        Returns:
            Whether the job may start. True is given once per id, for at least the last day and across
            restarts.

        Raises:
            StateNotSaved: the record is not on disk: do not start the job.
        """
        with self._lock:
            if job in self._jobs:
                return False
            self._append(RUN_START, who, job, details, sync=True)
            return True

    def seen_job(self, job: str) -> bool:
        """Whether a job with this id was ever started here, as far back as is remembered."""
        with self._lock:
            return job in self._jobs

    @property
    def head(self) -> tuple[int, str]:
        """Number and hash of the last line. Whoever keeps it elsewhere notices when lines are cut off the end."""
        with self._lock:
            return self._next_line - 1, self._last_hash

    def statistics(self) -> dict[str, int]:
        """Lines, segments, bytes of the open segment, remembered job ids."""
        with self._lock:
            return {
                "lines": self._next_line,
                "segments": self._segment,
                "segment_bytes": self._size,
                "job_ids": len(self._jobs),
            }

    def close(self) -> None:
        """Closes the file; a second call does nothing. An append opens it again."""
        with self._lock:
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<AuditLog {self.folder} segment={self._segment} lines={self._next_line}>"

    def _append(self, what: str, who: Who | None, job: str, details: Mapping[str, Any] | None, *, sync: bool) -> int:
        if self._descriptor < 0:
            self._continue(accept_damage=False)
        elif self._size >= self._segment_bytes:
            self._begin(Ending.CLEAN.value, self._size, 0)
        record: dict[str, Any] = {"n": self._next_line, "at": self._now_ns(), "what": what}
        record |= {"job": job} if job else {}
        record |= {"who": who.as_record()} if who else {}
        record |= {"details": _bounded(details)} if details else {}
        self._write(record, sync=sync)
        if what == RUN_START:
            self._remember(job)
        return self._next_line - 1

    def _write(self, record: dict[str, Any], *, sync: bool) -> None:
        line, digest = encode_line(record, self._last_hash)
        if len(line) > MAX_LINE_BYTES:
            raise StateNotSaved(f"an audit line of {len(line)} bytes, limit {MAX_LINE_BYTES} bytes", advice="")
        try:
            write_all(self._descriptor, line)
            if sync:
                os.fdatasync(self._descriptor)
        except OSError as error:
            self._undo()
            raise StateNotSaved(f"the audit could not be written: {error.strerror or error}") from error
        self._size += len(line)
        self._next_line += 1
        self._last_hash = digest

    def _undo(self) -> None:
        """Cuts off what a failed write left. Where even that fails, the next opening finds a torn line."""
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            self._size = -1
        self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _remember(self, job: str) -> None:
        self._jobs[job] = None
        if len(self._jobs) > MAX_JOB_IDS:
            del self._jobs[next(iter(self._jobs))]

    def _read_back(self, accept_damage: bool) -> None:
        paths = segment_paths(self.folder)
        report = verify(self.folder, self._learn, first=self._first_needed(paths))
        if report.problem and not accept_damage:
            self._refuse(report.problem)
        self._continue(accept_damage=accept_damage)

    def _first_needed(self, paths: list[Path]) -> int:
        """Index of the oldest segment whose job ids are still wanted."""
        oldest = self._now_ns() - REMEMBERED_SECONDS * 1_000_000_000
        index = len(paths)
        while index > 0 and len(paths) - index < MAX_SEGMENTS_READ:
            index -= 1
            enough = len(paths) - index >= MIN_SEGMENTS_READ
            if enough and _begun_at(paths[index]) < oldest:
                break
        return index

    def _learn(self, line: bytes) -> None:
        # Most lines are not about a start; a search is ten times cheaper than reading the JSON.
        if b'"run.start"' in line:
            record = json.loads(line)
            if record["what"] == RUN_START:
                self._remember(str(record.get("job", "")))

    def _continue(self, *, accept_damage: bool) -> None:
        """Opens the last segment for appending, or a new one behind a torn or damaged end."""
        paths = segment_paths(self.folder)
        if not paths:
            self._segment, self._next_line, self._last_hash = 0, 0, ZERO_HASH
            return self._begin("first", 0, 0)
        path = paths[-1]
        segment = read_segment(read_state(path, max_bytes=2**30) or b"", None)
        self._segment = int(path.stem)
        if not segment.lines and segment.ending is not Ending.DAMAGED:
            # Begun, never written whole, so nobody was told of it: begin it again.
            path.unlink()
            return self._continue(accept_damage=accept_damage)
        self._follow(segment)
        if segment.ending is Ending.DAMAGED and not accept_damage:
            self._refuse(f"segment {self._segment}, line {len(segment.lines) + 1}, is not what was written")
        if segment.ending is Ending.CLEAN and segment.has_newline:
            self._descriptor = _open_segment(path, os.O_APPEND)
            self._size = segment.good_bytes
            return None
        reason = segment.ending.value if segment.bad_bytes else "newline"
        return self._begin(reason, segment.good_bytes, segment.bad_bytes)

    def _follow(self, segment: Segment) -> None:
        self._last_hash = segment.last_hash
        if segment.lines:
            self._next_line = json.loads(segment.lines[-1])["n"] + 1

    def _begin(self, reason: str, good_bytes: int, bad_bytes: int) -> None:
        """Begins the next segment; its first line says how the one before ended."""
        self._close()
        self._segment += 1
        path = self.folder / f"{self._segment:08d}.jsonl"
        self._descriptor = _open_segment(path, os.O_APPEND | os.O_CREAT | os.O_EXCL)
        self._size = 0
        details = {"segment": self._segment, "reason": reason, "good_bytes": good_bytes, "bad_bytes": bad_bytes}
        try:
            record = {"n": self._next_line, "at": self._now_ns(), "what": SEGMENT, "details": details}
            self._write(record, sync=True)
            sync_folder(self.folder)
        except OSError as error:
            self._close()
            raise StateNotSaved(f"the audit folder could not be written: {error.strerror or error}") from error

    def _refuse(self, problem: str) -> None:
        folder = quoted(self.folder)
        raise StateDamaged(
            f"the audit is damaged: {problem}",
            advice=f"copy {folder} elsewhere, look at it with lanline audit verify, then move it away; until then "
            "this machine runs nothing for others.",
        )


def _begun_at(path: Path) -> int:
    """The clock in a segment's first line; 0 when it cannot be read, which counts as old."""
    first = (read_state(path, max_bytes=2**30) or b"").partition(b"\n")[0]
    return int(json.loads(first)["at"]) if line_is_whole(first) else 0


def line_is_whole(line: bytes) -> bool:
    """Whether a line is as it was written, whatever stood before it."""
    return bool(read_segment(line, None).lines)


def _open_segment(path: Path, flags: int) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
    except OSError as error:
        raise StateNotSaved(f"{path} cannot be opened: {error.strerror or error}") from error


def _bounded(value: Any) -> Any:
    """The value with every long text cut, so that a line stays readable and its size bounded."""
    if isinstance(value, str):
        if len(value) <= MAX_TEXT_CHARACTERS:
            return value
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{value[:MAX_TEXT_CHARACTERS]}... ({len(value)} characters, sha256 {digest})"
    if isinstance(value, Mapping):
        return {str(key)[:MAX_TEXT_CHARACTERS]: _bounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_bounded(one) for one in value]
    return value
