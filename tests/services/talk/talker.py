"""Programs with pipes at all ends, for talks seen from outside: `lanline talk`, and whoever talks with it."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import IO, Self, TypeVar

from tests.ui.terminal import environment

T = TypeVar("T")

PATIENCE = 15.0
"""Seconds for anything to happen."""


class Program:
    """A process, ended when the block is left. `out` and `err` hold what it has printed so far.

    Args:
        command: the program and its arguments.
        stdin: what it reads; a pipe that `type` writes to by default.
        setting: more of its environment.
    """

    def __init__(self, command: Sequence[str], *, stdin: int | IO[bytes] = subprocess.PIPE, **setting: str) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(HOME=os.environ["HOME"], **setting),
            start_new_session=True,
        )
        assert self.process.stdout is not None and self.process.stderr is not None
        self.out = self.err = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.process.stdout, selectors.EVENT_READ, "out")
        self._selector.register(self.process.stderr, selectors.EVENT_READ, "err")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._selector.close()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def type(self, data: bytes) -> None:
        """Writes to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def end_input(self) -> None:
        """Closes its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def close_output(self) -> None:
        """Reads its standard output no more, as `head` does when it has enough."""
        assert self.process.stdout is not None
        self._selector.unregister(self.process.stdout)
        self.process.stdout.close()

    def says(self, text: str) -> bool:
        """Waits until this is on its standard output; True then."""
        return self._until(lambda: text.encode() in self.out or None, text)

    def notes(self, text: str, times: int = 1) -> bool:
        """Waits until this is on its standard error, so many times; True then."""
        return self._until(lambda: self.err.count(text.encode()) >= times or None, text)

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        self.process.send_signal(number)

    def ends(self, code: int = 0) -> str:
        """Waits until it has ended with this code; what it printed on standard output."""
        deadline = time.monotonic() + PATIENCE
        while self._selector.get_map():
            assert time.monotonic() < deadline, f"it does not end: {self.out!r} {self.err!r}"
            self._read(deadline)
        assert self.process.wait(timeout=PATIENCE) == code, self.err
        return self.out.decode()

    def _until(self, found: Callable[[], T | None], what: str) -> T:
        deadline = time.monotonic() + PATIENCE
        while (result := found()) is None:
            assert self._selector.get_map() and time.monotonic() < deadline, (
                f"{what!r} never came: {self.out!r} {self.err!r}"
            )
            self._read(deadline)
        return result

    def _read(self, deadline: float) -> None:
        for key, _ in self._selector.select(max(0.0, deadline - time.monotonic())):
            data = os.read(key.fd, 65536)
            setattr(self, key.data, getattr(self, key.data) + data)
            if not data:
                self._selector.unregister(key.fileobj)


class Talker(Program):
    """A process of `lanline talk` with these arguments; `stdin` and the rest as for `Program`."""

    def __init__(self, *arguments: str, stdin: int | IO[bytes] = subprocess.PIPE, **setting: str) -> None:
        super().__init__([sys.executable, "-m", "lanline", "talk", *arguments], stdin=stdin, **setting)

    @property
    def address(self) -> str:
        """Where it waits, as soon as it has said so."""
        found = self._until(lambda: re.search(rb"waiting at (\S+) ", self.err), "waiting at")
        return found[1].decode()

    @property
    def port(self) -> int:
        """The port of `address`."""
        return int(self.address.rpartition(":")[2])
