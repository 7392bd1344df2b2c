"""The output of a job: two pipes, read only when somebody asks, so that an endless writer fills its own pipe
and nothing here grows.

It knows nothing of processes except one fact it is told: that the command has exited (`finish`). From then on
what was already in the pipes is still handed over whole, at the reader's pace; what background processes add
is read until the pipes are idle for `IDLE` seconds, at most `DRAIN` seconds in all; then they are closed.

The two streams take turns when both have something. Order holds within a stream, not between the two.
"""

from __future__ import annotations

import array
import asyncio
import enum
import os
import sys
from time import monotonic

if sys.platform != "win32":
    import fcntl
    import termios

CHUNK_BYTES = 64 * 1024 - 8
"""The most that one read hands over: with a tag of 8 bytes it fills a frame of 64 KiB."""

IDLE = 0.2
"""Seconds without output after which an exited command's pipes count as held open by somebody else."""

DRAIN = 2.0
"""Seconds after the exit during which the output of others is still taken."""

_PIPE_BYTES = 1024 * 1024
"""Size of a pipe whose reader was found behind; the usual 64 KiB costs throughput. Not from the start: most
commands print less than one read, and a user may have 64 MiB of large pipes in all (pipe(7))."""

_BUSY_CHUNKS = 4
"""Chunks in one read from a pipe whose reader was found behind: each read wakes the writer, which costs both of them.
They are handed over one by one."""

_ALONE_READS = 3
"""Reads from one stream before the other, which had nothing, is asked again."""

_TURNS = 16
"""Reads without waiting before the loop gets a turn: 1 MiB, some 0.5 ms."""


class Stream(enum.IntEnum):
    """Which of the two. The numbers are those of the file descriptors in the command."""

    OUT = 1
    ERR = 2


class Output:
    """The reading ends of both pipes. It owns the descriptors: `close` them, or read until None.

    Args:
        out_fd: standard output, non-blocking.
        err_fd: standard error, non-blocking.
    """

    def __init__(self, out_fd: int, err_fd: int) -> None:
        self.out_bytes = 0
        self.err_bytes = 0
        self.dropped_bytes = 0
        """What was written and not read, counted when the pipes are closed."""
        self.held_open = False
        """The command had exited, and somebody else still held a pipe open."""
        self._loop = asyncio.get_running_loop()
        self._open = {Stream.OUT: out_fd, Stream.ERR: err_fd}
        self._owed: dict[Stream, int] = {}
        self._turn = Stream.OUT
        self._is_grown: set[Stream] = set()
        self._in_a_row = 0
        self._alone = 0
        self._read_ahead: list[tuple[Stream, bytes]] = []
        self._waiter: asyncio.Future[None] | None = None
        self._give_up_at: float | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()
        """Done when both pipes have ended, been given up or been closed. Not to be set by others."""

    def __repr__(self) -> str:
        names = ",".join(stream.name.lower() for stream in self._open) or "closed"
        return f"<Output {names} out={self.out_bytes} err={self.err_bytes} bytes>"

    @property
    def is_closed(self) -> bool:
        """Whether both pipes have ended or were closed."""
        return not self._open

    async def read(self) -> tuple[Stream, bytes] | None:
        """The next piece of output, at most `CHUNK_BYTES`, as soon as there is any.

        For one reader at a time. Cancelling it loses nothing.

        Returns:
            The stream and its bytes, never empty; None when there will be no more.
        """
        if self._in_a_row >= _TURNS:
            self._in_a_row = 0
            await asyncio.sleep(0)
        if self._read_ahead:
            self._in_a_row += 1
            return self._read_ahead.pop()
        while self._open:
            for stream in self._order():
                data = self._take(stream)
                if data:
                    self._in_a_row += 1
                    return stream, data
                self._alone = _ALONE_READS
            if not self._open or self._is_over():
                break
            self._in_a_row = self._alone = 0
            await self._wait()
        self.close()
        return None

    def finish(self) -> None:
        """The command has exited: from now on nobody is waited for longer than `IDLE` and `DRAIN` say."""
        if self._give_up_at is not None:
            return
        self._give_up_at = monotonic() + DRAIN
        for stream in self._open:
            self._owed[stream] = self._unread(stream)
        self._wake()  # so that a reader that waits for output begins to count the idle time

    def close(self) -> None:
        """Closes what is open and counts what is lost by it. A reader that waits gets None."""
        for stream, data in self._read_ahead:
            self._count(stream, -len(data))
            self.dropped_bytes += len(data)
        self._read_ahead.clear()
        for stream in list(self._open):
            self.dropped_bytes += self._unread(stream)
            self._end(stream)
        self._wake()

    def _order(self) -> tuple[Stream, ...]:
        """Both streams, the one whose turn it is first; while one alone writes, the other is not asked each time."""
        if len(self._open) == 1:
            return tuple(self._open)
        is_out = self._turn is Stream.OUT
        if self._alone > 0:
            self._alone -= 1
            is_out = not is_out
        return (Stream.OUT, Stream.ERR) if is_out else (Stream.ERR, Stream.OUT)

    def _take(self, stream: Stream) -> bytes:
        """Reads once. Empty when there is nothing now, or when the stream has ended."""
        if self._is_late(stream):
            self.held_open = True
            self.dropped_bytes += self._unread(stream)
            self._end(stream)
            return b""
        is_busy = stream in self._is_grown
        try:
            data = os.read(self._open[stream], CHUNK_BYTES * _BUSY_CHUNKS if is_busy else CHUNK_BYTES)
        except BlockingIOError:
            return b""
        if not data:
            self._end(stream)
            return b""
        self._count(stream, len(data))
        self._turn = Stream.ERR if stream is Stream.OUT else Stream.OUT
        if stream in self._owed:
            self._owed[stream] -= len(data)
        if len(data) > CHUNK_BYTES:
            starts = range(CHUNK_BYTES, len(data), CHUNK_BYTES)
            self._read_ahead = [(stream, data[start : start + CHUNK_BYTES]) for start in reversed(starts)]
            return data[:CHUNK_BYTES]
        if len(data) == CHUNK_BYTES and not is_busy:
            self._grow(stream)
        return data

    def _count(self, stream: Stream, size: int) -> None:
        if stream is Stream.OUT:
            self.out_bytes += size
        else:
            self.err_bytes += size

    def _is_late(self, stream: Stream) -> bool:
        """Whether what this pipe still has was written by others after the exit, and their time is over."""
        if self._give_up_at is None or monotonic() < self._give_up_at:
            return False
        return self._owed.get(stream, 0) <= 0

    def _is_over(self) -> bool:
        """Called with both pipes empty: whether the time for the output of others is over."""
        if self._give_up_at is None or monotonic() < self._give_up_at:
            return False
        self.held_open = True
        return True

    async def _wait(self) -> None:
        """Until a pipe has something, or the idle time after the exit is over."""
        self._waiter = self._loop.create_future()
        watched = list(self._open.values())
        for fd in watched:
            self._loop.add_reader(fd, self._wake)
        timer = None
        if self._give_up_at is not None:
            timer = self._loop.call_at(self._loop.time() + self._patience(), self._give_up)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
            for fd in watched:
                if fd in self._open.values():  # those that were closed meanwhile are not watched any more
                    self._loop.remove_reader(fd)

    def _patience(self) -> float:
        assert self._give_up_at is not None
        return max(0.0, min(IDLE, self._give_up_at - monotonic()))

    def _give_up(self) -> None:
        self._give_up_at = monotonic()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _grow(self, stream: Stream) -> None:
        self._is_grown.add(stream)
        if sys.platform != "linux":
            return
        try:
            fcntl.fcntl(self._open[stream], fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        except PermissionError:  # the user has its 64 MiB of large pipes: this one stays as it is
            return

    def _unread(self, stream: Stream) -> int:
        if sys.platform == "win32":
            return 0
        count = array.array("i", [0])
        fcntl.ioctl(self._open[stream], termios.FIONREAD, count)
        return count[0]

    def _end(self, stream: Stream) -> None:
        fd = self._open.pop(stream)
        self._loop.remove_reader(fd)
        os.close(fd)
        if not self._open and not self.closed.done():
            self.closed.set_result(None)
