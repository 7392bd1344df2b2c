"""Waiting for sockets in a thread that another thread can wake: a selector with a socket pair of its own."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Sequence


class Waker:
    """Waits for sockets; `wake` ends the wait from any thread, for good."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._heard, self._told = socket.socketpair()
        self._selector.register(self._heard, selectors.EVENT_READ)
        self.is_awake = False
        """Whether `wake` was called."""

    def watch(self, sock: socket.socket) -> None:
        """From now on `wait` ends when this socket has something to receive or to accept."""
        self._selector.register(sock, selectors.EVENT_READ)

    def ignore(self, sock: socket.socket) -> None:
        """No longer."""
        self._selector.unregister(sock)

    def wait(self, timeout: float | None) -> Sequence[socket.socket]:
        """Blocks until a watched socket is ready, or this was woken.

        Args:
            timeout: seconds; None for ever.

        Returns:
            the sockets that are ready; none when the time was over or `is_awake`.
        """
        ready = self._selector.select(timeout)
        if self.is_awake:
            return ()
        return [key.fileobj for key, _ in ready if isinstance(key.fileobj, socket.socket)]

    def wake(self) -> None:
        """Ends this and every later `wait`. From any thread, more than once if need be."""
        self.is_awake = True
        self._told.send(b"!")

    def close(self) -> None:
        """Gives the descriptors back. Only when nobody waits any more."""
        self._selector.close()
        self._heard.close()
        self._told.close()
