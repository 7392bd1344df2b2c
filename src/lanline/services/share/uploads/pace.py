"""Work on a disk, done where it disturbs least: in the event loop while the disk is quick, in a thread once it is not.

A block of one mebibyte goes into memory of the system in less than a millisecond, and a thread would cost more than
it gives. A disk that has to be waited for is another matter: everybody else would wait too. So every piece of work is
timed; one that took over 5 ms moves the next ones to threads, and a run of quick ones brings them back. The first slow
one cannot be known in advance, and is the price.

Source: measurements in docs/decisions/0097-a-put-is-written-beside-and-named-at-its-end.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from lanline.beneath import Draft

SLOW: Final = 0.005
"""Seconds beyond which a piece of work holds up the others."""

_QUICK_AGAIN: Final = 32
"""So many quick pieces in a row, and the disk counts as quick."""

_T = TypeVar("_T")


class Pace:
    """How quick one disk has been lately. One for each share."""

    def __init__(self) -> None:
        self._quick_ones = _QUICK_AGAIN

    @property
    def is_slow(self) -> bool:
        """Whether work goes into threads now."""
        return self._quick_ones < _QUICK_AGAIN

    def took(self, seconds: float) -> None:
        """Tells how long a piece of work took."""
        self._quick_ones = 0 if seconds > SLOW else min(self._quick_ones + 1, _QUICK_AGAIN)

    async def run(self, work: Callable[[], _T]) -> _T:
        """Does one piece of work, and returns what it returns.

        Cancelling waits until a thread is done with it: the caller may then close what the work was about.
        """
        if not self.is_slow:
            return self._timed(work)
        return await whole(asyncio.get_running_loop().run_in_executor(None, self._timed, work))

    async def run_apart(self, work: Callable[[], _T]) -> _T:
        """Does work that is known to take long, in a thread; it tells nothing about the disk. Otherwise as `run`."""
        return await whole(asyncio.get_running_loop().run_in_executor(None, work))

    async def discard(self, draft: Draft) -> None:
        """Removes a draft in a thread: to give back the blocks of a large file takes long. Does nothing once it is
        committed or closed. Raises FileError."""
        if draft.fd >= 0:
            await self.run_apart(draft.discard)

    def _timed(self, work: Callable[[], _T]) -> _T:
        begun = time.monotonic()
        try:
            return work()
        finally:
            self.took(time.monotonic() - begun)


async def whole(future: asyncio.Future[_T]) -> _T:
    """Waits for work that cannot be cancelled, also while being cancelled; that comes afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not future.cancelled():
            future.exception()  # seen: the cancellation is what the caller hears of
        raise cancelled
    return future.result()
