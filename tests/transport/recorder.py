"""A protocol that writes down what happens to it, and pairs of them joined over each kind of transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from lanline.address import Address
from lanline.limits import LAN, Limits
from lanline.transport import memory, registry
from lanline.transport.base import Arrival, Listener
from lanline.transport.tls import client_context, server_context

from .certificates import HUB, Room

KINDS = ("tcp", "unix", "tls", "mutual", "mem", "mem+latency")
ROOMY = LAN._replace(max_connections_per_address=1000)
PATIENCE = 10.0
"""Seconds after which a test that waits for something is wrong about it."""


class Recorder(asyncio.Protocol):
    """Keeps events in order and bytes in one piece."""

    def __init__(self, arrival: Arrival | None = None, *, keep_open_at_eof: bool = False) -> None:
        self.arrival = arrival
        self.events: list[str] = []
        self.received = bytearray()
        self.error: Exception | None = None
        self.transport: asyncio.Transport
        self._keep_open = keep_open_at_eof
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's TLS transport is no subclass of it
        self._note("made")

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.events[-1] != "data":
            self._note("data")
        self._changed.set()

    def eof_received(self) -> bool:
        self._note("eof")
        return self._keep_open

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = exc
        if self.arrival is not None:
            self.arrival.gone()
        self._note("lost")

    def pause_writing(self) -> None:
        self._note("paused")

    def resume_writing(self) -> None:
        self._note("resumed")

    def _note(self, event: str) -> None:
        self.events.append(event)
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits until something holds; looks again after each event."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def until_event(self, event: str) -> None:
        """Waits for an event of this name."""
        await self.until(lambda: event in self.events)

    async def fill(self, piece: bytes) -> bytes:
        """Writes the piece again and again until writing is paused, and returns all that was written."""
        count = 0
        while "paused" not in self.events:
            self.transport.write(piece)
            count += 1
            assert count * len(piece) < 64 * 1024 * 1024, "a buffer without end"
            await asyncio.sleep(0)
        return piece * count

    async def end(self) -> None:
        """Aborts, unless it is over already, and waits for the end."""
        if "lost" not in self.events:
            self.transport.abort()
        await self.until_event("lost")

    async def until_received(self, size: int) -> None:
        """Waits for this many bytes."""
        await self.until(lambda: len(self.received) >= size)


class Echo(Recorder):
    """Sends back what it gets."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.transport.write(data)


class Served:
    """A listener of one kind, with the recorders of its connections in the order they came."""

    def __init__(self, kind: str, room: Room, make: Callable[[Arrival], asyncio.BaseProtocol]) -> None:
        self.kind = kind
        self.room = room
        self.make = make
        self.listener: Listener
        self.protocols: list[asyncio.BaseProtocol] = []
        self.came = asyncio.Event()

    def factory(self, arrival: Arrival) -> asyncio.BaseProtocol:
        """For the listener."""
        protocol = self.make(arrival)
        self.protocols.append(protocol)
        self.came.set()
        return protocol

    async def dial(self, factory: Callable[[], asyncio.BaseProtocol]) -> asyncio.Transport:
        """Connects to it."""
        address = self.listener.addresses[0]
        tls, name = None, None
        if self.kind == "tls":
            tls, name = client_context(self.room.authority.file), HUB
        elif self.kind == "mutual":
            tls, name = self.room.connecting(), HUB
        transport, _ = await registry.connect(address, factory, tls=tls, server_name=name, timeout=PATIENCE)
        return transport

    async def next_recorder(self) -> Recorder:
        """The newest connection's recorder, once it has its transport."""
        async with asyncio.timeout(PATIENCE):
            await self.came.wait()
        self.came.clear()
        newest = self.protocols[-1]
        assert isinstance(newest, Recorder)
        await newest.until_event("made")
        return newest


@asynccontextmanager
async def served(
    kind: str,
    room: Room,
    folder: Path,
    make: Callable[[Arrival], asyncio.BaseProtocol] = Recorder,
    *,
    limits: Limits = ROOMY,
) -> AsyncIterator[Served]:
    """Serves recorders over one kind of transport."""
    server = Served(kind, room, make)
    if kind == "unix":
        server.listener = await registry.listen(Address("unix", path=f"{folder}/x"), server.factory, limits=limits)
    elif kind == "tcp":
        server.listener = await registry.listen(Address("tcp", "127.0.0.1"), server.factory, limits=limits)
    elif kind == "tls":
        plain = server_context(room.hub.certificate_file, room.hub.key_file)
        place = Address("tls", "127.0.0.1")
        server.listener = await registry.listen(place, server.factory, limits=limits, tls=plain)
    elif kind == "mutual":
        place = Address("tcp", "127.0.0.1")
        server.listener = await registry.listen(place, server.factory, limits=limits, tls=room.accepting())
    else:
        place = Address("mem", path="hub")
        latency = 0.002 if kind == "mem+latency" else 0.0
        server.listener = await memory.listen(place, server.factory, limits=limits, latency=latency)
    try:
        yield server
    finally:
        await server.listener.close()
        for protocol in server.protocols:
            if isinstance(protocol, Recorder) and "made" in protocol.events:
                await protocol.end()


@asynccontextmanager
async def joined(
    kind: str, room: Room, folder: Path, *, keep_open_at_eof: bool = False
) -> AsyncIterator[tuple[Recorder, Recorder]]:
    """(client, server): two recorders joined over one kind of transport."""

    def make(arrival: Arrival | None = None) -> Recorder:
        return Recorder(arrival, keep_open_at_eof=keep_open_at_eof)

    async with served(kind, room, folder, make) as server:
        client = make()
        await server.dial(lambda: client)
        try:
            yield client, await server.next_recorder()
        finally:
            await client.end()
