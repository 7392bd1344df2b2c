"""The accept loop without an event loop: takes connections from listening sockets in a thread of its own.

It survives what accept(2) raises, as `accept.py` does under asyncio: with no descriptor left each newcomer is told by
closing, and while even that does not help the loop rests, 20 ms at first and up to 1 s. Whom to let in is decided by
whoever takes the connections.

Source: accept(2) "Error handling": errors of the new connection are not errors of the listener.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

from lanline.transport.quiet import QuietLog
from lanline.transport.shortage import LONGEST_PAUSE, SHORTAGES, SHORTEST_PAUSE, Reserve
from lanline.transport.waker import Waker

_LOG: Final = logging.getLogger("lanline.transport")

_BATCH: Final = 64
"""Accepts for one wake-up, so that no address has to wait for a burst at another."""


class Acceptor:
    """Accepts connections until it is stopped.

    Args:
        sockets: listening; set to non-blocking here, closed by whoever made them.
        take: called with each accepted socket, which is its own from then on, and the listening one. It must not wait.
    """

    def __init__(self, sockets: Sequence[socket.socket], take: Callable[[socket.socket, socket.socket], None]) -> None:
        self._take = take
        self._waker = Waker()
        self._reserve = Reserve()
        self._quiet = QuietLog(_LOG)
        self._pause = SHORTEST_PAUSE
        self._sockets = tuple(sockets)
        for sock in sockets:
            sock.setblocking(False)
            self._waker.watch(sock)
        self.accepted = self.refused = self.accept_errors = 0

    def run(self) -> None:
        """Accepts, in the calling thread, until `stop` was called from another."""
        while not self._waker.is_awake:
            for sock in self._waker.wait(None):
                if not self._accept_some(sock):
                    self._rest()

    def stop(self) -> None:
        """Ends `run`; what waits in the queues stays there."""
        self._waker.wake()

    def close(self) -> None:
        """Gives back what this took for itself. Once `run` has ended, or never began."""
        self._reserve.close()
        self._waker.close()
        self._quiet.flush(time.monotonic())

    def _accept_some(self, sock: socket.socket) -> bool:
        """False: the system has not what a connection takes, and time must pass."""
        for _ in range(_BATCH):
            try:
                accepted, _ = sock.accept()
            except (BlockingIOError, InterruptedError):
                return True
            except ConnectionAbortedError:
                continue  # it left while it waited in the queue
            except OSError as error:
                self.accept_errors += 1
                text = f"accept on {sock.getsockname()}: {error.strerror}"
                self._quiet.warn("accept", text, time.monotonic())
                if error.errno in SHORTAGES and self._reserve.refuse_one(sock):
                    self.refused += 1
                    continue
                return False
            self.accepted += 1
            self._pause = SHORTEST_PAUSE
            self._take(accepted, sock)
        return True

    def _rest(self) -> None:
        """Lets a lasting shortage last without burning a processor."""
        for sock in self._sockets:
            self._waker.ignore(sock)
        self._waker.wait(self._pause)
        self._pause = min(LONGEST_PAUSE, 2 * self._pause)
        for sock in self._sockets:
            self._waker.watch(sock)
