"""A generator that works beside the event loop: each block is made in a thread while the one before is being sent.

No thread waits for a slow client: a thread works for as long as one block takes and is then free for others; between
blocks the generator rests. So backpressure needs no queue, and a thousand clients that do not read cost no thread at
all. One block is made ahead, not more.

The threads are those of the event loop (`run_in_executor`), which ends them when it closes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from types import TracebackType
from typing import Self


class OffLoop:
    """The blocks of a generator, one at a time. Leaving the context closes the generator, wherever it stands.

    Args:
        blocks: the generator. From now on it belongs to this object, and nobody else may touch it. Empty blocks
            are passed over.
    """

    def __init__(self, blocks: Generator[bytes, None, None]) -> None:
        self._blocks = blocks
        self._lock = threading.Lock()
        self._step: asyncio.Future[bytes] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def next(self) -> bytes:
        """The next block; empty at the end.

        Raises:
            whatever the generator raises.
        """
        # Shielded: who waits here may be cancelled; a thread that works may not.
        block = await asyncio.shield(self._step or self._begin())
        self._step = self._begin() if block else None
        return block

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._step is not None:
            self._step.add_done_callback(_forget)
        # In a thread as well: the step under way ends first, and closing many files takes time.
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, self._end))

    def _begin(self) -> asyncio.Future[bytes]:
        self._step = asyncio.get_running_loop().run_in_executor(None, self._advance)
        return self._step

    def _advance(self) -> bytes:
        with self._lock:
            for block in self._blocks:
                if block:
                    return block
            return b""

    def _end(self) -> None:
        with self._lock:
            self._blocks.close()


def _forget(step: asyncio.Future[bytes]) -> None:
    """Takes note of an error that nobody waits for any more, so that the loop does not report it as lost."""
    if not step.cancelled():
        step.exception()
