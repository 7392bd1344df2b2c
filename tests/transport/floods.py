"""Raw clients for the accept loop's tests: sockets that say nothing, something, or the wrong thing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lanline.address import Address
from lanline.limits import Limits
from lanline.transport import tcp
from lanline.transport.accept import AcceptLoop
from lanline.transport.base import Arrival, Listener, ListenerStatistics
from lanline.transport.entrance import Entrance

SIGN = b"lanline: this port is for nodes of a room\n"
PATIENCE = 10.0


class Welcoming(asyncio.Protocol):
    """Answers what it gets and welcomes the peer at its first bytes, under the name they are."""

    def __init__(self, arrival: Arrival) -> None:
        self.arrival = arrival
        self.is_welcome: bool | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # asyncio passes the base class

    def data_received(self, data: bytes) -> None:
        self.is_welcome = self.arrival.welcomed(data.decode())
        self.transport.write(b"yes" if self.is_welcome else b"no")

    def connection_lost(self, exc: Exception | None) -> None:
        self.arrival.gone()


async def node_port(
    limits: Limits, *, host: str = "127.0.0.1", entrances: Sequence[Entrance] | None = None
) -> Listener:
    """A port with an entrance that begins with `L` and needs a welcome, and a sign for the rest."""
    chosen = entrances or [Entrance("link", b"L", Welcoming)]
    return await tcp.listen_entrances(Address("tcp", host), chosen, sign=SIGN, limits=limits)


async def until(listener: Listener, **wanted: int) -> ListenerStatistics:
    """Waits until counters have these values. Only for what other processes or the kernel do meanwhile."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = listener.statistics()
            if all(getattr(found, name) == value for name, value in wanted.items()):
                return found
            await asyncio.sleep(0)


@contextmanager
def clients(listener: Listener, count: int, source: str = "127.0.0.1") -> Iterator[list[socket.socket]]:
    """So many connections from one address, blocking, with a timeout."""
    port = listener.addresses[0].port
    sockets: list[socket.socket] = []
    try:
        for _ in range(count):
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sockets.append(sock)
            sock.settimeout(PATIENCE)
            sock.bind((source, 0))
            sock.connect(("127.0.0.1", port))
        yield sockets
    finally:
        for sock in sockets:
            sock.close()


async def read_all(sock: socket.socket) -> bytes:
    """Everything until the peer closes; a reset reads as b"RESET" at the end."""
    loop = asyncio.get_running_loop()
    sock.setblocking(False)
    parts: list[bytes] = []
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                part = await loop.sock_recv(sock, 65536)
            except ConnectionError:
                parts.append(b"RESET")
                return b"".join(parts)
            if not part:
                return b"".join(parts)
            parts.append(part)


async def read_some(sock: socket.socket) -> bytes:
    """The next bytes."""
    sock.setblocking(False)
    async with asyncio.timeout(PATIENCE):
        return await asyncio.get_running_loop().sock_recv(sock, 65536)


def own(listener: Listener) -> AcceptLoop:
    """The accept loop behind a listener."""
    assert isinstance(listener, AcceptLoop)
    return listener
