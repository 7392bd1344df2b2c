"""What the tests of the run service share: a table that proves it left nothing, and waits on real processes."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from time import monotonic

import lanline
from lanline.services.run import mark
from lanline.services.run.command import Command
from lanline.services.run.job import Job
from lanline.services.run.outcome import Ended
from lanline.services.run.output import Stream
from lanline.services.run.table import JobTable

NODE = f"test-{os.getpid()}"
SOURCE = str(Path(str(lanline.__file__)).parents[1])

SCATTERED = """sleep 63 & (setsid sh -c 'env -i sh -c "sleep 61 & sleep 62 & echo up; wait"' &) ; wait"""
"""At least five processes in two sessions, some of them twice forked without environment; says `up` when all run."""


@contextlib.asynccontextmanager
async def open_table(*, max_jobs: int = 8, use_groups: bool = False) -> AsyncIterator[JobTable]:
    table = await JobTable.open(NODE, max_jobs=max_jobs, use_groups=use_groups)
    try:
        yield table
    finally:
        await table.close()


async def start(table: JobTable, *argv: str | bytes, **more: object) -> Job:
    return await table.start(Command(argv, **{"cwd": "/", **more}), caller="pc1")  # type: ignore[arg-type]


async def run(table: JobTable, *argv: str | bytes, **more: object) -> tuple[bytes, bytes, Ended]:
    """Runs a command to its end: its standard output, its standard error and the last word."""
    out = {Stream.OUT: b"", Stream.ERR: b""}
    async with await start(table, *argv, **more) as job:
        while (piece := await job.read()) is not None:
            out[piece[0]] += piece[1]
        return out[Stream.OUT], out[Stream.ERR], await job.wait()


async def read_until(job: Job, text: bytes) -> bytes:
    """Reads until the output holds `text`."""
    heard = b""
    while text not in heard:
        piece = await job.read()
        assert piece is not None, f"the output ended after {heard!r}"
        heard += piece[1]
    return heard


class Watch:
    """Pidfds of processes that live now. Close it."""

    def __init__(self, pids: Iterable[int]) -> None:
        self.pids = list(pids)
        self._fds: dict[int, int] = {}
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):  # a shell on its way out when it was listed
                self._fds[os.pidfd_open(pid)] = pid

    def wait_gone(self, seconds: float = 15.0) -> set[int]:
        """Those that still live when all have ended or the time is over."""
        poll = select.poll()
        left = set(self._fds)
        for fd in left:
            poll.register(fd, select.POLLIN)
        deadline = monotonic() + seconds
        while left:
            rest = max(0.0, deadline - monotonic())
            for fd, _ in poll.poll(rest * 1000):
                poll.unregister(fd)
                left.discard(fd)
            if rest == 0:
                break
        return {self._fds[fd] for fd in left}

    def close(self) -> None:
        for fd in self._fds:
            os.close(fd)


@contextlib.contextmanager
def watching(pids: Iterable[int]) -> Iterator[Watch]:
    watch = Watch(pids)
    try:
        yield watch
    finally:
        watch.close()


@contextlib.contextmanager
def child(*argv: str, value: int = 0, **more: object) -> Iterator[subprocess.Popen[bytes]]:
    """A child process with a mark, killed and reaped at the end."""
    with mark.carrying(value):
        popen = subprocess.Popen(argv, **{"stdout": subprocess.PIPE, **more})  # type: ignore[call-overload]
    try:
        yield popen
    finally:
        popen.kill()
        popen.wait()
        for stream in (popen.stdin, popen.stdout):
            if stream is not None:
                stream.close()


def python(code: str) -> tuple[str, ...]:
    """The words that run a piece of Python with lanline in its path."""
    return sys.executable, "-c", f"import sys; sys.path.insert(0, {SOURCE!r})\n{code}"
