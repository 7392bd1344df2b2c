"""How a node listens and dials in earnest: which addresses, which names, from where, and who is turned away."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from lanline.address import Address
from lanline.errors import AddressError, ConnectFailed, ListenFailed
from lanline.limits import LAN, Limits
from lanline.link.link import Link
from lanline.roles import Role
from lanline.room.doorway import SIGN
from lanline.room.guards import LocalGuard, RoomGuard
from lanline.room.identity import Identity, load_identity
from lanline.room.wire import LinkEnd, TlsWire, for_room_of, places
from lanline.testing.room import Room

QUICK = LAN._replace(connect=10.0)


class End:
    """A member's ends of links, without a node around them."""

    def __init__(self, identity: Identity, limits: Limits = QUICK) -> None:
        self.identity = identity
        self.links: list[Link] = []
        self.members = self.end(RoomGuard(identity.book, identity.name, self), limits)
        self.people = self.end(LocalGuard(identity.name, lambda: Role.MEMBER, identity.key_hash), limits)

    def end(self, guard: RoomGuard | LocalGuard, limits: Limits) -> LinkEnd:
        return LinkEnd(guard, {}, b"boot-id-", limits, self.links.append)

    def adopt(self, roster: bytes) -> None:
        return None

    def link_welcomed(self, link: Link) -> None:
        return None

    def link_lost(self, link: Link, reason: str) -> None:
        return None

    def alarm(self, text: str) -> None:
        raise AssertionError(text)


@pytest.fixture
def room(tmp_path: Path, home: Path) -> Room:
    """Three machines on disk; the folder's path is short, for the control sockets."""
    one = Room(home / "lab")
    one.path.mkdir()
    one.found({"pc2": Role.MEMBER, "pc3": Role.MEMBER})
    return one


@asynccontextmanager
async def listening(room: Room, name: str, bind: str, port: int = 0) -> AsyncIterator[tuple[TlsWire, End]]:
    """One machine's wire, open."""
    identity = load_identity(room.folders[name])
    wire, end = TlsWire(identity, bind, port, QUICK), End(identity)
    await wire.open(end.members, end.people, None)
    try:
        async with asyncio.timeout(10):
            yield wire, end
    finally:
        for link in end.links:
            await link.close()
        await wire.close()


async def dial(room: Room, place: str, *, own: str = "pc3", name: str = "pc2", bind: str = "*") -> Link:
    """A link from another machine."""
    identity = load_identity(room.folders[own])
    return await TlsWire(identity, bind, 0, QUICK).dial(place, name, End(identity).members)


def test_members_reach_each_other_by_name_and_know_each_other_by_key(room: Room) -> None:
    async def main() -> None:
        async with listening(room, "pc2", "127.0.0.3") as (wire, end):
            assert wire.hosts == ("127.0.0.3",) and wire.addresses[0].port == wire.port > 0
            link = await dial(room, f"127.0.0.3:{wire.port}")
            assert link.caller.name == "pc2" and end.links[0].caller.name == "pc3"
            await link.close()

    asyncio.run(main())


def test_a_node_connects_from_the_address_it_was_told_to_bind_to(room: Room) -> None:
    async def main() -> None:
        async with listening(room, "pc2", "127.0.0.3") as (wire, end):
            identity = load_identity(room.folders["pc3"])
            own = TlsWire(identity, "127.0.0.5", 0, QUICK)
            ends = End(identity)
            await own.open(ends.members, ends.people, None)
            link = await own.dial(f"127.0.0.3:{wire.port}", "pc2", ends.members)
            assert Address.parse(end.links[0].caller.address).host == "127.0.0.5"
            await link.close()
            await own.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("bind", "host"), [("::1", "[::1]"), ("*", "127.0.0.1"), ("*", "[::1]"), ("localhost", "127.0.0.1")]
)
def test_it_listens_on_ipv6_on_every_interface_and_on_a_name(room: Room, bind: str, host: str) -> None:
    async def main() -> None:
        async with listening(room, "pc2", bind) as (wire, _):
            assert wire.hosts == (() if bind == "*" else tuple(address.host for address in wire.addresses))
            link = await dial(room, f"{host}:{wire.port}", bind="*")
            assert link.is_open
            await link.close()

    asyncio.run(main())


def test_a_hub_is_reached_by_its_host_name(room: Room) -> None:
    async def main() -> None:
        async with listening(room, "pc2", "127.0.0.1") as (wire, _):
            link = await dial(room, f"localhost:{wire.port}")
            assert link.caller.name == "pc2"
            await link.close()

    asyncio.run(main())


def test_a_certificate_with_another_name_is_refused_before_anything_is_said(room: Room) -> None:
    async def main() -> None:
        async with listening(room, "pc2", "127.0.0.3") as (wire, end):
            with pytest.raises(ConnectFailed, match="certificate"):
                await dial(room, f"127.0.0.3:{wire.port}", name="hub-1")
            assert all(not link.is_open for link in end.links)

    asyncio.run(main())


def test_a_port_in_use_is_said_so_and_nothing_stays_open(room: Room) -> None:
    async def main() -> None:
        async with listening(room, "pc2", "127.0.0.3") as (wire, _):
            identity = load_identity(room.folders["pc3"])
            other, end = TlsWire(identity, "127.0.0.3", wire.port, QUICK), End(identity)
            with pytest.raises(ListenFailed, match="in use"):
                await other.open(end.members, end.people, None)
            assert not identity.folder.control_socket.exists()

    asyncio.run(main())


def test_a_control_socket_that_cannot_be_made_closes_the_port_again(room: Room) -> None:
    async def main() -> None:
        identity = load_identity(room.folders["pc3"])
        identity.folder.control_socket.mkdir()
        with closing(socket.socket()) as sock:
            sock.bind(("127.0.0.3", 0))
            port = sock.getsockname()[1]
        wire, end = TlsWire(identity, "127.0.0.3", port, QUICK), End(identity)
        with pytest.raises(ListenFailed):
            await wire.open(end.members, end.people, None)
        with closing(socket.socket()) as sock:
            sock.bind(("127.0.0.3", port))

    asyncio.run(main())


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", b"LANLINE\x01", b"\x02" + b"t" * 16, b"SSH-2.0-x\r\n"])
def test_whoever_is_no_member_is_told_in_one_line_what_this_port_is(room: Room, first: bytes) -> None:
    async def main() -> None:
        async with listening(room, "pc2", "127.0.0.3") as (wire, end):
            reader, writer = await asyncio.open_connection("127.0.0.3", wire.port)
            writer.write(first)
            assert await reader.read() == SIGN
            writer.close()
            assert end.links == []

    asyncio.run(main())


def test_a_handshake_that_comes_to_nothing_leaves_no_link_behind(room: Room) -> None:
    async def main() -> None:
        async with listening(room, "pc2", "127.0.0.3") as (wire, end):
            for _ in range(20):
                reader, writer = await asyncio.open_connection("127.0.0.3", wire.port)
                writer.write(b"\x16\x03\x01\x00\x05hello")
                await reader.read()
                writer.close()
            assert end.links == []

    asyncio.run(main())


@pytest.mark.parametrize("place", ["*:1", "a b:1", "[::1:1", "", "x:99999"])
def test_a_place_that_makes_no_sense_is_said_so(room: Room, place: str) -> None:
    async def main() -> None:
        with pytest.raises(AddressError):
            await dial(room, place)

    asyncio.run(main())


def test_places_are_hosts_and_ports_as_they_are_dialled() -> None:
    assert places(("10.0.0.7", "fe80::1"), 9527) == ("10.0.0.7:9527", "[fe80::1]:9527")
    assert all(place.endswith(":9527") for place in places((), 9527)) and places((), 9527)


def test_a_large_room_has_room_for_a_quarter_of_it_on_the_way_in_and_a_small_one_what_it_had() -> None:
    assert for_room_of(30, LAN).max_strangers == LAN.max_strangers
    assert for_room_of(1000, LAN).max_strangers == 250
    assert for_room_of(1000, LAN._replace(max_strangers=400)).max_strangers == 400
