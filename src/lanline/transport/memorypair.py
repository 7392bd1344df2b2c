"""Two asyncio transports joined back to back, without a socket: the connection of `mem://`.

They behave as TCP does towards a protocol: bytes arrive in order and in other pieces than they were written,
a slow reader pauses the writer, a half-close leaves the other half open, an abort is a reset for the peer.
Time comes from the event loop only (`call_soon`, `call_at`), so a loop with virtual time simulates a room in
less time than it takes. Names and listeners are in `memory.py`.

One direction is a `_Wire`: what the writer has written and the wire cannot take yet waits in the writer's
buffer (it counts against the write-buffer limits); what is on the wire arrives after `latency`, and stays on
the wire while the reader is paused. The wire stands for the two kernel buffers of a socket.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

WIRE_BYTES: Final = 256 * 1024
"""On the wire at most: about what two socket buffers hold, so that back pressure is met in tests too."""

_HIGH_WATER: Final = 64 * 1024
"""asyncio's own default for write buffers."""

_EOF: Final = b""
"""On the wire, an empty chunk is the end of the stream."""


class _Wire:
    """One direction of a connection: chunks with the time they are due, in order."""

    __slots__ = ("loop", "latency", "size_bytes", "chunks", "timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, latency: float) -> None:
        self.loop = loop
        self.latency = latency
        self.size_bytes = 0
        self.chunks: deque[tuple[float, bytes]] = deque()
        self.timer: asyncio.Handle | None = None

    def take(self, chunk: bytes) -> None:
        """Puts a chunk on the wire."""
        self.chunks.append((self.loop.time() + self.latency, chunk))
        self.size_bytes += len(chunk)

    def arrived(self) -> tuple[bytes, bool]:
        """Takes off what is due: (bytes, whether the stream ends behind them)."""
        now = self.loop.time()
        parts: list[bytes] = []
        while self.chunks and self.chunks[0][0] <= now:
            parts.append(self.chunks.popleft()[1])
        is_end = bool(parts) and parts[-1] == _EOF  # nothing is ever put behind the end
        data = b"".join(parts)
        self.size_bytes -= len(data)
        return data, is_end

    def wake(self, deliver: Callable[[], None]) -> None:
        """Calls `deliver` when the first chunk is due, once."""
        if self.timer is not None or not self.chunks:
            return
        when = self.chunks[0][0]
        # One timer for each direction: equal times in the loop's heap come out in any order.
        self.timer = self.loop.call_at(when, deliver) if self.latency else self.loop.call_soon(deliver)

    def cut(self) -> None:
        """Forgets everything under way."""
        self.chunks.clear()
        self.size_bytes = 0
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class MemoryTransport(asyncio.Transport):
    """One end of a connection in memory. Made in pairs by `connect`.

    Args:
        loop: carries both ends.
        latency: seconds from this end to the other, 0 or more.
        facts: for `get_extra_info`: `peername`, `sockname`, `lanline.scheme` and others.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, latency: float, facts: dict[str, Any]) -> None:
        super().__init__(facts)
        self._loop = loop
        self._wire = _Wire(loop, latency)  # from here to the peer
        self._peer: MemoryTransport | None = None
        self._protocol: asyncio.BaseProtocol | None = None
        self._buffer: deque[bytes] = deque()
        self._buffer_bytes = 0
        self._high = _HIGH_WATER
        self._low = _HIGH_WATER // 4
        self._is_writer_paused = False
        self._is_reading = True
        self._is_closing = False
        self._is_eof_written = False
        self._is_eof_received = False
        self._is_lost = False

    def join(self, peer: MemoryTransport, protocol: asyncio.BaseProtocol) -> None:
        """Makes this the other end of `peer`, with its protocol. `connection_made` is called by `start`."""
        self._peer = peer
        self._protocol = protocol

    def start(self) -> None:
        """Calls `connection_made`."""
        if self._protocol is not None and not self._is_lost:
            self._protocol.connection_made(self)

    # asyncio.BaseTransport

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """See asyncio."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """See asyncio."""
        assert self._protocol is not None
        return self._protocol

    def is_closing(self) -> bool:
        """See asyncio."""
        return self._is_closing

    def close(self) -> None:
        """Sends what is buffered, then ends. Nothing is received any more."""
        if self._is_closing:
            return
        self._is_closing = True
        self._is_reading = False
        self._write_end()
        if not self._buffer:
            self._lose_soon(None)

    # asyncio.ReadTransport

    def is_reading(self) -> bool:
        """See asyncio."""
        return self._is_reading and not self._is_closing

    def pause_reading(self) -> None:
        """What arrives stays on the wire; when that is full, the peer's buffer fills."""
        self._is_reading = False

    def resume_reading(self) -> None:
        """Takes off the wire again."""
        if self._is_closing or self._is_reading:
            return
        self._is_reading = True
        self._incoming().wake(self._deliver)

    # asyncio.WriteTransport

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Sends; never blocks. Raises RuntimeError after `write_eof`, as asyncio's transports do."""
        if self._is_eof_written and not self._is_closing:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._is_closing or not data:
            return
        chunk = bytes(data)
        self._buffer.append(chunk)
        self._buffer_bytes += len(chunk)
        self._flush()
        self._judge_buffer()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        """See asyncio."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """True: both halves close on their own."""
        return True

    def write_eof(self) -> None:
        """Ends this half, after what is buffered."""
        if not self._is_closing and not self._is_eof_written:
            self._write_end()

    def abort(self) -> None:
        """Ends now. What is buffered or under way is lost, and the peer sees a reset."""
        if self._is_lost:
            return
        self._is_closing = True
        self._buffer.clear()
        self._buffer_bytes = 0
        self._wire.cut()
        self._incoming().cut()
        self._lose_soon(None)
        if self._peer is not None:
            self._loop.call_later(self._wire.latency, self._peer.reset)

    def get_write_buffer_size(self) -> int:
        """Bytes the wire has not taken."""
        return self._buffer_bytes

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """(low, high) in bytes."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """See asyncio: low defaults to a quarter of high, high to 64 KiB or four times low."""
        if high is None:
            high = _HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high}) must be >= low ({low}) must be >= 0")
        self._high, self._low = high, low
        self._judge_buffer()

    def __repr__(self) -> str:
        state = "lost" if self._is_lost else "closing" if self._is_closing else "open"
        name = self.get_extra_info("peername")
        return f"<MemoryTransport to {name} {state}, {self._buffer_bytes} bytes unsent>"

    # From the other end

    def reset(self) -> None:
        """The peer has aborted, or is no more: nothing written arrives any longer.

        What the peer sent before, and what has arrived, is received first: Linux keeps it too.
        """
        self._deliver()
        if self._is_lost:
            return
        self._is_closing = True
        self._buffer.clear()
        self._buffer_bytes = 0
        self._wire.cut()
        self._lose_soon(ConnectionResetError("Connection reset by peer"))

    def _incoming(self) -> _Wire:
        assert self._peer is not None
        return self._peer._wire

    def _write_end(self) -> None:
        if not self._is_eof_written:
            self._is_eof_written = True
            self._buffer.append(_EOF)
            self._flush()

    def _flush(self) -> None:
        """Puts on the wire what fits; and goes, if that was the last of a closed connection."""
        wire, peer = self._wire, self._peer
        assert peer is not None
        while self._buffer and (wire.size_bytes < WIRE_BYTES or not self._buffer[0]):
            room = WIRE_BYTES - wire.size_bytes
            chunk = self._buffer.popleft()
            if len(chunk) > room:
                self._buffer.appendleft(chunk[room:])
                chunk = chunk[:room]
            self._buffer_bytes -= len(chunk)
            wire.take(chunk)
        if peer._is_lost:
            # TCP answers data for a socket that is no more with a reset.
            is_data = wire.size_bytes > 0
            wire.cut()
            if is_data and not self._is_closing:
                self._loop.call_later(2 * wire.latency, self.reset)
        elif peer._is_reading:
            wire.wake(peer._deliver)

    def _deliver(self) -> None:
        wire = self._incoming()
        wire.timer = None
        if not self._is_reading or self._is_lost:
            return
        data, is_end = wire.arrived()
        if data:
            self._receive(data)
        writer = self._peer
        assert writer is not None
        if writer._buffer:
            writer._flush()
            writer._judge_buffer()
            if writer._is_closing and not writer._buffer:
                writer._lose_soon(None)
        if is_end:
            self._receive_end()
        elif self._is_reading:
            wire.wake(self._deliver)

    def _receive(self, data: bytes) -> None:
        protocol = self._protocol
        if isinstance(protocol, asyncio.BufferedProtocol):
            rest = memoryview(data)
            while rest and not self._is_closing:
                target = protocol.get_buffer(len(rest))
                size = min(len(rest), len(target))  # type: ignore[arg-type]  # typeshed: a Buffer has no len
                memoryview(target)[:size] = rest[:size]
                protocol.buffer_updated(size)
                rest = rest[size:]
        elif isinstance(protocol, asyncio.Protocol):
            protocol.data_received(data)

    def _receive_end(self) -> None:
        if self._is_closing or self._is_eof_received:
            return
        self._is_eof_received = True
        protocol = self._protocol
        assert isinstance(protocol, asyncio.Protocol | asyncio.BufferedProtocol)
        if not protocol.eof_received():
            self.close()

    def _judge_buffer(self) -> None:
        protocol = self._protocol
        if protocol is None:
            return
        if not self._is_writer_paused and self._buffer_bytes > self._high:
            self._is_writer_paused = True
            protocol.pause_writing()
        elif self._is_writer_paused and self._buffer_bytes <= self._low:
            self._is_writer_paused = False
            protocol.resume_writing()

    def _lose_soon(self, error: Exception | None) -> None:
        self._loop.call_soon(self._lose, error)

    def _lose(self, error: Exception | None) -> None:
        if self._is_lost:
            return
        self._is_lost = True
        self._is_closing = True
        peer = self._peer
        if peer is not None and peer._wire.size_bytes:
            # Closed with bytes unread: TCP tells the sender with a reset.
            peer._wire.cut()
            self._loop.call_later(self._wire.latency, peer.reset)
        if self._protocol is not None:
            self._protocol.connection_lost(error)
