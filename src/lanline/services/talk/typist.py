"""Where the lines of this side come from: a contract, and the typist for everything that is no line editor.

`prompt.py` has the other typist, for a person at a terminal. Rules: a line is read only when the one before it has been
sent, so a large file waits where it is; nothing is lost when reading is cancelled between two talks; the descriptor's
flags stay as they are, since other processes share it.

Sources: epoll_ctl(2) (EPERM for regular files), read(2).
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from lanline.errors import LanlineError
from lanline.translation import _

MAX_LINE_BYTES: Final = 64 * 1024
"""Of a line that does not end; it goes out in pieces."""

_READ_BYTES: Final = 64 * 1024


class Typed(NamedTuple):
    """A line without its end; or a piece of a long one, whose next piece follows at once."""

    data: bytes
    is_whole: bool = True


class Typist(Protocol):
    """Whoever types the lines of this side. Used by one task."""

    @property
    def is_person(self) -> bool:
        """Whether a person sits at a terminal: the end of input is Ctrl-D there."""

    async def read(self) -> Typed | None:
        """The next line; None at the end of input.

        Raises:
            Interrupted: Ctrl-C was typed.
        """

    def above(self, show: Callable[[], None]) -> None:
        """Has something printed without harm to the line that is being typed."""

    async def rest(self) -> None:
        """Waits until everything given to `above` has been printed."""


class Interrupted(Exception):
    """Ctrl-C was typed. It ends a talk, and is no error."""


class PlainTypist:
    """Lines from a descriptor: a pipe, a file, a socket, or a terminal that edits its lines itself.

    Args:
        descriptor: to read from; it stays open. None, or one that is closed, is an input that has ended.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = -1 if descriptor is None else descriptor
        self._is_person = descriptor is not None and os.isatty(descriptor)
        self._kept = bytearray()
        self._has_ended = descriptor is None

    @property
    def is_person(self) -> bool:
        """See `Typist.is_person`."""
        return self._is_person

    async def read(self) -> Typed | None:
        """See `Typist.read`."""
        while True:
            line, newline, rest = self._kept.partition(b"\n")
            if newline:
                self._kept = rest
                return Typed(bytes(line))
            if len(self._kept) >= MAX_LINE_BYTES:
                return Typed(self._take(), is_whole=False)
            if self._has_ended:
                return Typed(self._take()) if self._kept else None
            chunk = await self._read_chunk()
            if not chunk:
                # A terminal can be read on after Ctrl-D: by the next talk of `--keep`.
                self._has_ended = not self._is_person
                if not self._kept:
                    return None
            self._kept += chunk

    def above(self, show: Callable[[], None]) -> None:
        """Prints it: nothing of ours is in the way."""
        show()

    async def rest(self) -> None:
        """Everything has been printed."""

    def _take(self) -> bytes:
        data = bytes(self._kept)
        self._kept.clear()
        return data

    async def _read_chunk(self) -> bytes:
        try:
            await self._wait_readable()
            return os.read(self._descriptor, _READ_BYTES)
        except OSError as error:  # EIO: the terminal is gone; EBADF: it was closed; EISDIR
            raise LanlineError(_("the input cannot be read: {reason}").format(reason=error.strerror)) from error

    async def _wait_readable(self) -> None:
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            loop = asyncio.get_running_loop()
            readable: asyncio.Future[None] = loop.create_future()
            try:
                loop.add_reader(self._descriptor, _wake, readable)
            except PermissionError:  # /dev/null and the like, which are always readable
                await asyncio.sleep(0)
                return
            try:
                await readable
            finally:
                loop.remove_reader(self._descriptor)
        else:
            # epoll takes no regular file: reading one does not wait. The others have their turn in between.
            await asyncio.sleep(0)


def _wake(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)
