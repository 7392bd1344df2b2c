"""What a parent knows of one worker, and the line between them: events as lines of JSON, up to the parent only.

Downwards nothing is said but by signals; that the line has ended tells a worker that its parent is gone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lanline.ui.plain.report import Event

_READ_BYTES: Final = 64 * 1024


class Line:
    """One end of the line.

    Args:
        sock: one half of a pair; owned by this object from now on. The worker's half blocks, so that a worker which
            tells more than can be printed waits, as it would if it printed by itself.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.is_over = False
        """Whether the other end is gone and everything it said was received."""
        self._rest = b""

    def tell(self, event: Event) -> None:
        """Says one event. Nothing happens when nobody listens any more: the worker learns that elsewhere, and ends."""
        try:
            self.sock.sendall(json.dumps(event).encode("ascii") + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            self.is_over = True

    def receive(self) -> list[Event]:
        """What was said since the last time. Never waits, where the socket does not block."""
        lines: list[bytes] = []
        while not self.is_over:
            try:
                data = self.sock.recv(_READ_BYTES)
            except (BlockingIOError, ConnectionResetError) as error:
                self.is_over = isinstance(error, ConnectionResetError)
                break
            self.is_over = not data
            *whole, self._rest = (self._rest + data).split(b"\n")
            lines += whole
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Closes this end."""
        self.sock.close()


class Member:
    """One worker, as its parent knows it.

    Args:
        pid: its process id.
        slot: its place in the headcount, which no other process of now has.
        number: for people, from 1.
        line: this side's end of the line to it.
        is_trial: whether it is the first with its code, so that its failure is the code's and no accident.
    """

    def __init__(self, pid: int, slot: int, number: int, line: Line, *, is_trial: bool) -> None:
        self.pid = pid
        self.slot = slot
        self.number = number
        self.line = line
        self.is_trial = is_trial
        self.is_ready = False
        """It serves."""
        self.failure = ""
        """Why it could not begin; empty where it could, or has not said."""
        self.is_leaving = False
        """It was told to stop, because another one has taken its place."""
        self.is_watched = True
        """Its line is waited for."""

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal. It is our child and was not waited for, so its id is still its own."""
        os.kill(self.pid, number)


def how_it_ended(status: int) -> str:
    """What waitpid(2) said, in few words: `signal SIGKILL`, `exit code 1`."""
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
