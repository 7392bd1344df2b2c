"""The node's end of the pipe to its guardian: starts it, keeps the register of jobs, replaces it when it dies.

A node without a living guardian starts no job (`wait_alive`). The guardian's death shows as the end of its
output; another is started at once and has the same register. In between, some 30 ms, a node that is killed
too would leave its jobs behind.

The block of marks is chosen here, because the guardian is what reserves it (see `mark.py`).
Starting blocks and is done in the pool that the owner lends; nothing else here waits.
"""

from __future__ import annotations

import asyncio
import os
import select
import subprocess
import sys
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

from lanline.errors import RoomError
from lanline.services.run import mark as mark_values
from lanline.services.run.kill import Target
from lanline.services.run.mark import Marks
from lanline.services.run.register import Register

_START_SECONDS = 10.0
"""A start takes 20 ms; on a machine that swaps it takes longer, and waiting beats running nothing."""

_ATTEMPTS = 8
"""Blocks to try when other nodes choose the same at the same moment."""

_RETRY_SECONDS = 1.0
"""Between attempts to replace a guardian that could not be started."""


class _Guardian(NamedTuple):
    """One guardian that said it is ready, and our ends of its two pipes."""

    popen: subprocess.Popen[bytes]
    hold_fd: int
    hear_fd: int


class Lifeline:
    """The guardian of one node, for as long as the node lives. Make it with `open`; `close` it last.

    Args:
        pool: threads for the starts.
        max_jobs: jobs at once.
    """

    def __init__(self, pool: Executor, max_jobs: int) -> None:
        self.marks: Marks | None = None
        """The block of marks of this node; None where processes cannot be marked."""
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._register = Register(max_jobs)
        self._guardian: _Guardian | None = None
        self._alive = asyncio.Event()
        self._starting: asyncio.Future[_Guardian] | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._heard = b""
        self._deaths = 0

    def __repr__(self) -> str:
        return f"<Lifeline guardian={self.guardian_pid} jobs={len(self._register)} replaced={self._deaths}>"

    @classmethod
    async def open(cls, pool: Executor, max_jobs: int) -> Lifeline:
        """Starts the guardian and waits until it is ready.

        Raises:
            RoomError: it did not start, and without it no command is run.
        """
        self = cls(pool, max_jobs)
        try:
            start = self._loop.run_in_executor(pool, _start_first, self._register.fd)
            self.marks, guardian = await start
        except BaseException:
            self._register.close()
            raise
        self._attach(guardian)
        return self

    @property
    def guardian_pid(self) -> int | None:
        """The pid of the living guardian; None while there is none."""
        return self._guardian.popen.pid if self._guardian else None

    @property
    def deaths(self) -> int:
        """How many guardians have died and were replaced."""
        return self._deaths

    async def wait_alive(self, timeout: float) -> bool:
        """Waits up to `timeout` seconds for a living guardian. False when there is none even then."""
        if self._guardian is not None or self._is_closed:
            return self._guardian is not None
        try:
            async with asyncio.timeout(timeout):
                await self._alive.wait()
        except TimeoutError:
            return False
        return not self._is_closed

    def register(self, key: int, target: Target) -> None:
        """Lets the guardian know of a job, or more about one. Call it before the spawn, and again after.

        Args:
            key: a number that names the job between the two.
            target: how it is found.
        """
        self._register.put(key, target)

    def forget(self, key: int) -> None:
        """A job is over: the guardian would not end it any more."""
        self._register.drop(key)

    async def close(self) -> None:
        """Lets the guardian go, which ends what is still registered, and waits for it. Twice does no harm."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._retry is not None:
            self._retry.cancel()
        if self._starting is not None:
            await asyncio.wait([self._starting])
        if (guardian := self._detach()) is not None:
            await self._loop.run_in_executor(self._pool, guardian.popen.wait)
        self._register.close()

    def _attach(self, guardian: _Guardian) -> None:
        self._guardian = guardian
        self._heard = b""
        self._loop.add_reader(guardian.hear_fd, self._hear)
        self._alive.set()

    def _detach(self) -> _Guardian | None:
        guardian, self._guardian = self._guardian, None
        if guardian is not None:
            self._alive.clear()
            self._loop.remove_reader(guardian.hear_fd)
            os.close(guardian.hear_fd)
            os.close(guardian.hold_fd)
        return guardian

    def _hear(self) -> None:
        assert self._guardian is not None
        data = os.read(self._guardian.hear_fd, 4096)
        self._heard = (self._heard + data)[-4096:]
        if data:
            return
        self._deaths += 1
        dead = self._detach()
        self._restart(dead.popen if dead else None)

    def _restart(self, dead: subprocess.Popen[bytes] | None = None) -> None:
        if self._is_closed:
            return
        self._starting = self._loop.run_in_executor(self._pool, _replace, dead, self.marks, self._register.fd)
        self._starting.add_done_callback(self._restarted)

    def _restarted(self, future: asyncio.Future[_Guardian]) -> None:
        self._starting = None
        if future.cancelled():
            return
        if isinstance(future.exception(), RoomError):
            if not self._is_closed:
                self._retry = self._loop.call_later(_RETRY_SECONDS, self._restart)
            return
        self._attach(future.result())


def _start_first(register_fd: int) -> tuple[Marks | None, _Guardian]:
    """Chooses a block, starts a guardian that carries its first value, and makes sure nobody else does."""
    for _ in range(_ATTEMPTS):
        marks = Marks.choose()
        guardian = _start(marks.base if marks else 0, register_fd)
        if marks is None or marks.is_reserved_by(guardian.popen.pid):
            return marks, guardian
        _discard(guardian)
    raise _failed(f"other nodes took the same block of job marks {_ATTEMPTS} times")


def _replace(dead: subprocess.Popen[bytes] | None, marks: Marks | None, register_fd: int) -> _Guardian:
    if dead is not None:
        dead.wait()
    return _start(marks.base if marks else 0, register_fd)


def _start(base: int, register_fd: int) -> _Guardian:
    """Starts a guardian and waits for its `ready`.

    Raises:
        RoomError: it said something else, or nothing.
    """
    if not sys.executable:
        raise _failed("the guardian needs the Python interpreter, whose file is not known here")
    source = str(Path(__file__).resolve().parents[3])
    code = "import sys; sys.path.append(sys.argv[1]); from lanline.services.run.guardian import main; "
    code += "main(int(sys.argv[2]))"
    argv = [sys.executable, "-I", "-S", "-B", "-c", code, source, str(register_fd), f"guardian-of-{os.getpid()}"]
    read_end, hold_fd = os.pipe()
    hear_fd, write_end = os.pipe()
    try:
        with mark_values.carrying(base):
            popen = subprocess.Popen(
                argv,
                stdin=read_end,
                stdout=write_end,
                stderr=write_end,
                cwd="/",
                env={},
                pass_fds=(register_fd,),
                start_new_session=True,
                bufsize=0,
            )
    except OSError as error:
        os.close(hold_fd)
        os.close(hear_fd)
        raise _failed(f"the guardian cannot be started: {error.strerror}") from None
    finally:
        os.close(read_end)
        os.close(write_end)
    guardian = _Guardian(popen, hold_fd, hear_fd)
    _await_ready(guardian)
    return guardian


def _await_ready(guardian: _Guardian) -> None:
    heard = b""
    while b"\n" not in heard:
        ready, _, _ = select.select([guardian.hear_fd], [], [], _START_SECONDS)
        data = os.read(guardian.hear_fd, 4096) if ready else b""
        heard += data
        if not data:
            break
    if heard != b"ready\n":
        _discard(guardian)
        last = heard.decode(errors="replace").strip().splitlines()[-1:] or ["nothing"]
        raise _failed(f"the guardian said {last[0][:200]!r} in place of being ready")
    os.set_blocking(guardian.hear_fd, False)


def _failed(message: str) -> RoomError:
    return RoomError(message, advice="look for a limit on processes or memory: a guardian needs one and 8 MB")


def _discard(guardian: _Guardian) -> None:
    os.close(guardian.hold_fd)
    os.close(guardian.hear_fd)
    guardian.popen.kill()
    guardian.popen.wait()
