"""Virtual time: an event loop on which waiting takes no time, for tests of deadlines, pauses and rooms.

Where the stock loop would sleep until its next timer, this one moves its clock there. An hour of retries takes
milliseconds, and is the same hour in every run::

    from lanline.testing import clock

    async def main():
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(3600)
        assert asyncio.get_running_loop().time() - began == 3600

    clock.run(main())

It fits whatever takes its time from the loop: `asyncio.sleep`, `asyncio.timeout`, `mem://` connections with latency,
links, channels, rooms in memory. It does not fit what happens outside: sockets, processes, threads. Their time is the
real one, and while something of theirs is awaited the clock would leap; use `asyncio.run` for them.

When every task waits and no timer is set, nothing can ever happen any more. The stock loop would hang; this one
raises AssertionError and names the tasks.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

_T = TypeVar("_T")


def run(main: Coroutine[Any, Any, _T], *, start: float = 0.0, debug: bool | None = None) -> _T:
    """As `asyncio.run`, in virtual time.

    Args:
        main: the coroutine to run.
        start: what `loop.time()` says at the beginning, seconds.
        debug: as in `asyncio.run`.

    Raises:
        AssertionError: a deadlock: every task waits, and no timer is set.
    """
    with asyncio.Runner(debug=debug, loop_factory=lambda: VirtualTimeLoop(start)) as runner:
        return runner.run(main)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The stock event loop with a clock that leaps.

    Args:
        start: the time it begins with, seconds.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        super().__init__(_LeapingSelector(self))

    def time(self) -> float:
        """The virtual time, seconds."""
        return self._now

    def leap(self, seconds: float) -> None:
        """Moves the clock. The loop does it when all wait; a test does it to feign a loop that was busy so long."""
        self._now += seconds


class _LeapingSelector(selectors.BaseSelector):
    """Looks at the real files without waiting; moves the clock where a selector would wait."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if not ready and timeout is None:
            waiting = ", ".join(sorted(task.get_name() for task in asyncio.all_tasks(self._loop)))
            raise AssertionError(f"deadlock: every task waits and no timer is set ({waiting})")
        if not ready and timeout is not None and timeout > 0:
            self._loop.leap(timeout)
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()
