"""A TCP proxy that does what bad networks do, the same in every run: between two ends, with real sockets.

It slows, delays, cuts into pieces, breaks off, resets and swallows; it never changes a byte, for TLS would only
notice it and end. Faults can be exchanged while connections are open::

    async with FaultProxy("127.0.0.1", 9527, faults=Faults(slice_bytes=3), seed=1) as proxy:
        ... connect to proxy.host, proxy.port ...
        proxy.faults = Faults(is_swallowing=True)     # half-open: everything vanishes, nobody is told

Whatever is random comes from the seed, the number of the connection and the direction, so that it does not depend on
which of them the kernel serves first. It runs in real time: on a loop with virtual time nothing passes through.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

_CHUNK: Final = 16 * 1024
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Faults:
    """What happens to the bytes of every connection. Nothing, by default.

    Attributes:
        delay: seconds each piece is held back, in each direction. jitter: up to so many seconds more, at random.
        Order is kept, as TCP would. bytes_per_second: at most, in each direction; 0 for no limit. slice_bytes: pieces
        of a random size from 1 to this are sent as segments of their own; 0 leaves them as they come.
        cut_after: the connection ends after so many bytes in one direction, which are passed on; None for never.
        is_resetting: it ends with RST in place of FIN, so that what is on its way is lost.
        is_swallowing: bytes and ends vanish, in both directions, and nobody is told: a pulled cable.
        is_refusing: new connections are reset at once.
    """

    delay: float = 0.0
    jitter: float = 0.0
    bytes_per_second: int = 0
    slice_bytes: int = 0
    cut_after: int | None = None
    is_resetting: bool = False
    is_swallowing: bool = False
    is_refusing: bool = False


@dataclass(slots=True)
class ProxyStatistics:
    """Connections since the start, those open now, and bytes passed on from and to the connecting side."""

    connections: int = 0
    open: int = 0
    bytes_forth: int = 0
    bytes_back: int = 0


class FaultProxy:
    """Listens at a port of its own and connects each visitor to the target, through faults.

    Args:
        target_host, target_port: where connections lead.
        faults: in force from the start; exchange the attribute at any time.
        seed: of all that is random.
        host: to listen at; the port is any free one.
        source: the address to connect to the target from; None leaves it to the system.
    """

    def __init__(
        self,
        target_host: str,
        target_port: int,
        *,
        faults: Faults | None = None,
        seed: int = 0,
        host: str = "127.0.0.1",
        source: str | None = None,
    ) -> None:
        self.faults = faults or Faults()
        self.host = host
        self.port = 0
        self.figures = ProxyStatistics()
        self._target = (target_host, target_port)
        self._source = source
        self._seed = seed
        self._server: asyncio.Server | None = None
        self._pairs: dict[asyncio.Task[None], _Pair] = {}

    def __repr__(self) -> str:
        return f"<FaultProxy {self.host}:{self.port} open={self.figures.open}>"

    @property
    def place(self) -> str:
        """Where it listens, as `host:port`."""
        return f"{self.host}:{self.port}"

    async def start(self) -> None:
        """Begins to listen.

        Raises:
            OSError: the address cannot be served.
        """
        self._server = await asyncio.start_server(self._visit, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stops listening and breaks every connection."""
        if self._server is not None:
            self._server.close()
        self.break_all()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    def break_all(self, *, is_resetting: bool = True) -> None:
        """Ends the connections that are open now, with RST, or else with FIN."""
        for task, pair in self._pairs.items():
            pair.is_reset = is_resetting
            task.cancel()

    async def __aenter__(self) -> Self:
        """Begins to listen."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops."""
        await self.close()

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.faults.is_refusing:
            _end(writer, is_reset=True)
            return
        number = self.figures.connections
        self.figures.connections += 1
        source = (self._source, 0) if self._source else None
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target, local_addr=source)
        except OSError:
            _end(writer, is_reset=True)
            return
        task = asyncio.current_task()
        assert task is not None, "a visit is a task"
        pair = self._pairs[task] = _Pair(writer, far_writer)
        self.figures.open += 1
        try:
            forth = self._pass_on(reader, far_writer, self._dice(number, "forth"), "bytes_forth")
            back = self._pass_on(far_reader, writer, self._dice(number, "back"), "bytes_back")
            await pair.run(forth, back)
        except (OSError, asyncio.CancelledError):
            pair.is_reset = pair.is_reset or self.faults.is_resetting
        finally:
            pair.end(is_reset=pair.is_reset or self.faults.is_resetting)
            self.figures.open -= 1
            del self._pairs[task]

    def _dice(self, connection: int, direction: str) -> random.Random:
        return random.Random(f"{self._seed} {connection} {direction}")  # noqa: S311 - repeatable, guards nothing

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, dice: random.Random, counter: str
    ) -> None:
        """One direction, until its end or its cut."""
        passed = 0
        while True:
            chunk = await reader.read(_CHUNK)
            faults = self.faults
            if faults.is_swallowing:
                if not chunk:
                    await asyncio.get_running_loop().create_future()  # the end vanishes too
                continue
            if faults.delay or faults.jitter:
                await asyncio.sleep(faults.delay + dice.uniform(0, faults.jitter))
            if not chunk:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            if faults.cut_after is not None:
                chunk = chunk[: max(0, faults.cut_after - passed)]
            for piece in _pieces(chunk, faults.slice_bytes, dice):
                writer.write(piece)
                await writer.drain()
                if faults.slice_bytes:
                    await asyncio.sleep(0)
                if faults.bytes_per_second:
                    await asyncio.sleep(len(piece) / faults.bytes_per_second)
            passed += len(chunk)
            setattr(self.figures, counter, getattr(self.figures, counter) + len(chunk))
            if faults.cut_after is not None and passed >= faults.cut_after:
                raise _CutError


class _CutError(ConnectionError):
    """The connection has had its bytes."""


@dataclass(slots=True)
class _Pair:
    """Both ends of one connection."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    is_reset: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for writer in (self.near, self.far):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def run(self, *directions: object) -> None:
        """Both directions, until both have ended or one has failed."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(one) for one in directions]  # type: ignore[arg-type]
        try:
            await asyncio.gather(*self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def end(self, *, is_reset: bool) -> None:
        """Closes both."""
        _end(self.near, is_reset=is_reset)
        _end(self.far, is_reset=is_reset)


def _end(writer: asyncio.StreamWriter, *, is_reset: bool) -> None:
    if is_reset:
        sock = writer.get_extra_info("socket")
        if sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        writer.transport.abort()
    else:
        writer.close()


def _pieces(chunk: bytes, most: int, dice: random.Random) -> list[bytes]:
    if not most:
        return [chunk] if chunk else []
    pieces = []
    while chunk:
        size = dice.randint(1, most)
        pieces.append(chunk[:size])
        chunk = chunk[size:]
    return pieces
