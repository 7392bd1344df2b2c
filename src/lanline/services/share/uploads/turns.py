"""Who is writing to an upload: one request at a time, and a newer one ends the older.

A client that asks for an upload again has given up its earlier connection, even if this side has not noticed. So a new
request does not wait for a dead one to time out: it cuts that connection, waits until what came over it is noted, and
goes on from there.

Source: draft-ietf-httpbis-resumable-upload, section "Concurrency".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager


class Turns:
    """Who has which upload."""

    def __init__(self) -> None:
        self._taken: dict[Hashable, tuple[Callable[[], None], asyncio.Event]] = {}

    @asynccontextmanager
    async def take(self, key: Hashable, cut: Callable[[], None]) -> AsyncIterator[None]:
        """Has the upload for the length of the block, once nobody else has.

        Args:
            key: which upload.
            cut: ends this block early, when somebody else wants the upload.
        """
        while (other := self._taken.get(key)) is not None:
            end, over = other
            end()
            await over.wait()
        over = asyncio.Event()
        self._taken[key] = cut, over
        try:
            yield
        finally:
            del self._taken[key]
            over.set()
