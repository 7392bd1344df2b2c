"""Bytes of a file into an answer: by sendfile(2) where there is a bare socket and a descriptor to spare, else by
reading and writing.

uvloop has no sendfile of its own and lets nobody watch the descriptor of its transport; a duplicate of it can be
watched, and is the same socket. So first what the transport still holds goes out, then the kernel copies from the file
to the socket, as much as fits, each time there is room. Rules: a turn of the loop sends a bounded part, so that others
have theirs; a file that has become shorter ends the connection, nothing is made up; nothing is sent past `count`.

Sources: sendfile(2), dup(2), docs/decisions/0091-sendfile-on-a-duplicate.md.
"""

from __future__ import annotations

import asyncio
import errno
import os
from typing import Final

from aiohttp import web
from aiohttp.http import StreamWriter

from lanline.http.connection import Connection
from lanline.limits import KiB, MiB

SMALL_BYTES: Final = 64 * KiB
"""Up to this a file is read and written together with the header: one system call each."""

_TURN_BYTES: Final = 1 * MiB
"""Sent for one wake-up."""

_READ_BYTES: Final = 64 * KiB
"""Read at a time where the kernel cannot copy. Larger pieces are no faster over TLS, and wait in memory three times."""

_HAS_SENDFILE: Final = hasattr(os, "sendfile")

_CANNOT: Final = (errno.EINVAL, errno.ENOSYS, errno.ENOTSOCK, errno.EOPNOTSUPP, errno.ENOTSUP)
"""What sendfile(2) says of a file system or a socket that it does not serve."""


_LOST: Final = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.ENOTCONN)
"""What the system says of a connection that is over, in other words than a reset or a broken pipe."""


class FileResponse(web.StreamResponse):
    """A response whose header waits for the first bytes of its body: one write for both."""

    _send_headers_immediately = False


async def send_bytes_of(response: web.StreamResponse, fd: int, offset: int, count: int) -> None:
    """Sends a part of a file as (a part of) the body of a response that has been prepared.

    Args:
        response: prepared; its Content-Length covers what is sent. Best a `FileResponse`. Where it can have no body
            (HEAD, 304) nothing is sent.
        fd: an open regular file; stays open. Its own position is not used (on Windows it is moved).
        offset: of the first byte.
        count: bytes; 0 does nothing.

    Raises:
        ConnectionError: the peer is gone, or took nothing for `limits.stall` seconds; or the file has become shorter,
            and the connection has been cut for that.
        OSError: the file cannot be read.
    """
    request, writer = response._req, response._payload_writer
    if response._must_be_empty_body:
        return
    assert request is not None and isinstance(writer, StreamWriter)
    connection = request.protocol
    assert isinstance(connection, Connection)
    sent = 0
    if count > SMALL_BYTES:
        writer.send_headers()
        sock = bare_socket(connection.transport)
        if sock is not None:
            await drain_all(connection)
        if sock is not None and (out := duplicate(sock)) is not None:
            sending = _FileSending(connection, out, fd, offset, count)
            try:
                await sending.finished()
            finally:  # also of an answer that was cut off it is counted how much went out
                sent = sending.sent
                writer.output_size += sent
                if writer.length is not None:
                    writer.length -= sent
    while sent < count:
        piece = _read_at(fd, min(_READ_BYTES, count - sent), offset + sent)
        if not piece:
            raise _shrunk(connection)
        await response.write(piece)
        sent += len(piece)


class _FileSending:
    """One part of a file on its way through the kernel.

    Args:
        connection: whose socket it is; its `sending` is set while this goes on, so that its end wakes us.
        out: a duplicate of the connection's descriptor; closed at the end.
        fd, offset, count: as for `send_bytes_of`.
    """

    __slots__ = ("_connection", "_fd", "_left", "_offset", "_out", "_waiter", "sent")

    def __init__(self, connection: Connection, out: int, fd: int, offset: int, count: int) -> None:
        self._connection = connection
        self._fd = fd
        self._offset = offset
        self._left = count
        self.sent = 0
        self._out = out
        self._waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def finished(self) -> None:
        """Sends until all is sent; `sent` tells how much was: less than `count` where sendfile(2) does not serve this
        file.

        Raises:
            ConnectionError: as for `send_bytes_of`.
        """
        loop = asyncio.get_running_loop()
        connection = self._connection
        connection.sending = self._waiter
        connection.moved()
        try:
            loop.add_writer(self._out, self._send_some)
            try:
                await self._waiter
            finally:
                loop.remove_writer(self._out)
        finally:
            connection.sending = None
            os.close(self._out)

    def _send_some(self) -> None:
        if self._waiter.done():
            return
        try:
            sent = os.sendfile(self._out, self._fd, self._offset, min(_TURN_BYTES, self._left))
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno in _CANNOT:
                self._waiter.set_result(None)  # the rest is read and written
            elif error.errno in _LOST:
                self._waiter.set_exception(ConnectionResetError("the connection is lost"))
            else:
                self._waiter.set_exception(error)
            return
        if sent == 0:
            self._waiter.set_exception(_shrunk(self._connection))
            return
        self._connection.moved()
        self._offset += sent
        self._left -= sent
        self.sent += sent
        if self._left == 0:
            self._waiter.set_result(None)


def bare_socket(transport: asyncio.Transport | None) -> int | None:
    """The descriptor that bytes can be sent to directly; None over TLS, in memory, and where there is no sendfile."""
    if transport is None:
        raise ConnectionResetError("the connection is lost")
    if not _HAS_SENDFILE or transport.get_extra_info("sslcontext") is not None:
        return None
    sock = transport.get_extra_info("socket")
    if sock is None:
        return None
    descriptor: int = sock.fileno()
    return descriptor if descriptor >= 0 else None


def duplicate(sock: int) -> int | None:
    """Another descriptor of the same socket, which the caller closes; None where none is left.

    Raises:
        OSError: the socket has been closed.
    """
    try:
        return os.dup(sock)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            return None
        raise


async def drain_all(connection: Connection) -> None:
    """Returns once the transport holds nothing: what is sent past it would overtake what it holds.

    Raises:
        ConnectionError: the connection was lost before.
    """
    transport = connection.transport
    if transport is None:
        raise ConnectionResetError("the connection is lost")
    if transport.get_write_buffer_size() == 0:
        return
    transport.set_write_buffer_limits(high=0)
    try:
        await connection._drain_helper()
    finally:
        transport.set_write_buffer_limits()
    if connection.transport is None:
        raise ConnectionResetError("the connection is lost")


def _shrunk(connection: Connection) -> ConnectionError:
    connection.cut()
    return ConnectionAbortedError("the file has become shorter while it was sent")


def _read_at(fd: int, count: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(fd, count, offset)
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, count)
