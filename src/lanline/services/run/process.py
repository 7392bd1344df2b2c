"""What `/proc` says of processes: who is there, whose child, in which session, since when, with which mark.

It reads and never signals. Rules: a process that vanished while it was read is left out, while a failure of
this process (no descriptor left) is raised, because a scan that could not look must never pass for "nobody
there". Only Linux has `/proc` in this form; elsewhere `has_proc` is False and only `sessions` works.

Sources: proc_pid_stat(5), proc_pid_limits(5), proc_loadavg(5). Reading `stat` or `limits` of one process
takes 7 to 9 us, a listing of 75 processes 40 us (benchmarks/spawn.py prints the figures of this machine).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

has_proc: bool = sys.platform == "linux" and os.path.exists("/proc/self/stat")
"""Whether processes can be listed and read here."""

_TICKS: int = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)
"""What reading says of a process that ended meanwhile, or that belongs to somebody else (not ours to end)."""

_MARK_LINE = b"Max msgqueue size"
_MAX_PID_WITHOUT_PROC = 99_999
"""macOS: PID_MAX of xnu's bsd/sys/proc_internal.h."""


class Process(NamedTuple):
    """One process, as it was when it was read. `start_ticks` counts clock ticks since boot and, with the
    pid, names one process for good: a reused pid has another start."""

    pid: int
    parent: int
    session: int
    start_ticks: int
    is_dead: bool


def read(pid: int) -> Process | None:
    """One process, or None when there is none with this pid.

    Returns:
        A zombie counts as dead; a process whose first thread ended while others run does not.
    """
    try:
        text = _slurp(f"/proc/{pid}/stat")
    except _GONE:
        return None
    fields = text[text.rfind(b")") + 2 :].split()
    if len(fields) < 20:  # an empty read: it went between open and read
        return None
    is_dead = fields[0] in (b"Z", b"X") and int(fields[17]) <= 1
    return Process(pid, int(fields[1]), int(fields[3]), int(fields[19]), is_dead)


def read_all(*, since_ticks: int = 0) -> Iterator[Process]:
    """Every process that began at `since_ticks` or later, dead ones included, the newest pids first.

    Newest first: what a job forks while it is being killed is looked at before it can fork again.
    """
    for pid in pids():
        process = read(pid)
        if process is not None and process.start_ticks >= since_ticks:
            yield process


def pids() -> list[int]:
    """All pids there are, the highest first."""
    return sorted((int(name) for name in os.listdir("/proc") if name.isdecimal()), reverse=True)


def mark_of(pid: int) -> int:
    """The soft limit of message-queue bytes of a process, which is where a job's mark is; 0 where there is
    no such process or no limit."""
    try:
        text = _slurp(f"/proc/{pid}/limits")
    except _GONE:
        return 0
    at = text.find(_MARK_LINE)
    if at < 0:
        return 0
    word = text[at + len(_MARK_LINE) : at + 64].split(None, 1)[0]
    return int(word) if word.isdigit() else 0


def now_ticks() -> int:
    """This moment in the unit of `Process.start_ticks`. Not moved by anybody who sets the clock."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS) if has_proc else 0


def newer_than(pid: int, *, at_most: int = 64) -> list[int] | None:
    """The pids that may have been given out after `pid`, where that is cheap to know.

    The kernel gives pids out in rising order, and the last field of `/proc/loadavg` is the last one, so
    that the answer after a short command costs one read of 8 us in place of a listing.

    Args:
        pid: a pid given out less than one turn of the pid counter ago.
        at_most: the longest answer.

    Returns:
        Candidates, which may be threads or dead; None when the counter wrapped, when there would be
        more than `at_most`, or when `/proc/loadavg` does not show the kernel's counter (lxcfs).
    """
    try:
        last = int(_slurp("/proc/loadavg").split()[-1])
    except (*_GONE, ValueError, IndexError):
        return None
    if not 0 <= last - pid <= at_most:
        return None
    return [each for each in range(pid + 1, last + 1) if _exists(each)]


def in_session(session: int) -> list[int]:
    """The pids in a session, found by asking for every pid there can be: about 50 ms. For systems without
    `/proc`; it needs no rights and no other program."""
    found = []
    for pid in range(_MAX_PID_WITHOUT_PROC, 1, -1):
        try:
            if os.getsid(pid) == session:
                found.append(pid)
        except (ProcessLookupError, PermissionError):
            continue
    return found


def _exists(pid: int) -> bool:
    """Whether there is a process or thread with this number: 0.3 us, where opening its `stat` takes 5."""
    try:
        os.getsid(pid)
    except ProcessLookupError:
        return False
    return True


def _slurp(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        return os.read(fd, 8192)
    finally:
        os.close(fd)
