"""A peer played by hand, over a real connection: it sends what the test writes, honest or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from lanline.address import Address
from lanline.session import frames
from lanline.session.frames import Kind
from lanline.transport import registry
from tests.link.desk import PATIENCE
from tests.session.pair import cut, hello

HELLO = frames.pack(Kind.HELLO, 0, frames.encode_body(hello()))
WELCOME = frames.pack(Kind.WELCOME, 0)


class Puppet(asyncio.Protocol):
    """Keeps what it received; does nothing by itself."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.is_lost = False
        self.transport: asyncio.Transport
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self._changed.set()

    def send(self, kind: Kind, call: int, body: bytes = b"", flags: int = 0) -> None:
        """Sends one frame."""
        self.transport.write(frames.pack(kind, call, body, flags))

    def frames(self) -> list[tuple[Kind, int, int, bytes]]:
        """What came, as frames: kind, flags, call, body. Only whole ones must have come."""
        return list(cut(bytes(self.received)))

    def kinds(self) -> list[Kind]:
        """The kinds of the frames that came."""
        return [kind for kind, *_ in self.frames()]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits until something holds; looks again whenever bytes came."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def until_lost(self) -> None:
        """Waits for the end of the connection."""
        await self.until(lambda: self.is_lost)


@asynccontextmanager
async def puppet(address: Address, *, greeted: bool = True) -> AsyncIterator[Puppet]:
    """A puppet connected to a server, with the first exchange behind it; gone afterwards."""
    made = Puppet()
    await registry.connect(address, lambda: made, timeout=PATIENCE)
    if greeted:
        made.transport.write(HELLO + WELCOME)
        await made.until(lambda: Kind.WELCOME in made.kinds())
    try:
        yield made
    finally:
        made.transport.abort()
        await made.until_lost()
