"""A node from its folder to its listeners and back, and what a room of them does when machines come, go and
misbehave."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from lanline.errors import (
    CallLost,
    ConnectFailed,
    ListenFailed,
    NodeAlreadyRunning,
    NotInRoom,
    StateDamaged,
    UsageError,
)
from lanline.limits import LAN
from lanline.link.service import Service, endpoint
from lanline.roles import Role
from lanline.room.context import Context
from lanline.room.lock import NodeLock
from lanline.room.node import ROUND, Node
from lanline.room.paths import StateFolder
from lanline.room.policy import Refused
from lanline.room.settings import Settings
from lanline.testing import clock
from lanline.testing.memorywire import MemoryNet
from lanline.testing.room import memory_room, real_room, until

PATIENT = LAN._replace(handshake=60.0, drain=60.0)
"""What is over long before these is over by itself, even on a machine that stands still for some seconds."""


class Work(Service):
    """Something that takes time, and knows whether it was started and stopped."""

    name = "work"

    def __init__(self) -> None:
        self.events: list[str] = []
        self.failing = ""

    async def on_start(self) -> None:
        self._note("start")

    async def on_stop(self) -> None:
        self._note("stop")

    def _note(self, event: str) -> None:
        self.events.append(event)
        if self.failing == event:
            raise ZeroDivisionError(event)

    @endpoint(role=Role.MEMBER)
    async def for_ever(self) -> None:
        """Never ends by itself."""
        self.events.append("call began")
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.events.append("call over")

    @endpoint(role=Role.MEMBER)
    async def count(self) -> AsyncIterator[int]:
        """Numbers."""
        for number in range(1000):
            yield number
            await asyncio.sleep(0)


class Nobodys(Service):
    """An endpoint without a role."""

    name = "nobodys"

    @endpoint
    def ask(self) -> None:
        """Nothing."""


def is_free(folder: StateFolder) -> bool:
    """Whether another node could run with this folder."""
    NodeLock(folder.lock).release()
    return True


# -- starting and stopping ------------------------------------------------------------------------------------


def test_a_node_is_entered_and_left_and_its_folder_is_free_again() -> None:
    async def main() -> None:
        async with real_room(1, is_started=False) as room:
            async with Node(room.folders["hub-1"], settings=Settings("127.0.0.2", 0)) as node:
                assert node.addresses and repr(node) == "<Node hub-1 room=lab links=0>"
                with pytest.raises(NodeAlreadyRunning):
                    Node(room.folders["hub-1"])
            assert is_free(room.folders["hub-1"]) and not room.folders["hub-1"].control_socket.exists()
            await node.stop()

    asyncio.run(main())


def test_an_empty_folder_is_in_no_room_and_stays_empty(tmp_path: Path) -> None:
    with pytest.raises(NotInRoom):
        Node(StateFolder(tmp_path))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["node.key", "node.json", "roster", "audit/00000001.jsonl"])
def test_a_damaged_folder_is_refused_and_given_free(name: str) -> None:
    async def main() -> None:
        async with real_room(1) as room:
            await room.stop("hub-1")
            folder = room.folders["hub-1"]
            assert name.startswith("audit") or (folder.path / name).exists()
            (folder.path / name).write_bytes(b'{"damaged":1}\n{"damaged":2}\n')
            with pytest.raises(StateDamaged) as caught:
                Node(folder)
            assert caught.value.advice and is_free(folder)

    asyncio.run(main())


def test_services_start_in_order_stop_in_reverse_and_calls_end_with_them() -> None:
    order: list[str] = []

    class Noted(Work):
        def __init__(self, name: str) -> None:
            self.name = name
            super().__init__()

        def _note(self, event: str) -> None:
            order.append(f"{self.name} {event}")

    async def main() -> None:
        async with memory_room(1, services=lambda _: [Noted("a"), Noted("b")]):
            assert order == ["a start", "b start"]

    clock.run(main())
    assert order[2:] == ["b stop", "a stop"]


@pytest.mark.parametrize("fault", ["service", "role", "port", "twice"])
def test_a_start_that_fails_stops_what_was_started_and_gives_the_folder_free(fault: str) -> None:
    async def main() -> None:
        async with real_room(2, is_started=False) as room:
            await room.start("hub-1")
            first, second = Work(), Work()
            second.name = "second"
            second.failing = "start" if fault == "service" else ""
            port = room.hub.addresses[0].port
            host = "127.0.0.2" if fault == "port" else "127.0.0.3"
            node = Node(room.folders["pc2"], settings=Settings(host, port))
            node.host(
                [first, second, *([Nobodys()] if fault == "role" else []), *([Work()] if fault == "twice" else [])]
            )
            kinds = {"service": ZeroDivisionError, "port": ListenFailed}
            with pytest.raises(kinds.get(fault, UsageError)):
                await node.start()
            assert first.events in ([], ["start", "stop"])
            assert is_free(room.folders["pc2"])
            assert node._tasks == [] and not room.folders["pc2"].control_socket.exists()

    asyncio.run(main())


def test_a_service_that_does_not_stop_cleanly_keeps_nothing_else_from_ending(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        made: list[Work] = []

        def services(_: object) -> list[Work]:
            made.append(Work())
            made[-1].failing = "stop"
            return [made[-1]]

        async with real_room(2, services=services) as room:
            await room.stop("pc2", "hub-1")
            assert all(is_free(folder) for folder in room.folders.values())

    asyncio.run(main())
    assert caplog.text.count("the service work did not stop cleanly") == 2


def test_a_stop_with_calls_under_way_ends_them_on_both_sides() -> None:
    async def main() -> None:
        services: list[Work] = []

        def make(_: object) -> list[Work]:
            services.append(Work())
            return [services[-1]]

        async with real_room(3, services=make, limits=PATIENT) as room:
            link = await room["pc2"].link_to("pc3")
            call = asyncio.get_running_loop().create_task(link.ask("work.for_ever"))
            await until(lambda: any("call began" in service.events for service in services))
            began = time.perf_counter()
            await room.stop("pc3")
            assert time.perf_counter() - began < 15, "it does not wait for the end of its drain"
            with pytest.raises(Exception, match=r"stopping|gone|closed"):
                await call
            assert any("call over" in service.events for service in services)

    asyncio.run(main())


def test_a_service_that_stops_may_end_its_calls_well_and_gets_no_new_ones() -> None:
    class Job(Service):
        name = "job"

        def __init__(self) -> None:
            self.waiting: list[asyncio.Future[str]] = []

        @endpoint(role=Role.MEMBER)
        async def run(self) -> str:
            """Ends when the service does."""
            self.waiting.append(asyncio.get_running_loop().create_future())
            return await self.waiting[-1]

        async def on_stop(self) -> None:
            for one in self.waiting:
                one.set_result("ended in good order")
            await asyncio.sleep(0)

    async def main() -> None:
        jobs: dict[str, Job] = {}

        def make(node: Context) -> list[Service]:
            jobs[node.name] = Job()
            return [jobs[node.name]]

        async with memory_room(3, services=make) as room:
            link = await room["pc2"].link_to("pc3")
            call = asyncio.get_running_loop().create_task(link.ask("job.run"))
            await until(lambda: jobs["pc3"].waiting)
            stopping = asyncio.get_running_loop().create_task(room.stop("pc3"))
            await until(lambda: not link.is_open)
            with pytest.raises(CallLost):
                await link.ask("job.run")
            assert await call == "ended in good order"
            await stopping
            assert len(jobs["pc3"].waiting) == 1

    clock.run(main())


def test_a_stop_in_the_middle_of_a_handshake_is_a_stop() -> None:
    async def main() -> None:
        async with real_room(1, limits=PATIENT) as room:
            port = room.hub.addresses[0].port
            _, writer = await asyncio.open_connection("127.0.0.2", port)
            writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            await asyncio.sleep(0)
            silent = await asyncio.open_connection("127.0.0.2", port)
            began = time.perf_counter()
            await room.stop("hub-1")
            assert time.perf_counter() - began < 15, "it does not wait for the end of the handshake"
            for one in (writer, silent[1]):
                one.close()

    asyncio.run(main())


def test_stopping_twice_and_at_once_is_stopping_once() -> None:
    async def main() -> None:
        async with real_room(1) as room:
            node = room.nodes.pop("hub-1")
            await asyncio.gather(node.stop(), node.stop())
            await node.stop()
            assert is_free(room.folders["hub-1"])

    asyncio.run(main())


def test_a_node_whose_standing_work_fails_wants_to_stop(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with memory_room(2) as room:
            node = room["pc2"]

            async def failing() -> None:
                raise ZeroDivisionError("work")

            node._own(failing())
            async with asyncio.timeout(1):
                await node.wait_stop_wanted()

    clock.run(main())
    assert "the node must stop" in caplog.text


def test_presence_and_freshness_survive_a_restart_of_the_node() -> None:
    async def main() -> None:
        async with memory_room(3) as room:
            where = room["pc2"].presence.of("pc3").addresses
            await room.stop("hub-1", "pc2")
            await room.start("pc2")
            assert room["pc2"].presence.of("pc3").addresses == where
            assert not room["pc2"].presence.online
            assert (await room["pc2"].link_to("pc3")).is_open, "the hub is away, and members still know each other"

    clock.run(main())


# -- links ----------------------------------------------------------------------------------------------------


def test_members_link_directly_and_the_link_serves_both_directions() -> None:
    async def main() -> None:
        async with memory_room(3) as room:
            link = await room["pc2"].link_to("pc3")
            await until(lambda: room["pc3"].live_link("pc2"))
            back = await room["pc3"].link_to("pc2")
            assert await link.ask("room.ping") == await back.ask("room.ping") == "pong"
            assert len(room["pc3"].links()) == 2, "this one and the hub's"
            assert await room["pc2"].link_to("pc3") is link

    clock.run(main())


def test_two_that_call_each_other_at_once_have_two_links_and_both_work() -> None:
    async def main() -> None:
        async with memory_room(3, net=MemoryNet(latency=0.05)) as room:
            one, other = await asyncio.gather(room["pc2"].link_to("pc3"), room["pc3"].link_to("pc2"))
            assert await one.ask("room.ping") == await other.ask("room.ping") == "pong"
            await until(lambda: len(room["pc2"].links()) == len(room["pc3"].links()) == 3)

    clock.run(main())


def test_a_link_with_oneself_and_with_somebody_never_seen_are_refused_with_the_reason() -> None:
    async def main() -> None:
        async with memory_room(3) as room:
            for name, says in (("pc2", "no link with itself"), ("pc9", "no address of pc9 is known")):
                with pytest.raises(ConnectFailed, match=says):
                    await room["pc2"].link_to(name)

    clock.run(main())


def test_a_member_that_answers_at_the_address_of_another_is_refused() -> None:
    async def main() -> None:
        async with memory_room(3) as room:
            node = room["pc2"]
            row = node.presence.of("pc3")
            node.presence.set(type(row)("pc3", True, node.presence.of("hub-1").addresses))
            with pytest.raises(ConnectFailed, match="is hub-1, not pc3"):
                await node.link_to("pc3")
            await until(lambda: len(node.links()) == 1)

    clock.run(main())


def test_an_idle_link_is_closed_and_the_one_to_the_hub_is_not() -> None:
    async def main() -> None:
        async with memory_room(3) as room:
            link = await room["pc2"].link_to("pc3")
            await asyncio.wait([asyncio.get_running_loop().create_task(link.wait_gone())], timeout=600 + 3 * ROUND)
            assert link.is_gone and room["pc2"].live_link("hub-1") is not None

    clock.run(main())


# -- who is here ----------------------------------------------------------------------------------------------


def test_everybody_hears_who_comes_and_goes() -> None:
    async def main() -> None:
        async with memory_room(4) as room:
            assert room["pc2"].online() == {"hub-1", "pc2", "pc3", "pc4"}
            await room.stop("pc4")
            await until(lambda: all("pc4" not in node.online() for node in room.nodes.values()))
            assert room["pc3"].presence.of("pc4").last_seen > 0

    clock.run(main())


def test_a_member_that_reconnects_before_its_old_link_is_known_to_be_dead_stays_online() -> None:
    async def main() -> None:
        async with memory_room(3) as room:
            old = room.hub.live_link("pc2")
            assert old is not None
            # Another standing call of the same node, as after a change of address, on a link of its own.
            second = await room["pc2"]._connect("hub-1")
            async with second.open("room.attend", room["pc2"].report(), last=True) as call:
                await call.receive()
                old.abort("found dead a moment later")
                await until(lambda: old.is_gone)
                for _ in range(20):
                    await asyncio.sleep(0)
                    assert "pc2" in room.hub.presence.online

    clock.run(main())


def test_the_hub_restarts_and_everybody_is_back_within_ten_seconds_with_nothing_lost() -> None:
    async def main() -> None:
        async with memory_room(30) as room:
            room.authority.set_role(room.owner, "pc2", Role.OPERATOR)
            await room.stop("hub-1")
            await until(lambda: all(not node.presence.online for node in room.nodes.values()))
            began = asyncio.get_running_loop().time()
            await room.start("hub-1")
            await room.wait_together()
            assert asyncio.get_running_loop().time() - began < 10
            assert room.hub.identity.book.number == 3 and room["pc2"].role is Role.OPERATOR

    clock.run(main())


def test_a_local_program_cannot_attend_in_the_name_of_its_node() -> None:
    async def main() -> None:
        async with real_room(1) as room, room.person("hub-1") as link:
            with pytest.raises(Exception, match="not by its own socket"):
                async for _ in link.stream("room.attend", room.hub.report()):
                    raise AssertionError("it was let in")
            assert room.hub.online() == {"hub-1"}

    asyncio.run(main())


@pytest.mark.parametrize("bind", ["::1", "*"])
def test_a_room_on_ipv6_and_one_on_every_interface_meet_and_know_where_they_are(bind: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(10), real_room(3, is_started=False) as room, AsyncExitStack() as nodes:
            hub = await nodes.enter_async_context(Node(room.folders["hub-1"], settings=Settings(bind, 0)))
            place = f"[::1]:{hub.addresses[0].port}"
            two, three = [
                await nodes.enter_async_context(Node(room.folders[name], settings=Settings(bind, 0, (place,))))
                for name in ("pc2", "pc3")
            ]
            await until(lambda: all(len(node.presence.online) == 3 for node in (hub, two, three)))
            assert two.presence.of("pc3").addresses == (f"[::1]:{three.addresses[0].port}",)
            assert await (await two.link_to("pc3")).ask("room.ping") == "pong"
            assert await (await hub.link_to("pc3")).ask("room.ping") == "pong"

    asyncio.run(main())


# -- rosters and keys -----------------------------------------------------------------------------------------


def test_a_copied_folder_is_an_alarm_at_the_hub() -> None:
    async def main() -> None:
        async with memory_room(2) as room:
            folder = room.folders["pc2"]
            shutil.copytree(folder.path, room.path / "copy", ignore=shutil.ignore_patterns("*.sock"))
            wire = room.make_wire
            settings = Settings("127.0.0.99", 0, (f"{room.host('hub-1')}:9527",))
            async with Node(StateFolder(room.path / "copy"), settings=settings, wire=wire):
                await until(lambda: room.hub.alarms, timeout=60)
            assert "one key on two machines: pc2 comes from 127.0.0.3" in room.hub.alarms[0]
            assert " and 127.0.0.99" in room.hub.alarms[0]

    clock.run(main())


def test_a_member_that_restarts_many_times_is_no_alarm() -> None:
    async def main() -> None:
        async with memory_room(2) as room:
            for _ in range(5):
                await room.stop("pc2")
                await room.start("pc2")
                await room.wait_together()
            assert room.hub.alarms == ()

    clock.run(main())


def test_a_hub_that_was_set_back_to_an_old_state_learns_the_newest_roster_from_its_members() -> None:
    async def main() -> None:
        async with memory_room(3) as room:
            old = room.folders["hub-1"].roster.read_bytes()
            room.authority.remove(room.owner, "pc3")
            await room.wait_roster(3, "pc2")
            await room.stop("hub-1")
            room.folders["hub-1"].roster.write_bytes(old)
            await room.start("hub-1")
            await until(lambda: room.hub.identity.book.number == 3)
            assert [member.name for member in room.hub.identity.book.current.members] == ["hub-1", "pc2"]

    clock.run(main())


def test_a_hub_that_gave_one_number_to_two_rosters_is_an_alarm_on_both_sides() -> None:
    async def main() -> None:
        async with memory_room(3) as room:
            old, owner = room.folders["hub-1"].roster.read_bytes(), room.owner
            room.authority.set_role(owner, "pc3", Role.OPERATOR)
            await room.wait_roster(3, "pc2")
            await room.stop("hub-1")
            room.folders["hub-1"].roster.write_bytes(old)
            hub = Node(room.folders["hub-1"], settings=Settings("127.0.0.2", 0), wire=room.make_wire)
            assert hub.hub is not None
            hub.hub.unlock(None)
            hub.hub.set_role(owner, "pc2", Role.GUEST)
            async with hub:
                await until(lambda: hub.alarms and room["pc2"].alarms, timeout=30)
                assert "has another roster 3 than this node" in hub.alarms[0] + room["pc2"].alarms[0]

    clock.run(main())


def test_a_removed_member_is_told_cut_off_and_refused_from_then_on() -> None:
    async def main() -> None:
        async with real_room(3) as room:
            link = await room["pc2"].link_to("pc3")
            room.authority.remove(room.owner, "pc2")
            async with asyncio.timeout(15):
                assert "removed from the room" in await link.wait_gone()
            await until(lambda: room["pc2"].alarms)
            assert room["pc2"].status().role == "removed"
            for name in ("pc3", "hub-1"):
                with pytest.raises(ConnectFailed, match="not in the roster"):
                    await room["pc2"].link_to(name)

    asyncio.run(main())


# -- the context of services ----------------------------------------------------------------------------------


def test_a_service_has_a_private_folder_of_its_own() -> None:
    async def main() -> None:
        async with memory_room(1) as room:
            path = room.hub.folder("chat")
            assert path.parent == room.folders["hub-1"].path and path.stat().st_mode & 0o777 == 0o700
            assert room.hub.folder("chat") == path

    clock.run(main())


def test_a_roster_nobody_confirmed_for_a_week_stops_commands_and_nothing_else() -> None:
    async def main() -> None:
        async with memory_room(3, roles={"pc2": Role.OPERATOR}, allow_run=True) as room:
            await room.stop("hub-1", "pc3")
            room.folders["pc3"].freshness.unlink()
            await room.start("pc3")
            link = await room["pc2"].link_to("pc3")
            assert await link.ask("room.ping") == "pong"
            caller = room["pc3"].live_link("pc2")
            assert caller is not None
            verdict = room["pc3"].decide(caller.caller, ("true",), {}, "/")
            assert isinstance(verdict, Refused) and "has not confirmed the roster" in verdict.why

    clock.run(main())


def test_an_operators_target_is_expanded_by_the_roster_of_its_node() -> None:
    async def main() -> None:
        async with memory_room(3) as room:
            assert room["pc2"].expand("@others") == ["hub-1", "pc3"]
            assert room["pc2"].expand("@all", without=["pc[2-3]"]) == ["hub-1"]

    clock.run(main())


def test_the_lost_link_of_a_call_is_told_to_the_caller_at_once() -> None:
    async def main() -> None:
        async with memory_room(3, services=lambda _: [Work()]) as room:
            link = await room["pc2"].link_to("pc3")
            call = asyncio.get_running_loop().create_task(link.ask("work.for_ever"))
            await asyncio.sleep(0)
            link.abort("the cable was pulled")
            with pytest.raises(CallLost):
                await call

    clock.run(main())


def test_the_log_names_who_goes_and_nothing_from_a_peer_is_raw(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with memory_room(3) as room:
            link = await room["pc2"].link_to("pc3")
            link.refuse("bye \x1b[2J")
            await until(lambda: "bye" in caplog.text)

    with caplog.at_level(logging.INFO):
        clock.run(main())
    assert "\x1b" not in caplog.text
