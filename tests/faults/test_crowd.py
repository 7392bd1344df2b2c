"""Everybody at once: many more members than a node lets in at a time come in the same moment, and all get in.

Most of them are dropped at first, in the middle of their handshakes: the moment in which a descriptor that is closed
twice would belong to two connections.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from tests.faults.test_strangers import Quiet

from lanline.errors import ConnectFailed
from lanline.limits import LAN
from lanline.link.client import open_link
from lanline.link.link import Link
from lanline.roles import Role
from lanline.room.guards import RoomGuard
from lanline.room.identity import Identity, load_identity
from lanline.room.names import certificate_name
from lanline.testing.room import Room, real_room, until

MEMBERS = 60
FEW = LAN._replace(max_strangers=4, max_strangers_per_address=4)

Run = Callable[[Coroutine[Any, Any, None]], None]


async def come_in(room: Room, identity: Identity, host: str) -> Link:
    """A member that tries until it is in; says how it knows whom it talks to."""
    while True:
        try:
            link = await open_link(
                room.hub.addresses[0],
                RoomGuard(identity.book, identity.name, Quiet()),
                {},
                boot=b"boot-id-",
                tls=identity.connecting,
                server_name=certificate_name("hub-1", "lab"),
                local_host=host,
                timeout=15.0,
            )
        except ConnectFailed as error:
            # Whatever a dropped one hears, it is the end of its own connection and never a piece of another's.
            assert "record" not in str(error) and "decrypt" not in str(error), error
            # As a node would: at random, so that they do not drop each other for ever.
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=random.uniform(0, 0.05))
        else:
            assert link.caller.name == "hub-1"
            return link


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_crowd_that_comes_in_one_moment_gets_in_whole(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    names = [f"pc{number}" for number in range(2, MEMBERS + 2)]

    async def main() -> None:
        async with asyncio.timeout(18), real_room(1, limits=FEW, is_started=False) as room:
            room.folders.clear()
            room.path = room.path / "all"
            room.path.mkdir()
            room.found(dict.fromkeys(names, Role.MEMBER))
            await room.start("hub-1")
            identities = [load_identity(room.folders[name]) for name in names]
            coming = (come_in(room, identity, room.host(identity.name)) for identity in identities)
            links = await asyncio.gather(*coming)
            assert [await link.ask("room.ping") for link in links] == ["pong"] * MEMBERS
            await until(lambda: len(room.hub.links()) == MEMBERS)
            assert {link.caller.name for link in room.hub.links()} == set(names)
            await asyncio.gather(*(link.close() for link in links))

    with caplog.at_level(logging.WARNING):
        run(main())
    assert "bad record" not in caplog.text and "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.name == "asyncio"], caplog.text
