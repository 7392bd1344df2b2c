"""`lanline serve`, or another word that serves, in a process of its own, followed by the events of --json."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tests.ui.terminal import environment

PATIENCE = 30.0
"""Seconds until a test gives up; what is waited for takes a fraction of one."""

NOTHING: Mapping[str, str] = {}


class Served:
    """A server that was started; its events in order."""

    def __init__(self, process: subprocess.Popen[bytes], errors: Path) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self._errors = errors
        self._rest = b""
        self._seen = 0

    @property
    def err(self) -> str:
        """What it has said on standard error."""
        return self._errors.read_text()

    def address(self, scheme: str) -> str:
        """Where it serves, of that scheme."""
        return next(
            str(event["address"])
            for event in self.events
            if event["event"] == "serving" and event["address"].startswith(f"{scheme}://")
        )

    def port(self, scheme: str = "tcp") -> int:
        """The port it took."""
        return int(self.address(scheme).rpartition(":")[2])

    def wait(self, kind: str, **values: object) -> dict[str, Any]:
        """The next event of that kind with these values; what comes before it is passed over."""
        deadline = time.monotonic() + PATIENCE
        while True:
            while self._seen < len(self.events):
                event = self.events[self._seen]
                self._seen += 1
                if event["event"] == kind and values.items() <= event.items():
                    return event
            assert self._read(deadline), f"it ended: {self.events} {self.err}"

    def find(self, kind: str, **values: object) -> dict[str, Any]:
        """As `wait`, from the first event on."""
        self._seen = 0
        return self.wait(kind, **values)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal and waits for the end; the exit code."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> int:
        """Waits for the end; the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        return self.process.wait(PATIENCE)

    def _read(self, deadline: float) -> bool:
        """Takes what it has printed; False at the end."""
        assert self.process.stdout is not None
        left = max(0.0, deadline - time.monotonic())
        assert select.select([self.process.stdout], [], [], left)[0], f"nothing more came: {self.events} {self.err}"
        data = os.read(self.process.stdout.fileno(), 65536)
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.events += [json.loads(line) for line in lines]
        return bool(data)


@contextmanager
def served(
    *words: str, cwd: Path | None = None, has_begun: bool = True, through: Sequence[str] = (), **more: str
) -> Iterator[Served]:
    """Serves within the block; gives it once it serves. `through` is a command that becomes the one behind it."""
    with spawned("serve", *words, cwd=cwd, through=through, more=more) as one:
        if has_begun:
            one.wait("serving")
        yield one


@contextmanager
def spawned(
    *words: str,
    cwd: Path | None = None,
    through: Sequence[str] = (),
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    more: Mapping[str, str] = NOTHING,
) -> Iterator[Served]:
    """Runs a word that prints events with --json, within the block."""
    errors = Path(os.environ["HOME"]) / f"{words[0]}-{time.monotonic_ns()}.err"
    with errors.open("wb") as err:
        process = subprocess.Popen(
            [*through, sys.executable, "-P", "-m", "lanline", *words, "--json"],
            stdout=subprocess.PIPE,
            stderr=err,
            stdin=stdin,
            cwd=cwd,
            env=environment(HOME=os.environ["HOME"], **more),
            start_new_session=True,
        )
    try:
        yield Served(process, errors)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
        if process.stdin is not None:
            process.stdin.close()
