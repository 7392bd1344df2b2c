"""How often a process that serves was told to stop: once to end gracefully, twice to cut everybody off.

The third signal is the system's own and ends the process. Rule: what was told to be ignored stays so: SIGHUP under
nohup, SIGINT of a background job or of a worker. For the main thread and its running loop. Source: signal(7).
"""

from __future__ import annotations

import asyncio
import signal
from typing import Final

CUT_OFF: Final = 130
"""Exit code after a second signal: as a shell reports an interrupted program."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Hears SIGINT, SIGTERM and SIGHUP from now on.

    Args:
        parent: a descriptor that becomes readable when the parent process has gone, which counts as a first signal;
            None without a parent.

    Attributes:
        first: set by the first signal. second: by the second.
    """

    def __init__(self, parent: int | None = None) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._parent = parent
        for one in _SIGNALS:
            if signal.getsignal(one) is not signal.SIG_IGN:
                self._loop.add_signal_handler(one, self._heard)
        if parent is not None:
            self._loop.add_reader(parent, self._parent_gone)

    def _heard(self) -> None:
        if not self.first.is_set():
            self.first.set()
            return
        self.second.set()
        for one in _SIGNALS:
            if signal.getsignal(one) is not signal.SIG_IGN:
                self._loop.remove_signal_handler(one)
                signal.signal(one, signal.SIG_DFL)

    def _parent_gone(self) -> None:
        assert self._parent is not None, "watched only where there is one"
        self._loop.remove_reader(self._parent)
        self.first.set()
