"""A large body, received past the parser: from the socket into buffers that are used again and again.

aiohttp copies a body twice on its way through the parser and its stream, which is most of what an upload costs. A body
whose length is known needs no parser. So what the parser has given is taken first, then the transport rests and the
rest is read from a duplicate of its descriptor, as `sending.py` does the other way. Rules: not one byte beyond the body
is read; where the body ends early or nobody wants it any more, the connection carries no other request; a buffer is
lent once there is something to read, for one block.

Not over TLS, for chunked bodies, where the system has no readv(2) or this process no descriptor left: there the body
comes as the parser gives it.

Sources: readv(2), dup(2), docs/decisions/0091-sendfile-on-a-duplicate.md.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Final

from lanline.http.sending import bare_socket, duplicate
from lanline.limits import KiB

if TYPE_CHECKING:
    from lanline.http.connection import Connection
    from lanline.http.exchange import Request

_WORTH_BYTES: Final = 256 * KiB
"""Less than this left is not worth changing over."""

_HAS_READV: Final = hasattr(os, "readv")


def can_pass_parser(request: Request, connection: Connection) -> bool:
    """Whether the rest of this body can be received by `blocks_past_parser`. What the parser has given must have been
    taken."""
    left = (request.content_length or 0) - request.content.total_bytes
    return (
        _HAS_READV
        and left >= _WORTH_BYTES
        and not request.content.is_eof()
        and request.content.exception() is None
        and connection.transport is not None
        and bare_socket(connection.transport) is not None
    )


async def blocks_past_parser(request: Request, connection: Connection) -> AsyncGenerator[memoryview, None]:
    """The rest of a body; or nothing of it where no descriptor is left, and the parser goes on. Each block is valid
    until the next one is asked for.

    Args:
        request: one that `can_pass_parser`.
        connection: of the request.

    Raises:
        ConnectionError: the body was cut off.
    """
    content = request.content
    left = (request.content_length or 0) - content.total_bytes
    sock = bare_socket(connection.transport)
    assert sock is not None
    source = duplicate(sock)
    if source is None:
        return
    connection.pass_parser()
    try:
        while left:
            await _readable(source, connection)
            with connection.buffers.lent() as buffer:
                count = _read(source, buffer[:left])
                left -= count
                content.total_bytes += count
                if count:
                    yield buffer[:count]
    finally:
        os.close(source)
        connection.return_to_parser(is_whole=left == 0)


def _read(source: int, buffer: memoryview) -> int:
    """Reads what is there; 0 where nothing is after all.

    Raises:
        ConnectionError: the connection is over.
    """
    try:
        count = os.readv(source, [buffer])
    except (BlockingIOError, InterruptedError):
        return 0
    except OSError as error:  # unreachable, timed out: whatever a socket says here, it is over
        raise ConnectionResetError("the connection is lost") from error
    if count == 0:
        raise ConnectionResetError("the body was cut off")
    return count


async def _readable(source: int, connection: Connection) -> None:
    if connection.transport is None:  # the duplicate would go on without it
        raise ConnectionResetError("the connection is lost")
    loop = asyncio.get_running_loop()
    connection.receiving = waiter = loop.create_future()
    loop.add_reader(source, _wake, waiter)
    try:
        await waiter
    finally:
        loop.remove_reader(source)
        connection.receiving = None


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
