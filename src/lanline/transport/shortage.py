"""What a server does when the system gives it no more descriptors: a reserve for telling newcomers, and when to rest.

accept(2) fails then, the connection stays in the queue, and a loop that only tries again burns a processor. One
descriptor held back lets the server take each newcomer out of the queue and close it: it learns at once that it is
refused. No asyncio here; time passes in whoever uses it.

Source: libev's manual, "The special problem of accept()ing when you can't".
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Final

SHORTAGES: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""What accept(2) says when this process or this machine has no more of something."""

SHORTEST_PAUSE: Final = 0.02
LONGEST_PAUSE: Final = 1.0
"""Seconds to rest while a shortage lasts: the shortest first, then twice as long each time."""


class Reserve:
    """One descriptor, held back for the moment in which there is no other."""

    def __init__(self) -> None:
        self._descriptor: int | None = _take()

    def refuse_one(self, listening: socket.socket) -> bool:
        """Gives the reserve up for a moment, to take one newcomer from the queue and close it.

        Returns:
            False when that did not come about: the queue is empty, or the shortage is of another kind.
        """
        if self._descriptor is None:
            self._descriptor = _take()
        if self._descriptor is None:
            return False
        os.close(self._descriptor)
        self._descriptor = None
        try:
            accepted, _ = listening.accept()
        except OSError:
            return False
        else:
            accepted.close()
            return True
        finally:
            self._descriptor = _take()

    def close(self) -> None:
        """Gives the descriptor back. A second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _take() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None  # the shortage is there already; the next try may find one


def descriptors() -> int | None:
    """How many files this process may open; None where nothing says so."""
    try:
        import resource
    except ImportError:
        return None
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
