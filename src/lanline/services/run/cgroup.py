"""A control group per job, where this node may make one: the surest way to end all of a job at once.

cgroup v2 only. A node may make groups when its own group's folder is writable: systemd with `Delegate=yes`,
root, a container with a writable mount. It is not the only containment, because between the spawn and the
move a command can fork; the mark (`mark.py`) covers what was forked before.

Rules: nothing here raises for a system that has no cgroups; it answers None or False and the caller says
which containment is in use. A group is named `lanline-<pid of the node>-<number>` and lies in the node's own.

The move of a lone process costs about 11 ms here (the kernel waits for an RCU grace period; 0.03 ms only when
moves follow each other within 100 ms), twenty times a whole `true`. So jobs are moved after `SETTLE` seconds
of life, by a thread, and short ones never are.

Sources: kernel Documentation/admin-guide/cgroup-v2.rst, "Delegation" and `cgroup.kill` (Linux 5.14).
"""

from __future__ import annotations

import contextlib
import os

SETTLE = 0.05
"""Seconds of life after which a job is worth a group of its own."""

MAX_PATH = 3072
"""Longest folder of a group, in characters that file systems store as one byte."""

_PREFIX = "lanline-"


def own_group() -> str | None:
    """The folder of this process's own cgroup2, when groups can be made in it and killed; else None."""
    folder = _own_folder()
    if folder is None or len(os.fsencode(folder)) > MAX_PATH - 64:
        return None
    if not os.access(folder, os.W_OK | os.X_OK):
        return None
    if not os.access(f"{folder}/cgroup.procs", os.W_OK):  # the common ancestor must be writable for a move
        return None
    probe = f"{folder}/{_PREFIX}{os.getpid()}-probe"
    try:
        os.mkdir(probe)
    except OSError:
        return None
    try:
        return folder if os.path.exists(f"{probe}/cgroup.kill") and _is_domain(probe) else None
    finally:
        remove(probe)


def make(parent: str, key: int) -> str | None:
    """Makes the group of one job.

    Args:
        parent: what `own_group` answered.
        key: a number that this process uses once.

    Returns:
        Its folder, or None when the system refuses: a limit on groups, rights taken away since, or what a
        node with this pid left running is still in a group of this name and must not be mixed in.
    """
    folder = f"{parent}/{_PREFIX}{os.getpid()}-{key}"
    remove(folder)
    try:
        os.mkdir(folder)
    except OSError:
        return None
    return folder


def move(folder: str, pid: int) -> bool:
    """Moves one process into a group. What it forks from then on is in it too.

    Returns:
        False when the process is gone or may not be moved.
    """
    return _write(f"{folder}/cgroup.procs", b"%d" % pid)


def processes(folder: str) -> list[int]:
    """The pids in a group and in the groups below it; empty when there is no such group."""
    found: list[int] = []
    for place, _, _ in os.walk(folder):
        try:
            with open(f"{place}/cgroup.procs", "rb") as listing:
                found += [int(line) for line in listing.read().split()]
        except OSError:  # removed meanwhile, or a threaded group below, whose processes the top one lists
            continue
    return [pid for pid in found if pid > 0]


def kill(folder: str) -> bool:
    """Kills everything in a group and below it, forks under way included. False when that is not possible."""
    return _write(f"{folder}/cgroup.kill", b"1")


def remove(folder: str) -> bool:
    """Removes a group and those below it. True when there is no such group now, False when it is in use."""
    for place, _, _ in os.walk(folder, topdown=False):
        try:
            os.rmdir(place)
        except OSError:
            return False
    return not os.path.exists(folder)


def sweep(parent: str) -> int:
    """Removes the empty groups in `parent` that this node, or one that is dead, has left. Returns how many.

    Those of a living node are let be: one that was just made is empty too.
    """
    removed = 0
    with contextlib.suppress(OSError):  # a folder that cannot be listed has nothing we could remove
        for name in os.listdir(parent):
            maker = name.removeprefix(_PREFIX).partition("-")[0]
            if name.startswith(_PREFIX) and maker.isdecimal():
                if int(maker) == os.getpid() or not os.path.exists(f"/proc/{maker}"):
                    removed += remove(f"{parent}/{name}")
    return removed


def _own_folder() -> str | None:
    path = None
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                if line.startswith("0::"):
                    path = line[3:].rstrip("\n")
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
            mounts = [line.split() for line in lines]
    except OSError:
        return None
    if path is None or path.startswith("/.."):
        return None
    for fields in mounts:
        if fields[fields.index("-") + 1] == "cgroup2":
            root, point = fields[3], fields[4]
            if path == root or root == "/" or path.startswith(root + "/"):
                inside = path if root == "/" else path[len(root) :]
                return (point + inside).rstrip("/")
    return None


def _is_domain(folder: str) -> bool:
    """Whether processes can be moved in: not so below a threaded group."""
    try:
        with open(f"{folder}/cgroup.type", "rb") as kind:
            return kind.read().strip() == b"domain"
    except OSError:
        return False


def _write(path: str, text: bytes) -> bool:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text)
        finally:
            os.close(fd)
    except OSError:
        return False
    return True
