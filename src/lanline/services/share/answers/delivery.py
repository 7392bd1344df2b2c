"""An answer that has arrived: sent to its last byte, and confirmed by the peer's system.

For what is given away once, where "sent" is not enough: megabytes of an answer may lie in two kernels when the peer
breaks off.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from lanline.http.connection import Connection
from lanline.http.sending import drain_all
from lanline.transport.unconfirmed import Unconfirmed

if TYPE_CHECKING:
    from aiohttp import web

PATIENCE: Final = 60.0
"""Seconds without a single byte more that is confirmed, until the peer counts as gone; as `HttpLimits.stall`."""

_LOOKS_EVERY: Final = 0.01
"""Seconds. The kernel tells nobody when it has heard; a hundred looks a second at one connection cost nothing."""


async def deliver(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Sends what is left of an answer and waits until the peer's system has confirmed all of it.

    Raises:
        ConnectionError: the peer is gone, or confirms nothing more; not all of it has arrived.
    """
    with Unconfirmed(request.transport) as unconfirmed:
        await response.prepare(request)
        await response.write_eof()
        # Not by looking: a peer may close at once, and what was held at the last look is then no sign of a loss.
        connection = request.protocol
        assert isinstance(connection, Connection)
        await drain_all(connection)
        loop = asyncio.get_running_loop()
        left, moved = unconfirmed.bytes_left(), loop.time()
        while left:
            await asyncio.sleep(_LOOKS_EVERY)
            before, left = left, unconfirmed.bytes_left()
            if left < before:
                moved = loop.time()
            elif loop.time() - moved > PATIENCE:
                raise ConnectionResetError("the peer confirms nothing any more")
