"""Signals that end a talk: SIGINT (Ctrl-C), SIGTERM, SIGHUP. They end it with a word, and leave the terminal whole.

Where a signal is ignored, as SIGINT is in a shell's background, it stays ignored. For the main thread and its loop.
Source: signal(7).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, Self, TypeVar

T = TypeVar("T")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Told(Exception):
    """A signal came while something else was waited for.

    Attributes:
        signal: which.
    """

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.signal = number

    @property
    def exit_code(self) -> int:
        """What a shell reports for a process that this signal ended."""
        return 128 + self.signal


class Signals:
    """Hears the signals while it is open: `with Signals() as signals`, inside a running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.told: asyncio.Future[signal.Signals] = self._loop.create_future()
        """Done when the first signal has come; its value says which."""
        self._heard: list[signal.Signals] = []

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._loop.add_signal_handler(number, self.tell, number)
                self._heard.append(number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in self._heard:
            self._loop.remove_signal_handler(number)
        self.told.cancel()

    def tell(self, number: signal.Signals) -> None:
        """Takes a signal, or a key that stands for one, as it is in a terminal's raw mode."""
        if not self.told.done():
            self.told.set_result(number)

    async def unless_told(self, wanted: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns or raises; it is cancelled when a signal comes first.

        Raises:
            Told: a signal came.
        """
        task = self._loop.create_task(wanted)
        try:
            ends: list[asyncio.Future[Any]] = [task, self.told]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
        finally:
            task.cancel()
            await asyncio.wait({task})
        raise Told(self.told.result())
