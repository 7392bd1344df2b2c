"""An example as a process: started with arguments, given lines, read line by line, and ended with the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rules.source import ROOT

EXAMPLES = ROOT / "examples"
SECONDS = 15.0


class Program:
    """A running example. What it waits for comes or the test's own timeout ends it: nothing here sleeps.

    Args:
        process: its output is a pipe, unbuffered, errors included.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process, self._in, self._out = process, process.stdin, process.stdout

    def line(self) -> str:
        """The next line it prints, without its end; empty at the end of its output."""
        return self._out.readline().rstrip("\n")

    def type(self, *lines: str) -> None:
        """Types lines at its keyboard."""
        self._in.write("".join(f"{line}\n" for line in lines))
        self._in.flush()

    def no_more_typing(self) -> None:
        """Ctrl-D."""
        self._in.close()

    def interrupt(self) -> None:
        """Ctrl-C, once it waits and does nothing else: before that it is still on its way to where it waits."""
        state = Path(f"/proc/{self._process.pid}/stat")
        times_asleep = 0
        while times_asleep < 5:
            times_asleep = times_asleep + 1 if state.read_text().rpartition(")")[2].split()[0] == "S" else 0
            os.sched_yield()
        self._process.send_signal(signal.SIGINT)

    def rest(self, *, exit_code: int = 0) -> list[str]:
        """All the lines it still prints until it ends by itself, which it must do with this code."""
        lines = self._out.read().splitlines()
        assert self._process.wait(SECONDS) == exit_code, lines
        return lines

    def address(self) -> str:
        """The address that it says it serves, in its first line."""
        return self.line().split()[-1]


@contextmanager
def started(name: str, *arguments: str, folder: Path | None = None) -> Iterator[Program]:
    """Starts an example; it is ended when the block is left."""
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
    ) as process:
        try:
            yield Program(process)
        finally:
            process.kill()


def output(name: str, *arguments: str, typed: str = "", folder: Path | None = None, exit_code: int = 0) -> list[str]:
    """Runs an example to its end, and gives the lines it has printed."""
    with started(name, *arguments, folder=folder) as program:
        program.type(*typed.splitlines())
        program.no_more_typing()
        return program.rest(exit_code=exit_code)
