"""Ctrl-C for a word that must say goodbye properly: the first press is a wish, the second leaves at once.

While it is open, SIGINT raises nothing the first time: it makes `fd` readable, so that whoever waits in poll is woken
and the session under it is never cut in the middle of a frame. The second press raises KeyboardInterrupt, wherever the
process is: a person who presses twice does not want to wait for anything.

Where SIGINT is ignored, as in a shell's background, it stays ignored. For the main thread. Source: signal(7),
`signal.set_wakeup_fd`.
"""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType
from typing import Self


class Interrupts:
    """Counts Ctrl-C while it is open: `with Interrupts() as interrupts`.

    Attributes:
        pressed: how often it was pressed.
        fd: readable since it was pressed, until `hear`.
    """

    def __init__(self) -> None:
        self.pressed = 0
        self.fd, self._wake_fd = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._wake_fd, False)

    def __enter__(self) -> Self:
        self._wakeup_before = signal.set_wakeup_fd(self._wake_fd, warn_on_full_buffer=False)
        self._before = signal.getsignal(signal.SIGINT)
        if self._before != signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self.fd)
        os.close(self._wake_fd)

    def hear(self) -> None:
        """Empties `fd`."""
        try:
            os.read(self.fd, 256)
        except BlockingIOError:
            return

    def _press(self, number: int, frame: FrameType | None) -> None:
        self.pressed += 1
        if self.pressed > 1:
            raise KeyboardInterrupt
