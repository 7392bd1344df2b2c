"""One conversation between a bare blocking socket and a channel of ours, whoever connects, with or without asyncio.

Our side answers each message with the same in capitals until the stream ends, and notes what came and how it ended. The
bare side is a function of the test. Nothing here knows what is claimed.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TypeVar

from lanline import Address, Channel, Framing, LanlineError, blocking, connect, serve

SECONDS = 10.0
"""A bare socket gives up after this, so that a test that is wrong fails and does not hang."""

Told = TypeVar("Told")
Peer = Callable[[socket.socket], Told]


@dataclass
class Seen:
    """What our side saw: the messages, and the name of the error that says how the receiving side ended."""

    messages: list[bytes] = field(default_factory=list)
    ended_by: str = ""
    peer_address: str = ""
    local_address: str = ""


@dataclass(frozen=True)
class Meeting:
    """Who meets whom, and how.

    Attributes:
        is_async: whether our side is of asyncio or of the blocking twin.
        is_server: whether ours serves and the bare socket connects.
        scheme: `tcp` or `unix`.
        folder: for sockets with a path.
    """

    is_async: bool
    is_server: bool
    scheme: str
    folder: Path

    def hold(self, framing: Framing, peer: Peer[Told]) -> tuple[Told, Seen]:
        """Has the conversation, and tells what each side saw."""
        if self.is_async:
            return asyncio.run(self._hold_async(framing, peer))
        return self._hold_blocking(framing, peer)

    @property
    def _address(self) -> str:
        return "tcp://127.0.0.1:0" if self.scheme == "tcp" else f"unix://{self.folder}/ours.sock"

    async def _hold_async(self, framing: Framing, peer: Peer[Told]) -> tuple[Told, Seen]:
        seen, is_over = Seen(), asyncio.Event()

        async def converse(channel: Channel) -> None:
            seen.peer_address, seen.local_address = channel.peer_address, channel.local_address
            try:
                async for message in channel:
                    seen.messages.append(message)
                    await channel.send(message.upper())
            except LanlineError as error:
                assert error is channel.ended_by
            seen.ended_by = type(channel.ended_by).__name__
            is_over.set()

        if self.is_server:
            async with serve(converse, self._address, framing=framing) as server:
                told = await asyncio.to_thread(bare_client, server.addresses[0], peer)
                await asyncio.wait_for(is_over.wait(), SECONDS)
                return told, seen
        with bare_listener(self.scheme, self.folder) as listener:
            telling = asyncio.get_running_loop().run_in_executor(None, bare_server, listener, peer)
            async with connect(address_of(listener), framing=framing) as channel:
                await asyncio.wait_for(converse(channel), SECONDS)
            return await telling, seen

    def _hold_blocking(self, framing: Framing, peer: Peer[Told]) -> tuple[Told, Seen]:
        seen, is_over = Seen(), Event()

        def converse(channel: blocking.Channel) -> None:
            seen.peer_address, seen.local_address = channel.peer_address, channel.local_address
            try:
                for message in channel:
                    seen.messages.append(message)
                    channel.send(message.upper())
            except LanlineError as error:
                assert error is channel.ended_by
            seen.ended_by = type(channel.ended_by).__name__
            is_over.set()

        if self.is_server:
            with blocking.serve(converse, self._address, framing=framing) as server:
                told = bare_client(server.addresses[0], peer)
                assert is_over.wait(SECONDS)
                return told, seen
        with bare_listener(self.scheme, self.folder) as listener, ThreadPoolExecutor(1) as threads:
            telling = threads.submit(bare_server, listener, peer)
            with blocking.connect(address_of(listener), framing=framing) as channel:
                converse(channel)
            return telling.result(SECONDS), seen


def bare_client(address: Address, peer: Peer[Told]) -> Told:
    """Connects a bare socket to an address of ours, and hands it to the peer."""
    family, place = (
        (socket.AF_INET, (address.host, address.port)) if address.scheme == "tcp" else (socket.AF_UNIX, address.path)
    )
    with socket.socket(family) as sock:
        sock.settimeout(SECONDS)
        sock.connect(place)
        return peer(sock)


def bare_listener(scheme: str, folder: Path) -> socket.socket:
    """A bare socket that listens."""
    listener = socket.socket(socket.AF_INET if scheme == "tcp" else socket.AF_UNIX)
    listener.settimeout(SECONDS)
    listener.bind(("127.0.0.1", 0) if scheme == "tcp" else f"{folder}/theirs.sock")
    listener.listen()
    return listener


def bare_server(listener: socket.socket, peer: Peer[Told]) -> Told:
    """Accepts one connection, and hands it to the peer."""
    sock, _ = listener.accept()
    with sock:
        sock.settimeout(SECONDS)
        return peer(sock)


def address_of(listener: socket.socket) -> Address:
    """Where a bare socket listens, as ours writes it."""
    name = listener.getsockname()
    return Address("unix", path=name) if isinstance(name, str) else Address("tcp", name[0], name[1])


def read_to_end(sock: socket.socket) -> bytes:
    """All that comes until the other side ends."""
    return b"".join(iter(lambda: sock.recv(4096), b""))


def read(sock: socket.socket, size: int) -> bytes:
    """Exactly so many bytes."""
    received = b""
    while len(received) < size:
        chunk = sock.recv(size - len(received))
        assert chunk, f"the stream ended after {received!r}"
        received += chunk
    return received
