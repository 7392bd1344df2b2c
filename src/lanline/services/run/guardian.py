"""The guardian: a small process that ends a node's jobs when the node can no longer do it.

Its standard input is the reading end of a pipe whose only writing end is the node's. Nothing is ever written
there: when the node ends, however it ends, the kernel closes its end, the guardian reads from the shared
register which jobs were running (`register.py`), ends them (SIGKILL after `GRACE` seconds of SIGTERM) and
exits. Because the node registers a job before it spawns it, there is no moment at which a job is nobody's.

It says two things on its standard output: `ready` once, and `ended N left M` when it has killed. It has its
own session, ignores the signals that people and service managers send to groups, works in `/`, holds three
descriptors and the register, and imports little (`python -I -S`). Its own soft limit is the first value of
the node's block of marks (`mark.py`), which is no job's.
"""

from __future__ import annotations

import os
import signal

from lanline.services.run import cgroup, kill, register

GRACE = 0.5
"""Seconds between SIGTERM and SIGKILL: the node is gone, so nobody waits for a slow end."""

_IGNORED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGUSR1", "SIGUSR2")


def main(register_fd: int) -> None:
    """Runs the guardian until its standard input ends.

    Args:
        register_fd: the node's register of jobs.
    """
    for name in _IGNORED:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    os.chdir("/")
    _say("ready")
    while os.read(0, 4096):
        pass
    targets = register.read(register_fd)
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
