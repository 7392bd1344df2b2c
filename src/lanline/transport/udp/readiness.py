"""Being told by an event loop that a UDP socket has something to read, or takes something again.

On asyncio's own loops this is `add_reader` and `add_writer`. uvloop goes deaf there: its libuv stops watching a
descriptor for good as soon as `poll` reports an error on it, and on UDP an error is an everyday thing, one refused
datagram. So on other loops than asyncio's the socket is put into an epoll set of its own, and the loop watches that:
an epoll set is readable when one of its members has anything to say, and has no errors itself.

Sources: epoll(7) "can I poll an epoll descriptor"; libuv src/unix/poll.c, uv__poll_io.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
from collections.abc import Callable


class Readiness:
    """Calls back when a socket is ready, until it is closed.

    Args:
        loop: whichever is running.
        descriptor: of the socket; it stays open at least until `close`.
        on_readable: called when a datagram or an error is there, again and again while that is so.
        on_writable: called while `wants_to_write` is set and the system takes more.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        descriptor: int,
        on_readable: Callable[[], None],
        on_writable: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._descriptor = descriptor
        self._on_readable = on_readable
        self._on_writable = on_writable
        self._is_reading = True
        self._wants_to_write = False
        self._set: select.epoll | None = None
        if not isinstance(loop, asyncio.BaseEventLoop) and hasattr(select, "epoll"):
            self._set = select.epoll(1)
            self._set.register(descriptor, select.EPOLLIN)
            loop.add_reader(self._set.fileno(), self._on_any)
        else:
            loop.add_reader(descriptor, on_readable)

    @property
    def wants_to_write(self) -> bool:
        """Whether `on_writable` is wanted."""
        return self._wants_to_write

    @wants_to_write.setter
    def wants_to_write(self, wanted: bool) -> None:
        if wanted == self._wants_to_write:
            return
        self._wants_to_write = wanted
        if self._set is not None:
            self._renew(self._set)
        elif wanted:
            self._loop.add_writer(self._descriptor, self._on_writable)
        else:
            self._loop.remove_writer(self._descriptor)

    def stop_reading(self) -> None:
        """Calls `on_readable` no more: what comes is left to whoever shares the socket. A second call does nothing."""
        if not self._is_reading:
            return
        self._is_reading = False
        if self._set is not None:
            self._renew(self._set)
        else:
            self._loop.remove_reader(self._descriptor)

    def close(self) -> None:
        """Calls back no more. Before the socket is closed."""
        self.wants_to_write = False
        self.stop_reading()
        if self._set is not None:
            self._loop.remove_reader(self._set.fileno())
            self._set.close()

    def _renew(self, watched: select.epoll) -> None:
        """Puts into the set what is wanted now. Errors are reported even to who wants nothing, so that leaves it."""
        events = (select.EPOLLIN if self._is_reading else 0) | (select.EPOLLOUT if self._wants_to_write else 0)
        with contextlib.suppress(FileNotFoundError):
            watched.unregister(self._descriptor)
        if events:
            watched.register(self._descriptor, events)

    def _on_any(self) -> None:
        """Something is there: reading first. Asking the set which would be a system call more for each wake-up."""
        if self._is_reading:
            self._on_readable()
        if self._wants_to_write:
            self._on_writable()
