"""`lanline talk` at a pseudo-terminal of its own: keys go in, and what a person sees is looked at."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from types import TracebackType
from typing import Self

from tests.services.talk.screen import Screen
from tests.services.talk.talker import PATIENCE
from tests.ui.terminal import environment

ROWS, COLUMNS = 24, 100
CTRL_C, CTRL_D, ENTER = b"\x03", b"\x04", b"\r"


def pasted(text: str) -> bytes:
    """What a terminal sends for pasted text, when the program asked to be told (bracketed paste)."""
    return b"\x1b[200~" + text.replace("\n", "\r").encode() + b"\x1b[201~"


class Person:
    """Somebody at a terminal who has started `lanline talk`, ended when the block is left."""

    def __init__(self, *arguments: str, **more: str) -> None:
        self._head, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._modes = termios.tcgetattr(end)
        # The first terminal that a session leader opens becomes the one that controls it.
        start = "import os, sys; os.close(os.open(os.ttyname(2), os.O_RDWR)); from lanline.ui.cli import main; "
        self.process = subprocess.Popen(
            [sys.executable, "-c", start + "sys.exit(main(['talk', *sys.argv[1:]]))", *arguments],
            stdin=end,
            stdout=end,
            stderr=end,
            env=environment(HOME=os.environ["HOME"], TERM="xterm-256color", **more),
            start_new_session=True,
        )
        self._end = end  # kept open: its modes are looked at afterwards
        self.screen = Screen(ROWS, COLUMNS)
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._end)
        os.close(self._head)

    @property
    def address(self) -> str:
        """Where it waits, as soon as it has said so."""
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(r"waiting at (\S+) \(", "".join(self._seen()))):
            assert self._read(deadline), f"it does not wait: {self._seen()}"
        return found[1]

    def type(self, keys: bytes) -> None:
        """Presses these keys."""
        os.write(self._head, keys)

    def sees(self, *lines: str) -> bool:
        """Waits until these are whole lines of the screen, in this order, directly one below the other; True then."""
        wanted = list(lines)
        deadline = time.monotonic() + PATIENCE
        while not any(self._seen()[at : at + len(wanted)] == wanted for at in range(len(self._seen()))):
            assert self._read(deadline), f"never seen: {wanted}; the screen: {self._seen()}"
        return True

    def ends(self, code: int = 0) -> list[str]:
        """Waits until the word has ended with this code, and its terminal is as it was; the screen."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            self._read(min(deadline, time.monotonic() + 0.05))
            assert time.monotonic() < deadline, f"it does not end: {self._seen()}"
        while self._read(time.monotonic() + 0.05):
            pass
        assert self.process.returncode == code, self._seen()
        assert termios.tcgetattr(self._end) == self._modes, "the terminal is not as it was"
        return self._seen()

    def signal(self, number: signal.Signals) -> None:
        """Sends the process a signal from elsewhere."""
        self.process.send_signal(number)

    def _seen(self) -> list[str]:
        return self.screen.lines()

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._head], [], [], max(0.0, deadline - time.monotonic()))
        data = os.read(self._head, 65536) if ready else b""
        self.screen.feed(self._decoder.decode(data))
        return bool(data)
