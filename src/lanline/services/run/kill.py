"""The one way a job is ended, whoever wants it ended: a person, a timeout, a lost client, a node that stops,
or the guardian after the node was killed.

Everything of the job gets SIGTERM (and SIGCONT, since a stopped process cannot act on it); what is left after
the grace gets SIGKILL; then scan and kill are repeated until two scans in a row find nobody. `end` returns
when that is certain, or says what is left.

Who belongs to a job: whoever carries its mark, is in its control group, is its leader, is a descendant of
one of these, or is in a session that one of these leads. A process is signalled through a pidfd, and only if,
with the pidfd in hand, its start time is still the one that was judged: so a reused pid is never hit.

It blocks, waiting on pidfds: the node runs it in a thread, the guardian as its last act. No asyncio here. Two
scans, because a listing of `/proc` can miss a child that got a low pid from a wrapped counter while its
parent, not yet listed, was about to exit. Not covered: a process that hops to a new pid faster than a scan
(some 0.1 ms) and has left its control group.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lanline.services.run import cgroup, process
from lanline.services.run.process import Process

CERTAIN = 5.0
"""Seconds that SIGKILL gets to take effect. Beyond it something cannot be killed: it waits in a driver, or it
runs under another user."""

_RESCAN = 0.25
"""Seconds between looks for processes that a job has forked since it was asked to end."""

_WAITED = 256
"""Pidfds held at once while waiting. The next scan sees the rest."""

_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_PULSE = 0.02
"""Seconds between looks where there is no pidfd to wait for (not Linux, or below 5.3)."""


class Target(NamedTuple):
    """How one job is found. What is not known is 0 or empty.

    Args:
        mark: its value of RLIMIT_MSGQUEUE.
        leader: pid of the process that was spawned, which leads the job's first session.
        leader_start: its start time in ticks since boot.
        since: no process of the job is older than this, in ticks since boot.
        group: the folder of its control group.
    """

    mark: int = 0
    leader: int = 0
    leader_start: int = 0
    since: int = 0
    group: str = ""


class Killed(NamedTuple):
    """What `end` did: processes it signalled, pids it could not end, scans it took, seconds."""

    signalled: int
    left: tuple[int, ...]
    scans: int
    seconds: float


def find(targets: Sequence[Target]) -> list[Process]:
    """The living processes of these jobs, the newest first. Never this process itself, nor pid 1.

    Raises:
        OSError: `/proc` could not be read, for instance for want of a descriptor.
    """
    if not process.has_proc:
        return _find_without_proc(targets)
    since = min(target.since for target in targets)
    young = {each.pid: each for each in process.read_all(since_ticks=since) if not each.is_dead}
    young.pop(os.getpid(), None)
    young.pop(1, None)
    members = {pid for target in targets if target.group for pid in cgroup.processes(target.group)}
    members &= young.keys()
    marks = {target.mark for target in targets} - {0}
    members |= {pid for pid in young if marks and process.mark_of(pid) in marks}
    leaders = {target.leader: target.leader_start for target in targets if target.leader}
    members |= {pid for pid, start in leaders.items() if pid in young and young[pid].start_ticks == start}
    _add_relatives(members, young, _sessions(leaders, young))
    return [each for pid, each in young.items() if pid in members]


def end(targets: Sequence[Target], *, grace: float, hurry: int | None = None, certain: float = CERTAIN) -> Killed:
    """Ends these jobs and returns when nothing of them is left.

    Args:
        targets: the jobs.
        grace: seconds between SIGTERM and SIGKILL; 0 leaves SIGTERM out.
        hurry: a descriptor that becomes readable when the grace is to end at once (a second Ctrl-C).
        certain: seconds to go on trying after the first SIGKILL.

    Returns:
        What was done. `left` is empty unless something could not be killed.
    """
    ending = _Ending(targets, hurry)
    if grace > 0:
        ending.ask(time.monotonic() + grace)
    return ending.force(certain)


def count(candidates: Iterable[int], target: Target) -> int:
    """How many of these pids are living processes of a job: the quick look after a short command."""
    found = 0
    for pid in candidates:
        now = process.read(pid)
        if now is not None and not now.is_dead and now.start_ticks >= target.since:
            is_marked = target.mark > 0 and process.mark_of(pid) == target.mark
            found += is_marked or now.session == target.leader
    return found


def gather(target: Target, parent: str) -> None:
    """Moves what a job consists of by now into its control group; what that forks from then on is born there.

    Args:
        target: the job, with its group.
        parent: where to put back a process that got the pid of one of the job's meanwhile.

    Raises:
        OSError: `/proc` could not be read. The mark still finds the job.
    """
    for each in find([target]):
        if cgroup.move(target.group, each.pid):
            now = process.read(each.pid)
            if now is not None and now.start_ticks != each.start_ticks:
                cgroup.move(parent, each.pid)


class _Ending:
    """One run of `end`."""

    def __init__(self, targets: Sequence[Target], hurry: int | None) -> None:
        self._targets = targets
        self._hurry = hurry
        self._began = time.monotonic()
        self._signalled: set[tuple[int, int]] = set()
        self._scans = 0
        self._is_hurried = False

    def ask(self, deadline: float) -> None:
        """SIGTERM to whoever has not had it, until nobody is left, the deadline has passed or somebody hurries."""
        while not self._is_hurried and time.monotonic() < deadline and (found := self._find(deadline)):
            fresh = [each for each in found if (each.pid, each.start_ticks) not in self._signalled]
            self._send(fresh, signal.SIGTERM, signal.SIGCONT)
            # Look again soon: a shell may have forked once more before it acted on its signal, and wait for that.
            self._wait(found, min(deadline, time.monotonic() + _RESCAN), self._hurry)

    def force(self, certain: float) -> Killed:
        """SIGKILL until two scans in a row find nobody, or `certain` seconds have passed."""
        deadline = time.monotonic() + certain
        left: list[Process] = []
        clean = 0
        while clean < 2:
            for target in self._targets:
                if target.group:
                    cgroup.kill(target.group)
            left = self._find(deadline)
            if not left:
                clean += 1
                continue
            clean = 0
            self._send(left, signal.SIGKILL)
            if time.monotonic() >= deadline:
                break
            self._wait(left, min(deadline, time.monotonic() + 0.5), None)
        pids = tuple(each.pid for each in left)
        return Killed(len(self._signalled), pids, self._scans, time.monotonic() - self._began)

    def _find(self, deadline: float) -> list[Process]:
        """A scan that waits for a free descriptor rather than seeing nobody for want of one."""
        while True:
            self._scans += 1
            try:
                return find(self._targets)
            except OSError as error:
                if error.errno not in _FULL:
                    raise
            if time.monotonic() >= deadline:
                return [Process(each.leader, 0, 0, each.leader_start, False) for each in self._targets]
            time.sleep(_PULSE)

    def _send(self, found: Iterable[Process], *numbers: signal.Signals) -> None:
        for each in found:
            try:
                if _signal(each, numbers):
                    self._signalled.add((each.pid, each.start_ticks))
            except OSError as error:  # another user's, so it shows in `left`; or the next round tries again
                if error.errno != errno.EPERM and error.errno not in _FULL:
                    raise

    def _wait(self, found: Sequence[Process], deadline: float, hurry: int | None) -> None:
        """Waits until these have ended, the deadline has passed or somebody is in a hurry."""
        with contextlib.ExitStack() as opened:
            poll = select.poll()
            if hurry is not None:
                poll.register(hurry, select.POLLIN)
            waiting = set()
            is_blind = False
            for each in found[:_WAITED]:
                try:
                    fd = _open(each)
                except OSError:  # nothing to wait on: look again soon
                    is_blind = True
                    break
                if fd is not None:
                    opened.callback(os.close, fd)
                    poll.register(fd, select.POLLIN)
                    waiting.add(fd)
            if is_blind:
                deadline = min(deadline, time.monotonic() + _PULSE)
            while waiting or is_blind:
                left = deadline - time.monotonic()
                ready = {fd for fd, _ in poll.poll(max(0, int(left * 1000) + 1))}
                waiting -= ready
                self._is_hurried = hurry in ready
                if self._is_hurried or time.monotonic() >= deadline:
                    return


def _add_relatives(members: set[int], young: dict[int, Process], sessions: set[int]) -> None:
    """Adds children of members, and whoever is in a session that a member leads, until nobody is added.

    A session counts only when its leader is a member or the job's own: between fork and setsid a new leader
    is still in the session of the node, and that one must never count.
    """
    own = os.getsid(0)
    while True:
        sessions |= {pid for pid in members if young[pid].session == pid}
        sessions.discard(own)
        fresh = {
            pid
            for pid, each in young.items()
            if pid not in members and (each.parent in members or each.session in sessions)
        }
        if not fresh:
            return
        members |= fresh


def _sessions(leaders: dict[int, int], young: dict[int, Process]) -> set[int]:
    """The sessions of leaders, those that ended included: the node keeps a dead leader unreaped while the
    job lives, so its number cannot be given out again. A leader's pid in other hands does not count."""
    found = set()
    for pid, start in leaders.items():
        now = young.get(pid) or process.read(pid)
        if now is None or now.start_ticks == start:
            found.add(pid)
    return found


def _find_without_proc(targets: Sequence[Target]) -> list[Process]:
    """Best effort of macOS: the members of the leader's session. What called setsid is not found."""
    return [
        Process(pid, 0, target.leader, 0, False)
        for target in targets
        if target.leader
        for pid in process.in_session(target.leader)
        if pid != os.getpid() and not _is_zombie(pid)
    ]


def _is_zombie(pid: int) -> bool:
    """Whether a child of this process has ended and was not reaped. Others' zombies go with their parents."""
    if not hasattr(os, "waitid"):
        return False
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False


def _open(each: Process) -> int | None:
    """A pidfd of exactly this process, or None when it has gone.

    Raises:
        OSError: pidfds are not to be had: an old kernel, a sandbox, no descriptor left.
    """
    if sys.platform != "linux" or not process.has_proc:
        raise OSError(errno.ENOSYS, "no pidfds on this system")
    try:
        fd = os.pidfd_open(each.pid)
    except ProcessLookupError:
        return None
    try:
        now = process.read(each.pid)
        if now is not None and now.start_ticks == each.start_ticks:
            fd, kept = -1, fd
            return kept
        return None
    finally:
        if fd >= 0:
            os.close(fd)


def _signal(each: Process, numbers: Sequence[signal.Signals]) -> bool:
    """Sends signals to exactly this process. False when it has gone.

    Raises:
        PermissionError: it belongs to another user.
        OSError: there was no descriptor left to make sure of it.
    """
    try:
        fd = _open(each)
    except OSError as error:
        if error.errno in _FULL:
            raise
        return _signal_by_pid(each, numbers)
    if fd is None:
        return False
    try:
        for number in numbers:
            signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


def _signal_by_pid(each: Process, numbers: Sequence[signal.Signals]) -> bool:
    """The same without pidfds: the check and the signal stand as close together as they can."""
    if process.has_proc:
        now = process.read(each.pid)
        if now is None or now.start_ticks != each.start_ticks:
            return False
    if each.pid <= 1:  # 0 and below would be whole groups of processes
        return False
    try:
        for number in numbers:
            os.kill(each.pid, number)
    except ProcessLookupError:
        return False
    return True
