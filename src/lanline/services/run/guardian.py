"""The guardian: a small process that ends a node's jobs when the node can no longer do it.

It holds the reading end of a pipe whose only writing end is the node's. The node writes a line when a job
begins and one when it is over; when the node ends, however it ends, the kernel closes its end, and the
guardian kills what is still registered (SIGKILL after `GRACE` seconds of SIGTERM) and exits. What the node
wrote before it died is still in the pipe, so a job is registered before it is spawned and no reply is needed.

Lines, one job each, ending in a line feed, fields separated by one space::

    +KEY MARK LEADER START SINCE GROUP     a job; a later line with the same key takes its place
    -KEY                                   that job is over; what it left running stays

KEY is a number of the node's choice. GROUP is empty or a path, at most `cgroup.MAX_PATH` long, so that a line
fits PIPE_BUF and is written in one piece or not at all. The other numbers are those of `kill.Target`.

It answers with lines on its standard output: `ready` once, and `ended N left M` when it has killed. It has
its own session, ignores the signals that people and service managers send to groups, works in `/`, and
imports little: `python -I -S`, about 8 MB resident of which most is shared. Its own soft limit is the first
value of the node's block of marks (`mark.py`), which is no job's.
"""

from __future__ import annotations

import os
import signal

from lanline.services.run import cgroup, kill
from lanline.services.run.kill import Target

GRACE = 0.5
"""Seconds between SIGTERM and SIGKILL: the node is gone, so nobody waits for a slow end."""

_IGNORED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGUSR1", "SIGUSR2")


def register_line(key: int, target: Target) -> bytes:
    """The line that registers a job, or replaces what was known of it."""
    numbers = f"+{key} {target.mark} {target.leader} {target.leader_start} {target.since} "
    return os.fsencode(numbers + target.group) + b"\n"


def forget_line(key: int) -> bytes:
    """The line that says a job is over."""
    return b"-%d\n" % key


class Register:
    """The jobs that would be ended now. Pure: bytes in, targets out."""

    def __init__(self) -> None:
        self.targets: dict[int, Target] = {}
        self._rest = b""

    def receive(self, data: bytes) -> None:
        """Takes in what was read from the pipe. A line that makes no sense is left out: only the node writes,
        and a guardian that stopped over one would guard nothing."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)

    def _take(self, line: bytes) -> None:
        sign, fields = line[:1], line[1:].split(b" ", 5)
        if not all(field.isdigit() for field in fields[:5]):
            return
        if sign == b"-" and len(fields) == 1:
            self.targets.pop(int(fields[0]), None)
        elif sign == b"+" and len(fields) == 6:
            key, mark, leader, start, since = (int(field) for field in fields[:5])
            self.targets[key] = Target(mark, leader, start, since, os.fsdecode(fields[5]))


def main() -> None:
    """Runs the guardian on standard input until it ends."""
    for name in _IGNORED:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    os.chdir("/")
    register = Register()
    _say("ready")
    while data := os.read(0, 65536):
        register.receive(data)
    targets = list(register.targets.values())
    if not targets:
        return
    killed = kill.end(targets, grace=GRACE)
    for target in targets:
        if target.group:
            cgroup.remove(target.group)
    _say(f"ended {killed.signalled} left {len(killed.left)}")


def _say(text: str) -> None:
    try:
        os.write(1, text.encode("ascii") + b"\n")
    except BrokenPipeError:  # the node that would read it is the one that is gone
        return
