"""The room's own endpoints: what members ask the hub, and what people ask the node of their machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from lanline.errors import CallFailed, CallRefused, ConnectFailed
from lanline.link.link import Link
from lanline.roles import Role
from lanline.room.joincode import JoinCode
from lanline.room.presence import decode_news
from lanline.room.records import Invited, MemberLine, NodeStatus
from lanline.testing import clock
from lanline.testing.room import Room, memory_room, real_room, until

ROLES = {"pc2": Role.OPERATOR, "pc3": Role.MEMBER, "pc4": Role.OWNER, "pc5": Role.GUEST}


def in_memory(test: Callable[[Room], Coroutine[Any, Any, None]]) -> None:
    """A room with one member of each role."""

    async def main() -> None:
        async with memory_room(5, roles=ROLES) as room:
            await test(room)

    clock.run(main())


def for_people(test: Callable[[Room], Coroutine[Any, Any, None]]) -> None:
    """The same, with control sockets."""

    async def main() -> None:
        async with real_room(5, roles=ROLES) as room:
            await test(room)

    asyncio.run(main())


async def at_hub(room: Room, name: str) -> Link:
    """A member's link with the hub."""
    return await room[name].link_to("hub-1")


def test_an_operator_invites_over_its_link_and_hears_where_the_hub_is() -> None:
    async def test(room: Room) -> None:
        link = await at_hub(room, "pc2")
        invited = await link.ask("room.invite", Role.MEMBER, 3, None, returns=Invited)
        assert JoinCode.parse(invited.code).text == invited.code
        assert (invited.role, invited.uses) == ("member", 3) and 7100 < invited.ttl <= 7200
        assert invited.addresses == room.hub.reachable_at()
        assert invited.code not in repr(invited)
        with pytest.raises(CallRefused, match="only an owner invites"):
            await link.ask("room.invite", Role.OPERATOR, 1, None)
        with pytest.raises(CallFailed, match="0 machines"):
            await link.ask("room.invite", Role.MEMBER, 0, None)

    in_memory(test)


def test_members_and_guests_invite_and_remove_nobody() -> None:
    async def test(room: Room) -> None:
        for name in ("pc3", "pc5"):
            link = await at_hub(room, name)
            for endpoint, doing, *arguments in (
                ("room.invite", "inviting", Role.MEMBER, 1, None),
                ("room.remove", "removing a member", "pc2"),
            ):
                with pytest.raises(CallRefused, match=f"{doing} takes the role operator; {name} is "):
                    await link.ask(str(endpoint), *arguments)
        with pytest.raises(CallRefused, match="giving roles takes the role owner; pc2 is operator"):
            await (await at_hub(room, "pc2")).ask("room.set_role", "pc3", Role.OPERATOR)
        assert room.hub.identity.book.number == 2

    in_memory(test)


def test_an_owner_changes_roles_and_everybody_knows_at_once() -> None:
    async def test(room: Room) -> None:
        await (await at_hub(room, "pc4")).ask("room.set_role", "pc3", Role.OPERATOR)
        await room.wait_roster(3)
        assert room["pc3"].role is Role.OPERATOR

    in_memory(test)


def test_a_member_takes_itself_out_and_hears_that_it_worked() -> None:
    async def test(room: Room) -> None:
        await (await at_hub(room, "pc5")).ask("room.depart")
        await room.wait_roster(3, "hub-1", "pc2")
        assert room.hub.identity.book.current.member_named("pc5") is None

    in_memory(test)


def test_who_asks_a_node_that_is_no_hub_is_told_who_is() -> None:
    async def test(room: Room) -> None:
        link = await room["pc4"].link_to("pc3")
        with pytest.raises(CallFailed, match="pc3 is not the hub of this room; the hub is hub-1"):
            await link.ask("room.invite", Role.MEMBER, 1, None)
        with pytest.raises(CallFailed, match="not the hub"):
            await anext(link.stream("room.attend", room["pc4"].report()))

    in_memory(test)


def test_attending_gives_a_snapshot_of_everybody() -> None:
    async def test(room: Room) -> None:
        link = await at_hub(room, "pc3")
        async with link.open("room.attend", room["pc3"].report(), last=True) as call:
            news = decode_news(await call.receive())
            assert news.is_whole and {row.name for row in news.rows} == {"hub-1", *ROLES}

    in_memory(test)


def test_what_is_for_the_people_of_a_machine_is_refused_to_members() -> None:
    async def test(room: Room) -> None:
        link = await at_hub(room, "pc4")
        for endpoint, *arguments in (
            ("node.status",),
            ("node.who", "@all"),
            ("node.stop",),
            ("node.unlock", "x"),
            ("node.invite", Role.MEMBER, 1, None),
            ("node.remove", "pc2"),
            ("node.set_role", "pc2", Role.GUEST),
            ("node.leave",),
        ):
            with pytest.raises(CallRefused, match="only to people on its own machine"):
                await link.ask(str(endpoint), *arguments)
        assert room.hub.identity.book.number == 2

    in_memory(test)


def test_people_see_status_and_members_of_their_node() -> None:
    async def test(room: Room) -> None:
        async with room.person("pc3") as node:
            status = await node.ask("node.status", returns=NodeStatus)
            assert (status.name, status.role, status.members, status.hub) == ("pc3", "member", 5, "hub-1")
            lines = await node.ask("node.who", "@operators", returns=list[MemberLine])
            assert [line.name for line in lines] == ["pc2"]
            assert len(await node.ask("node.who")) == 5
            with pytest.raises(CallFailed, match="no member pc9") as caught:
                await node.ask("node.who", "pc9")
            assert "did you mean" in caught.value.details["advice"]

    for_people(test)


def test_a_person_acts_at_the_hub_in_the_name_and_role_of_its_machine() -> None:
    async def test(room: Room) -> None:
        async with room.person("pc2") as node:
            invited = await node.ask("node.invite", Role.MEMBER, 1, None, returns=Invited)
            assert invited.addresses == room.hub.reachable_at()
            await node.ask("node.remove", "pc5")
            with pytest.raises(CallRefused, match="giving roles takes the role owner; pc2 is operator"):
                await node.ask("node.set_role", "pc3", Role.OPERATOR)
            with pytest.raises(CallRefused, match="only an owner removes it"):
                await node.ask("node.remove", "pc4")
        async with room.person("pc3") as node:
            with pytest.raises(CallRefused, match="inviting takes the role operator; pc3 is member"):
                await node.ask("node.invite", Role.MEMBER, 1, None)
        async with room.person("hub-1") as node:
            await node.ask("node.set_role", "pc3", Role.OPERATOR)
        await room.wait_roster(4, "hub-1", "pc2", "pc3")
        assert room["pc3"].role is Role.OPERATOR

    for_people(test)


def test_unlocking_is_for_the_hub_and_says_so_elsewhere() -> None:
    async def test(room: Room) -> None:
        async with room.person("pc2") as node:
            with pytest.raises(CallFailed, match="nothing to unlock here: the hub of this room is hub-1"):
                await node.ask("node.unlock", "x")

    for_people(test)


def test_a_locked_hub_serves_everything_but_changes_and_is_unlocked_by_its_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lanline.room.hublink.MAX_PAUSE", 0.02)

    async def test(room: Room) -> None:
        await room.stop("hub-1")
        await room.start("hub-1", is_locked=True)
        await room.wait_together()
        async with room.person("hub-1") as hub, room.person("pc2") as node:
            assert (await hub.ask("node.status", returns=NodeStatus)).is_locked
            for person in (hub, node):
                with pytest.raises(CallFailed, match="the hub is locked") as caught:
                    await person.ask("node.invite", Role.MEMBER, 1, None)
                assert "lanline unlock" in caught.value.details["advice"]
                with pytest.raises(CallFailed, match="the hub is locked"):
                    await person.ask("node.remove", "pc5")
            await hub.ask("node.unlock", "")
            await node.ask("node.remove", "pc5")

    for_people(test)


def test_leaving_is_for_members_and_the_hub_is_told_what_it_would_mean() -> None:
    async def test(room: Room) -> None:
        async with room.person("hub-1") as node:
            with pytest.raises(CallFailed, match="without it the room ends"):
                await node.ask("node.leave")
        async with room.person("pc5") as node:
            await node.ask("node.leave")
        await room.wait_roster(3, "hub-1")
        assert room.hub.identity.book.current.member_named("pc5") is None

    for_people(test)


def test_when_the_hub_is_away_a_person_is_told_so() -> None:
    async def test(room: Room) -> None:
        await room.stop("hub-1")
        async with room.person("pc2") as node:
            with pytest.raises(CallFailed, match=r"127\.0\.0\.2") as caught:
                await node.ask("node.invite", Role.MEMBER, 1, None)
            assert caught.value.text and not isinstance(caught.value, ConnectFailed)

    for_people(test)


def test_a_person_can_stop_the_node() -> None:
    async def test(room: Room) -> None:
        async with room.person("pc3") as node:
            assert await node.ask("node.stop") is None
        async with asyncio.timeout(15):
            await room["pc3"].wait_stop_wanted()

    for_people(test)


def test_a_removed_member_still_hears_the_roster_that_removed_it() -> None:
    async def test(room: Room) -> None:
        await (await at_hub(room, "pc2")).ask("room.remove", "pc3")
        await until(lambda: room["pc3"].identity.own_line is None)
        assert room["pc3"].identity.book.number == 3

    in_memory(test)
