"""Programs around a console, run as child processes: with pipes at all ends, or at a pseudo-terminal.

A program is a few lines of Python behind `PREFACE`, which makes `console`. Each has a session of its own, so that
no terminal of the person running the tests is ever asked.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

SOURCES = str(Path(__file__).parents[2] / "src")
PREFACE = (
    "from lanline.console import Painted\n"
    "from lanline.errors import LanlineError, UsageError, NodeNotRunning\n"
    "from lanline.ui.output import TerminalConsole\n"
    "console = TerminalConsole()\n"
)
ENDING = "\nconsole.flush()\n"


def environment(**more: str) -> dict[str, str]:
    """What a child process gets: nothing of the caller's settings for colours or encodings."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": SOURCES, "PYTHONUTF8": "1", "TERM": "xterm", **more}


def piped(program: str, *, stdin: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
    """The program with a pipe at all three ends, and no terminal that controls it."""
    return subprocess.run(
        [sys.executable, "-c", PREFACE + program + ENDING],
        input=stdin,
        capture_output=True,
        timeout=15,
        env=environment(**more),
        start_new_session=True,
        check=False,
    )


class AtTerminal:
    """The program at a pseudo-terminal of its own, 40 columns wide, which controls it."""

    def __init__(self, program: str, *, redirected: bool = False, setting: Mapping[str, str] | None = None) -> None:
        self._head, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
        # The first terminal that a session leader opens becomes the one that controls it.
        open_first = "import os\nos.close(os.open(os.ttyname(2), os.O_RDWR))\n"
        self.process = subprocess.Popen(
            [sys.executable, "-c", open_first + PREFACE + program + ENDING],
            stdin=subprocess.DEVNULL if redirected else end,
            stdout=subprocess.PIPE if redirected else end,
            stderr=end,
            env=environment(**(setting or {})),
            start_new_session=True,
        )
        os.close(end)
        self.seen = b""

    def __enter__(self) -> AtTerminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        os.close(self._head)

    def until(self, expected: bytes, times: int = 1) -> bytes:
        """Everything shown, as soon as this is part of it, so many times."""
        deadline = time.monotonic() + 10
        while self.seen.count(expected) < times:
            assert self._read(deadline), f"{expected!r} never came: {self.seen!r}"
        return self.seen

    def whole(self) -> bytes:
        """Everything shown until the program has ended, cleanly."""
        deadline = time.monotonic() + 10
        while self._read(deadline):
            pass
        assert self.process.wait(timeout=10) == 0, self.seen
        return self.seen

    def type(self, text: bytes) -> None:
        """Presses these keys."""
        os.write(self._head, text)

    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self._head)[3] & termios.ECHO)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._head], [], [], max(0.0, deadline - time.monotonic()))
        try:
            data = os.read(self._head, 65536) if ready else b""
        except OSError:  # EIO: the program's end is closed
            data = b""
        self.seen += data
        return bool(data)


def at_terminal(program: str, setting: Mapping[str, str] | None = None) -> bytes:
    """What a terminal gets from the program."""
    with AtTerminal(program, setting=setting) as terminal:
        return terminal.whole()
