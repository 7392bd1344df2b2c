"""Garbage on every port of a node, in the clear and inside TLS: refused, forgotten, and no handler is reached."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from lanline.limits import LAN
from lanline.link.link import Link
from lanline.link.service import Service, endpoint
from lanline.roles import Role
from lanline.room.doorway import PREFACE
from lanline.room.identity import load_identity
from lanline.room.names import certificate_name
from lanline.session import frames
from lanline.testing.room import Room, real_room, until

TRIES = 60

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Opening = Callable[[Room], Awaitable[Streams]]


class Reached(Service):
    """Counts who gets as far as a handler."""

    name = "reached"
    count = 0

    @endpoint(role=Role.GUEST)
    def touch(self) -> None:
        """Reached."""
        Reached.count += 1


@asynccontextmanager
async def hub() -> AsyncIterator[Room]:
    """A hub with an open door; pc2 is on disk only."""
    Reached.count = 0
    async with (
        asyncio.timeout(18),
        real_room(2, services=lambda _: [Reached()], limits=LAN._replace(handshake=0.3), is_started=False) as room,
    ):
        await room.start("hub-1")
        room.authority.invite(room.owner, Role.MEMBER, uses=1, ttl=None)
        yield room


async def tcp(room: Room) -> Streams:
    """The port, in the clear."""
    address = room.hub.addresses[0]
    return await asyncio.open_connection(address.host, address.port)


async def control(room: Room) -> Streams:
    """The socket of this machine's people."""
    return await asyncio.open_unix_connection(room.folders["hub-1"].control_socket)


async def tls(room: Room) -> Streams:
    """The port, as a member inside TLS."""
    address, identity = room.hub.addresses[0], load_identity(room.folders["pc2"])
    name = certificate_name("hub-1", "lab")
    return await asyncio.open_connection(address.host, address.port, ssl=identity.connecting, server_hostname=name)


def bytes_for(kind: str, dice: random.Random) -> bytes:
    """Something that is wrong, of one kind."""
    noise = dice.randbytes(dice.randrange(1, 600))
    match kind:
        case "noise":
            return noise
        case "tls":
            return b"\x16\x03\x01" + noise
        case "door":
            return PREFACE + dice.choice((noise, b"\x00\x00\x00\x24\x01" + noise[:35].ljust(35, b"x")))
        case "bulk":
            return b"\x02" + noise
        case "frame":
            length, kind_byte = dice.choice((0, 5, 2**32 - 1, 70_000)), dice.randrange(256)
            return frames.HEADER.pack(length, kind_byte, dice.randrange(256), dice.randrange(2**32)) + noise
        case _:
            body = noise[:200]
            return frames.HEADER.pack(len(body), frames.Kind.HELLO, 0, 0) + body


PORTS = [
    *((tcp, kind) for kind in ("noise", "tls", "door", "bulk", "frame")),
    *((control, kind) for kind in ("noise", "frame", "hello")),
    *((tls, kind) for kind in ("noise", "frame", "hello")),
]


async def _hear_end(reader: asyncio.StreamReader) -> int:
    """Reads until the peer hangs up; how many bytes it said."""
    said = 0
    with suppress(ConnectionError):
        while chunk := await reader.read(65536):
            said += len(chunk)
    return said


def _links() -> int:
    gc.collect()
    return sum(isinstance(one, Link) for one in gc.get_objects())


@pytest.mark.parametrize(("opening", "kind"), PORTS, ids=[f"{opening.__name__} {kind}" for opening, kind in PORTS])
def test_garbage_is_hung_up_on_and_leaves_nothing(
    opening: Opening, kind: str, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    dice = random.Random(f"{seed} {opening.__name__} {kind}")

    async def opened(room: Room) -> Streams:
        while True:
            with suppress(OSError):  # a machine that stood still in its handshake was dropped for it: once more
                return await opening(room)

    async def attack(room: Room) -> None:
        reader, writer = await opened(room)
        writer.write(bytes_for(kind, dice))
        if writer.can_write_eof():
            writer.write_eof()
        assert await _hear_end(reader) < 20_000, "nobody is told much"
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def main() -> None:
        async with hub() as room:
            await attack(room)
            before = _links()
            for _ in range(TRIES):
                await attack(room)
            await until(lambda: room.hub.status().links == 0 and not room.hub._others)
            assert _links() <= before, "nothing of them is kept"
            assert Reached.count == 0 and room.hub.identity.book.number == 2
            await room.start("pc2")
            await room.wait_together()
            await (await room["pc2"].link_to("hub-1")).ask("reached.touch")
            assert Reached.count == 1

    asyncio.run(main())
    assert sum(len(record.getMessage()) for record in caplog.records) < 10_000
    assert not [record for record in caplog.records if record.exc_info], f"seed {seed}: a traceback"
