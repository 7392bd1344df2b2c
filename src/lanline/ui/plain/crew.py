"""Several processes that serve the same sockets: started, watched, replaced, stopped.

This process binds and forks, and neither serves nor loads a person's code; so what it forks later loads that code anew.
It runs no event loop: it waits for signals, for what its workers tell, and for the next thing that is due.

Rules: a worker that dies is replaced, ever more slowly while that goes on; one that is replaced because its code has
changed goes only when its successor serves; a file that cannot be loaded changes nothing. When this process dies, the
workers end, for the other end of their line is gone.

Sources: fork(2), signal(7); "socket activation" of systemd, whose sockets are shared in the same way.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

from lanline.errors import LanlineError
from lanline.translation import _
from lanline.ui.plain.crewline import Line, Member, how_it_ended
from lanline.ui.plain.edits import Edits
from lanline.ui.plain.headcount import MAX_PROCESSES, clear

if TYPE_CHECKING:
    import mmap

    from lanline.console import Console
    from lanline.ui.plain.report import Report

MAX_WORKERS: Final = 64
"""More than machines have processors; the page of the headcount holds twice as many and some, for replacing them."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 30.0
_CALM: Final = 60.0
"""Seconds without a death after which the pause is short again."""

_LOOK_EVERY: Final = 1.0
_CATCH_UP: Final = 0.2
"""Seconds after which an output that took no more is tried again."""

_LOAD_SECONDS: Final = 30.0
"""A worker that does not serve by then is given up: its file waits for something."""


_MISTAKE: Final = 70  # EX_SOFTWARE of sysexits.h


class LoadFailed(LanlineError):
    """The first worker could not begin; its own sentence is in it."""

    def __init__(self, message: str, advice: str, exit_code: int) -> None:
        super().__init__(message, advice=advice)
        self.worker_exit_code = exit_code


Work = Callable[[int, Line], int]
"""What a worker does: its slot of the headcount and its line to this process in, its exit code out."""


class Crew:
    """The workers.

    Args:
        work: what each does, after the fork.
        count: how many.
        report: is told what they tell, and what becomes of them.
        page: the shared page of the headcount.
        files: whose changes lead to new workers, to begin with; workers name more. None for no such thing.
        drain: seconds that a worker has to stop.
        console: is flushed before a fork, so that nothing is printed twice.
        stop_listening: closes this process's own share of the sockets; called once, when it is to stop.
    """

    def __init__(
        self,
        work: Work,
        count: int,
        report: Report,
        page: mmap.mmap,
        *,
        files: Collection[str] | None,
        drain: float,
        console: Console,
        stop_listening: Callable[[], None],
    ) -> None:
        self._work = work
        self._count = count
        self._report = report
        self._page = page
        self._reloads = files is not None
        self._drain = drain
        self._console = console
        self._stop_listening = stop_listening
        self._members: dict[int, Member] = {}
        self._edits = Edits(files or ())
        self._selector = selectors.DefaultSelector()
        self._signals_heard = 0
        self._starts: list[float] = []
        """When workers in place of dead ones are due."""
        self._pause = _FIRST_PAUSE
        self._last_death = 0.0
        self._look_due = time.monotonic() + _LOOK_EVERY
        self._failure: LoadFailed | None = None

    def run(self, is_ready: Callable[[], None]) -> int:
        """Starts them and stays until they are to stop; the exit code.

        Args:
            is_ready: called once all of them serve.

        Raises:
            LoadFailed: the first could not begin.
        """
        ours, wake = socket.socketpair()
        ours.setblocking(False)
        wake.setblocking(False)
        before = {one: signal.getsignal(one) for one in _SIGNALS}
        for one in _SIGNALS:
            if before[one] is not signal.SIG_IGN or one is signal.SIGCHLD:
                signal.signal(one, _nothing)
        old_wakeup = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._selector.register(ours, selectors.EVENT_READ)
        try:
            self._begin(is_ready)
            self._tend()
        finally:
            self._end_all()
            signal.set_wakeup_fd(old_wakeup)
            for one, handler in before.items():
                signal.signal(one, handler)
            self._selector.close()
            ours.close()
            wake.close()
        return 130 if self._signals_heard > 1 else 0

    # -- the life of the crew ------------------------------------------------------------------------------

    def _begin(self, is_ready: Callable[[], None]) -> None:
        """The first alone, so that a mistake in the file is said once; then the others."""
        self._start(is_trial=True)
        self._wait_ready()
        while len(self._members) < self._count and not self._signals_heard:
            self._start()
        self._wait_ready()
        if not self._signals_heard:
            is_ready()

    def _wait_ready(self) -> None:
        while any(not member.is_ready for member in self._members.values()) and not self._signals_heard:
            self._step(_LOOK_EVERY)
        if not self._members and not self._signals_heard:
            raise self._failure or LoadFailed(_("the first worker ended before it served"), "", 1)

    def _tend(self) -> None:
        while not self._signals_heard:
            now = time.monotonic()
            while self._starts and self._starts[0] <= now:
                self._starts.pop(0)
                self._start()
            if self._reloads and now >= self._look_due:
                self._look_due = now + _LOOK_EVERY
                if changed := self._edits.take():
                    self._replace(changed)
            dues = [*self._starts[:1], *([self._look_due] if self._reloads else [])]
            self._step(max(0.0, min(dues) - time.monotonic()) if dues else None)

    def _end_all(self) -> None:
        """Passes the signals on, and waits for all."""
        self._stop_listening()
        for member in self._members.values():
            member.signal(signal.SIGTERM)
        passed_on, deadline = 1, time.monotonic() + self._drain + _LOAD_SECONDS
        while self._members:
            self._step(0.5)
            if self._signals_heard > passed_on:
                passed_on = self._signals_heard
                for member in self._members.values():
                    member.signal(signal.SIGTERM if passed_on == 2 else signal.SIGKILL)
            if time.monotonic() > deadline:
                for member in self._members.values():
                    member.signal(signal.SIGKILL)

    # -- one step ------------------------------------------------------------------------------------------

    def _step(self, seconds: float | None) -> None:
        """Waits for what comes first, and deals with it."""
        if self._report.is_behind:
            self._report.catch_up()
            seconds = _CATCH_UP if seconds is None else min(seconds, _CATCH_UP)
        for key, _ready in self._selector.select(seconds):
            member: Member | None = key.data
            if member is not None:
                self._hear(member)
            else:
                assert isinstance(key.fileobj, socket.socket), "besides the workers only the wake-up socket is watched"
                heard = key.fileobj.recv(4096)
                self._signals_heard += sum(number != signal.SIGCHLD for number in heard)
        self._reap()

    def _hear(self, member: Member) -> None:
        for event in member.line.receive():
            match event["event"]:
                case "ready":
                    member.is_ready = True
                    self._edits.add(event["files"])
                case "failed":
                    member.failure = event["text"]
                    self._failure = LoadFailed(event["text"], event["advice"], event["exit_code"])
                case _other:
                    self._report.tell(event)
        if member.line.is_over and member.is_watched:
            member.is_watched = False
            self._selector.unregister(member.line.sock)

    def _reap(self) -> None:
        for member in list(self._members.values()):
            pid, status = os.waitpid(member.pid, os.WNOHANG)
            if pid:
                self._hear(member)
                self._gone(member, status)

    def _gone(self, member: Member, status: int) -> None:
        del self._members[member.slot]
        if member.is_watched:
            self._selector.unregister(member.line.sock)
        member.line.close()
        clear(self._page, member.slot)
        if member.is_leaving or self._signals_heard or (member.is_trial and not member.is_ready):
            return
        now = time.monotonic()
        if now - self._last_death > _CALM:
            self._pause = _FIRST_PAUSE
        self._last_death = now
        text = _("worker {number} (process {pid}) ended by itself: {how}; another one starts in {seconds:g} s").format(
            number=member.number, pid=member.pid, how=member.failure or how_it_ended(status), seconds=self._pause
        )
        self._report.tell({"event": "worker_died", "text": text, "pid": member.pid})
        self._starts.append(now + self._pause)
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause)

    # -- starting and replacing ----------------------------------------------------------------------------

    def _start(self, *, is_trial: bool = False) -> Member:
        slot = next(number for number in range(MAX_PROCESSES) if number not in self._members)
        numbers = {member.number for member in self._members.values() if not member.is_leaving}
        number = next(one for one in range(1, MAX_PROCESSES) if one not in numbers)
        ours, theirs = socket.socketpair()
        self._console.flush()
        pid = os.fork()
        if pid == 0:
            ours.close()
            _be_worker(self._work, slot, Line(theirs), [one.line.sock for one in self._members.values()])
        theirs.close()
        ours.setblocking(False)
        member = Member(pid, slot, number, Line(ours), is_trial=is_trial)
        self._members[slot] = member
        self._selector.register(ours, selectors.EVENT_READ, member)
        return member

    def _replace(self, changed: list[str]) -> None:
        """New workers for the old ones, the first of them on trial."""
        names = ", ".join(sorted(os.path.basename(path) for path in changed))
        old = [member for member in self._members.values() if not member.is_leaving]
        first = self._start(is_trial=True)
        if not self._has_begun(first):
            why = first.failure or _("it ended before it served")
            text = _("{names} changed, but {why}; the old one goes on").format(names=names, why=why)
            self._report.tell({"event": "reload_failed", "text": text, "files": changed})
            return
        for member in old:
            member.is_leaving = True
            member.signal(signal.SIGTERM)
        self._starts.clear()
        for _number in range(self._count - 1):
            self._start()
        text = _("{names} changed: new workers serve from now on").format(names=names)
        self._report.tell({"event": "reloaded", "text": text, "files": changed})

    def _has_begun(self, first: Member) -> bool:
        """Waits until a worker on trial serves, or is gone."""
        deadline = time.monotonic() + _LOAD_SECONDS
        while first.slot in self._members and not (first.is_ready or self._signals_heard):
            self._step(_LOOK_EVERY)
            if time.monotonic() > deadline:
                first.signal(signal.SIGKILL)
        return first.is_ready


def _be_worker(work: Work, slot: int, line: Line, others: list[socket.socket]) -> NoReturn:
    """The life of a worker, from the fork to its end. Nothing of the parent's goes on in it."""
    code = _MISTAKE
    try:
        signal.set_wakeup_fd(-1)
        for one in _SIGNALS:
            # Of Ctrl-C and of a closed terminal only the parent hears, and passes it on.
            signal.signal(one, signal.SIG_IGN if one in (signal.SIGINT, signal.SIGHUP) else signal.SIG_DFL)
        for sock in others:
            sock.close()
        code = work(slot, line)
    except LanlineError as error:
        code = error.exit_code
        line.tell({"event": "failed", "text": str(error), "advice": error.advice, "exit_code": code})
    except BaseException as error:  # this process ends here, and its parent shall know why
        text = f"{type(error).__name__}: {error}"
        line.tell({"event": "failed", "text": text, "advice": "", "exit_code": code})
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()  # what a handler has printed
        os._exit(code)


def _nothing(number: int, frame: FrameType | None) -> None:
    """Signals are heard through the wake-up socket; without a handler they would not come there."""
