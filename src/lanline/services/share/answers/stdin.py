"""Standard input as what is shared: a pipe that one visitor drains, or a file that many read.

A pipe is sent as it comes, in chunks, without a temporary file and with no more in memory than the network takes; what
produces it waits when the visitor does. It can be read once, so:

- The first GET has it. Whoever asks while it is under way, or later, hears 409: asking again would not help.
- It has been taken when the end of the input was sent and confirmed. A visitor who breaks off has taken what he was
  sent with him: then nothing more can be shared, and the figures say how far he came. Who goes before the first byte
  has taken nothing.
- Input that cannot be read ends the connection in the middle, so that nobody takes the half for the whole.

`< file` is a file: it has a size, ranges and tags, and stays. Decision 104. Source: pipe(7), RFC 9112 section 7.1.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import web

from lanline.http.files import answer_file
from lanline.http.refusal import Refusal
from lanline.services.share.answers.delivery import deliver
from lanline.services.share.answers.disposition import disposition_of
from lanline.services.share.answers.embedded import check_wanted
from lanline.services.share.answers.mediatypes import headers_of, media_type_of

if TYPE_CHECKING:
    from lanline.services.share.target import Target

_READ_BYTES: Final = 256 * 1024
_TAKEN: Final = "This can be read once, and somebody has done so."


class Drained(NamedTuple):
    """What became of a pipe."""

    sent_bytes: int
    by: str
    """The visitor's address."""
    why_not: str
    """Why it did not arrive as a whole: `broken off`, `stopped`, or what the system said. Empty where it did."""


class PipeSource:
    """A pipe, a terminal's other end, a socket or a device: read once, to its end.

    Args:
        fd: its descriptor; stays open.
        name: what it is called.
    """

    def __init__(self, fd: int, name: str) -> None:
        self.name = name
        self.modified_ns = time.time_ns()
        self._fd = fd
        self._has_reader = False
        self._unsent = b""
        self.drained: asyncio.Future[Drained] = asyncio.get_running_loop().create_future()
        """Done when it was read to its end, or the visitor who read it broke off."""

    async def answer(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """Answers GET with all of it, HEAD with what is known before.

        Raises:
            Refusal: 409, somebody else has it; 403, a page of another site fetches it.
        """
        kind = media_type_of(self.name)
        response = web.StreamResponse(
            headers={
                **headers_of(kind),
                "Cache-Control": "no-store",
                "Content-Type": kind.content_type,
                "Content-Disposition": _disposition(target, self.name),
                "Accept-Ranges": "none",
            }
        )
        if request.method != "GET":
            return response
        check_wanted(request.headers)
        if self._has_reader:
            raise Refusal(409, _TAKEN)
        self._has_reader = True
        await self._drain(request, response)
        return response

    async def _drain(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        sent, why_not = 0, ""
        try:
            await response.prepare(request)
            while data := self._unsent or await self._read():
                self._unsent = b"" if sent else data
                await response.write(data)
                self._unsent = b""
                sent += len(data)
            await deliver(request, response)
        except ConnectionError:
            why_not = "broken off"
            raise
        except OSError as error:
            why_not = f"standard input cannot be read: {error.strerror}"
            raise ConnectionAbortedError(why_not) from error
        except asyncio.CancelledError:
            why_not = "stopped"
            raise
        finally:
            self._has_reader = bool(sent) or why_not != "broken off"
            if self._has_reader and not self.drained.done():
                self.drained.set_result(Drained(sent, request.remote or "", why_not))

    async def _read(self) -> bytes:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        try:
            loop.add_reader(self._fd, _ready, ready)
        except PermissionError:
            await asyncio.sleep(0)  # epoll(7): what it refuses, such as /dev/zero, never makes a reader wait
            return os.read(self._fd, _READ_BYTES)
        try:
            await ready
        finally:
            loop.remove_reader(self._fd)
        return os.read(self._fd, _READ_BYTES)


class FileSource:
    """A file at standard input: `lanline share - < file`.

    Args:
        fd: its descriptor; stays open.
        name: what it is called.
    """

    def __init__(self, fd: int, name: str) -> None:
        self.name = name
        self.fd = fd
        self.modified_ns = os.fstat(fd).st_mtime_ns

    @property
    def status(self) -> os.stat_result:
        """What the system says of it now."""
        return os.fstat(self.fd)

    async def answer(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """Answers GET and HEAD, ranges and conditions included."""
        kind = media_type_of(self.name)
        return await answer_file(
            request,
            self,
            content_type=kind.content_type,
            disposition=_disposition(target, self.name),
            headers=headers_of(kind),
        )


def source_of(fd: int, name: str) -> PipeSource | FileSource:
    """The source that a descriptor is."""
    return FileSource(fd, name) if stat.S_ISREG(os.fstat(fd).st_mode) else PipeSource(fd, name)


def _disposition(target: Target, name: str) -> str:
    return disposition_of(name, is_attachment=target.asks("download"))


def _ready(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
