"""Rooms for tests are rooms: real keys, real rosters, real endings, and the same over sockets and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import uvloop

from lanline.errors import ConnectFailed
from lanline.limits import LAN
from lanline.link.service import Service, endpoint
from lanline.roles import Role
from lanline.room.context import Context
from lanline.room.records import NodeStatus
from lanline.testing import clock
from lanline.testing.room import HUB, Room, memory_room, real_room, until

Rooms = Callable[..., AbstractAsyncContextManager[Room]]


class Name(Service):
    """Says whose it is."""

    name = "name"

    def __init__(self, node: Context) -> None:
        self._node = node

    @endpoint(role=Role.GUEST)
    def tell(self) -> str:
        """The node's name."""
        return self._node.name

    @endpoint(role=Role.GUEST)
    async def spell(self) -> AsyncIterator[str]:
        """Its letters."""
        for letter in self._node.name:
            yield letter


async def _meet(rooms: Rooms) -> bool:
    async with rooms(4, roles={"pc3": Role.OPERATOR}, services=lambda node: [Name(node)]) as room:
        assert list(room.folders) == list(room.nodes) == [HUB, "pc2", "pc3", "pc4"]
        assert [node.role for node in room.nodes.values()] == [Role.OWNER, Role.MEMBER, Role.OPERATOR, Role.MEMBER]
        link = await room["pc2"].link_to("pc4")
        assert await link.ask("name.tell") == "pc4"
        assert [letter async for letter in link.stream("name.spell")] == ["p", "c", "4"]
        assert link.caller.key_hash == room["pc4"].identity.key_hash
        await room.stop("pc4")
        await until(lambda: link.is_gone)
        await room.start("pc4")
        await room.wait_together()
        return bool(await (await room["pc2"].link_to("pc4")).ask("name.tell") == "pc4")


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_real_room_meets(run: Callable[[Coroutine[Any, Any, bool]], bool]) -> None:
    assert run(_meet(real_room))


def test_a_memory_room_meets_in_virtual_time() -> None:
    assert clock.run(_meet(memory_room))


def test_a_room_of_fifty_real_nodes_is_a_matter_of_seconds() -> None:
    async def main() -> None:
        async with asyncio.timeout(15), real_room(50) as room:
            assert len(room["pc50"].online()) == 50

    asyncio.run(main())


def test_every_real_node_has_an_address_of_its_own_and_keeps_its_port() -> None:
    async def main() -> None:
        async with real_room(3) as room:
            assert len({node.addresses[0].host for node in room.nodes.values()}) == 3
            before = room["pc2"].addresses
            await room.stop("pc2")
            await room.start("pc2")
            assert room["pc2"].addresses == before

    asyncio.run(main())


def test_a_person_of_a_machine_asks_its_own_node() -> None:
    async def main() -> None:
        async with real_room(2) as room, room.person("pc2") as link:
            assert (await link.ask("node.status", returns=NodeStatus)).name == "pc2"

    asyncio.run(main())


def test_a_room_can_be_had_asleep_and_what_it_made_is_gone_at_the_end() -> None:
    async def main() -> Room:
        async with real_room(3, is_started=False, limits=LAN._replace(connect=1.0)) as room:
            assert repr(room) == "<Room asleep>" and room.folders["pc3"].is_in_room
            await room.start(HUB)
            assert room.hub.limits.connect == 1.0 and repr(room) == "<Room hub-1>"
        return room

    room = asyncio.run(main())
    assert not room.path.exists() and room.nodes == {}


def test_a_test_that_fails_leaves_nothing_running() -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            async with real_room(2) as room:
                raise ZeroDivisionError
        assert room.nodes == {} and not room.path.exists()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_what_never_holds_is_named() -> None:
    async def main() -> None:
        with pytest.raises(AssertionError, match="waited 3 s for godot"):
            await until(lambda: False, "godot", timeout=3)

    clock.run(main())


def test_a_machine_that_joins_through_the_door_is_one_of_the_room() -> None:
    async def main() -> None:
        async with real_room(2) as room:
            node = await room.join("pc9", Role.OPERATOR)
            await room.wait_together()
            assert node.role is Role.OPERATOR
            with pytest.raises(ConnectFailed, match="no address of pc7"):
                await node.link_to("pc7")

    asyncio.run(main())
