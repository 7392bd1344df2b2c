"""Starts one process of a job: marked, in its own session, with two pipes, and nothing else of the node's.

It blocks for as long as the kernel takes to load the program (0.15 ms, or seconds from a sick disk), so the
node calls it in a thread. Rules: `subprocess.Popen` on its vfork path only, that is without preexec_fn, user
or group, since these copy the page tables of the node: 0.13 ms against 18 ms from a parent of 500 MB, as with
the subprocess APIs of asyncio and uvloop (benchmarks/spawn.py measures all of them). Nobody but the caller
reaps the process. A program that sits on a sick disk holds up other spawns too, not the loop: the mark is a
property of the whole process (`mark.carrying`).

The exit is waited for on `Spawned.pidfd` where there are pidfds, with `wait_exit` in a thread elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lanline.room.descriptors import give_first_limit
from lanline.services.run import mark as marks
from lanline.services.run.outcome import Exited, Lost, Signaled, SpawnFailed

if sys.platform != "win32":
    import signal


class Spawned(NamedTuple):
    """A process that runs, and what the caller now owns: three descriptors to close, one child to reap.

    Args:
        popen: only for its pid and to be told the return code; never waited with.
        pid: leader of the job's session and process group.
        pidfd: readable when it has exited; -1 where there are no pidfds.
        out_fd: the reading end of its standard output, non-blocking.
        err_fd: the same of its standard error.
    """

    popen: subprocess.Popen[bytes]
    pid: int
    pidfd: int
    out_fd: int
    err_fd: int


class Usage(NamedTuple):
    """What a process took: seconds of CPU and the largest resident size in bytes; children it waited for
    are counted in."""

    cpu_s: float
    max_rss_bytes: int


def spawn(
    argv: Sequence[str | bytes],
    *,
    environment: Mapping[str, str],
    cwd: str,
    mark: int = 0,
    program: str | None = None,
) -> Spawned:
    """Starts a process. Standard input is the null device.

    Args:
        argv: the argument list; no shell looks at it.
        environment: all of its environment.
        cwd: the folder it starts in.
        mark: its mark; 0 for none.
        program: the file to execute where that is settled; otherwise `argv[0]`, along the PATH of
            `environment`.

    Raises:
        OSError: it cannot be started. `spawn_failed` makes a sentence of it.
        ValueError: an argument has a NUL, or cannot be written in this system's encoding.
    """
    if not argv:
        raise OSError(errno.EINVAL, "the argument list is empty")
    _check_folder(cwd)
    with contextlib.ExitStack() as on_failure, contextlib.ExitStack() as child_ends:
        ends = []
        for _ in range(2):
            reading, writing = os.pipe()
            on_failure.callback(os.close, reading)
            child_ends.callback(os.close, writing)
            os.set_blocking(reading, False)
            ends.append((reading, writing))
        (out_fd, out_end), (err_fd, err_end) = ends
        with marks.carrying(mark):
            popen = subprocess.Popen(
                argv,
                executable=program,
                stdin=subprocess.DEVNULL,
                stdout=out_end,
                stderr=err_end,
                cwd=cwd,
                env=environment,
                start_new_session=True,
                bufsize=0,
            )
        give_first_limit(popen.pid)  # some microseconds after it began: nothing else costs as little
        pidfd = _open_pidfd(popen.pid)
        on_failure.pop_all()
    return Spawned(popen, popen.pid, pidfd, out_fd, err_fd)


def exit_of(pid: int) -> Exited | Signaled | Lost | None:
    """How a child ended, without reaping it, so that its pid stays taken; None while it runs."""
    try:
        result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:
        return Lost("its exit status was taken by another part of this process")
    if result is None:
        return None
    if result.si_code == os.CLD_EXITED:
        return Exited(result.si_status)
    return Signaled(_signal_name(result.si_status), result.si_code == os.CLD_DUMPED)


def wait_exit(pid: int) -> None:
    """Blocks until a child has ended, without reaping it. For systems without pidfds, in a thread."""
    with contextlib.suppress(ChildProcessError):  # reaped by somebody else: `exit_of` says so
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def reap(spawned: Spawned) -> Usage | None:
    """Reaps a child that has ended: its pid may be given out again after this.

    Returns:
        What it took, or None when somebody else has reaped it.
    """
    try:
        _, status, usage = os.wait4(spawned.pid, 0)
    except ChildProcessError:
        spawned.popen.returncode = 0  # otherwise Popen would try to reap it when it is collected
        return None
    spawned.popen.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes on macOS, KiB on Linux
    return Usage(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def spawn_failed(error: OSError | ValueError, argv: Sequence[str | bytes], cwd: str) -> SpawnFailed:
    """The outcome of a spawn that raised, with a sentence that names the cause."""
    name = os.fsdecode(argv[0]) if argv else ""
    if not isinstance(error, OSError):
        return SpawnFailed(errno.EINVAL, f"the arguments cannot be passed to a program: {error}")
    number = error.errno or errno.EINVAL
    if isinstance(error, _FolderError):
        return SpawnFailed(number, f"cannot start in the folder {cwd!r}: {error.strerror}")
    if number == errno.ENOENT and "/" in name and os.path.exists(os.path.join(cwd, name)):
        return SpawnFailed(number, f"the interpreter named in the first line of {name!r} does not exist")
    words = {
        errno.ENOENT: f"there is no program {name!r} on this machine",
        errno.EACCES: f"{name!r} may not be executed by the user of this node",
        errno.ENOEXEC: f"{name!r} is not a program this machine can execute",
        errno.E2BIG: "the arguments and the environment together are larger than this machine allows",
        errno.EAGAIN: "this machine allows no further process",
        errno.EMFILE: "this node has no descriptor left",
        errno.EINVAL: f"it cannot be started: {error.strerror}",
    }
    return SpawnFailed(number, words.get(number, f"{name!r} cannot be started: {error.strerror}"))


class _FolderError(OSError):
    """The folder to start in is not one."""


def _check_folder(cwd: str) -> None:
    """Before anything runs, since afterwards a missing folder and a missing program look the same."""
    try:
        is_folder = stat.S_ISDIR(os.stat(cwd).st_mode)
    except OSError as error:
        raise _FolderError(error.errno, error.strerror) from None
    if not is_folder:
        raise _FolderError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(cwd, os.X_OK):
        raise _FolderError(errno.EACCES, os.strerror(errno.EACCES))


def _open_pidfd(pid: int) -> int:
    """A pidfd, or -1 where the system or a sandbox has none: then a thread waits in its place."""
    if sys.platform != "linux":
        return -1
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
