"""What people are told of a node and of its members is what is so now."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial

import pytest
import uvloop

from lanline.limits import LAN
from lanline.link.service import Service
from lanline.roles import Role
from lanline.room.keys import short_key
from lanline.room.node import Node
from lanline.testing import clock
from lanline.testing.room import memory_room, real_room, until


class Counting(Service):
    """Has something to show."""

    name = "counting"

    def figures(self) -> dict[str, int]:
        """One figure."""
        return {"counted": 3}


def test_a_member_line_says_who_where_and_since_when() -> None:
    async def main() -> None:
        async with memory_room(3, roles={"pc2": Role.OPERATOR}) as room:
            lines = {line.name: line for line in room["pc2"].member_lines("@all")}
            assert list(lines) == ["hub-1", "pc2", "pc3"]
            hub, own, other = lines.values()
            assert (hub.is_hub, hub.role, hub.is_self) == (True, "owner", False)
            assert (own.is_self, own.role, own.online, own.version) == (True, "operator", True, "test")
            assert (other.online, other.addresses) == (True, (f"{room.host('pc3')}:9527",))
            assert other.key == short_key(room["pc3"].identity.key_hash)
            assert other.round_trip < 0 and other.last_seen > 0
            await room.stop("pc3")
            await until(lambda: not room["pc2"].member_lines("pc3")[0].online)

    clock.run(main())


def test_a_member_with_a_live_link_is_online_whatever_the_hub_last_said() -> None:
    async def main() -> None:
        async with memory_room(3) as room:
            await room["pc2"].link_to("pc3")
            await room.stop("hub-1")
            await until(lambda: room["pc2"].hub_link is not None and not room["pc2"].hub_link.is_there)
            online = {line.name: line.online for line in room["pc2"].member_lines("@all")}
            assert online == {"hub-1": False, "pc2": True, "pc3": True}
            assert [line.name for line in room["pc2"].member_lines("@online")] == ["pc2", "pc3"]

    clock.run(main())


def test_a_round_trip_is_the_own_one_where_there_is_a_link() -> None:
    async def main() -> None:
        async with memory_room(3) as room:
            link = await room["pc2"].link_to("pc3")
            link.round_trip = 0.25
            assert room["pc2"].member_lines("pc3")[0].round_trip == 0.25

    clock.run(main())


def test_the_status_of_a_hub_and_of_a_member() -> None:
    async def main() -> None:
        async with real_room(2, services=lambda _: [Counting()]) as room:
            hub, member = room.hub.status(), room["pc2"].status()
            assert (hub.name, hub.room, hub.role, hub.is_hub) == ("hub-1", "lab", "owner", True)
            assert (member.role, member.is_hub, member.hub) == ("member", False, "hub-1")
            assert hub.pid == member.pid == os.getpid()
            assert (hub.members, hub.online, hub.roster_number) == (2, 2, 2)
            assert hub.waiting_for == member.waiting_for == ""
            assert member.listens == (f"tcp://127.0.0.3:{room['pc2'].addresses[0].port}",)
            assert member.roster_age < 5 and hub.roster_age == 0
            assert not hub.is_locked and hub.invitations == 0
            assert hub.services == {"counting": {"counted": 3}}
            room.authority.invite(room.owner, Role.MEMBER, uses=1, ttl=None)
            assert room.hub.status().invitations == 1
            await room.stop("hub-1")
            await until(lambda: room["pc2"].status().waiting_for.startswith("the hub hub-1: "))

    asyncio.run(main())


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_round_trip_to_a_member_is_known_soon_after_its_coming(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    def knows_all(node: Node) -> bool:
        others = [line for line in node.member_lines("@all") if not (line.is_hub or line.is_self)]
        return all(line.round_trip > 0 for line in others)

    async def main() -> None:
        async with real_room(3) as room:
            for node in room.nodes.values():
                await until(partial(knows_all, node), f"{node.name} to know", timeout=LAN.ping_after - 5)
            assert all(map(knows_all, room.nodes.values()))

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
