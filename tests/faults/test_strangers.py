"""Nobody gets a link with a node who is not in its roster: strangers, other rooms, old sessions, captured bytes."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from lanline.address import Address
from lanline.errors import ConnectFailed
from lanline.limits import LAN
from lanline.link.caller import Caller
from lanline.link.client import open_link
from lanline.link.guard import AwaitRoster, Guard, Verdict, Welcome
from lanline.link.link import Link
from lanline.link.service import Service, endpoint
from lanline.roles import Role
from lanline.room import certificates, keys
from lanline.room.disk import create_secret, write_atomic
from lanline.room.guards import RoomData, RoomGuard
from lanline.room.identity import Identity, load_identity
from lanline.room.names import certificate_name
from lanline.session.session import Side
from lanline.session.states import State
from lanline.testing.room import Room, real_room, until
from lanline.transport import tcp
from lanline.transport.base import ConnectionFacts
from lanline.transport.tls import mutual_context

QUICK = LAN._replace(connect=12.0)


class Reached(Service):
    """Counts who gets as far as a handler."""

    name = "reached"
    count = 0

    @endpoint(role=Role.GUEST)
    def touch(self) -> None:
        """Reached."""
        Reached.count += 1


class Quiet:
    """What a guard of a peer without a node tells of."""

    def adopt(self, roster: bytes) -> None:
        return None

    def link_welcomed(self, link: Link) -> None:
        return None

    def link_lost(self, link: Link, reason: str) -> None:
        return None

    def alarm(self, text: str) -> None:
        return None


@asynccontextmanager
async def room_of_two() -> AsyncIterator[Room]:
    """A hub and pc2, both with a handler that nobody may reach."""
    Reached.count = 0
    async with real_room(2, services=lambda _: [Reached()], limits=QUICK) as room, asyncio.timeout(15):
        yield room
        assert Reached.count == 0


async def knock(
    room: Room,
    identity: Identity,
    *,
    guard: Guard | None = None,
    tls: ssl.SSLContext | None = None,
    name: str = "hub-1",
) -> Link:
    """A link with the hub as this peer."""
    return await open_link(
        room.hub.addresses[0],
        guard or RoomGuard(identity.book, identity.name, Quiet()),
        {},
        boot=b"boot-id-",
        tls=tls or identity.connecting,
        server_name=certificate_name(name, "lab"),
        limits=QUICK,
        timeout=12.0,
    )


def stranger_of(room: Room, path: Path, name: str, *, key: keys.PrivateKey | None = None) -> Identity:
    """An identity with a certificate that this room's authority has signed, for a key of nobody in its roster."""
    hub, folder = room.folders["hub-1"], type(room.folders["hub-1"])(path)
    folder.ensure()
    own = key or keys.new_key()
    authority_key = keys.open_authority_key(hub.authority_key.read_bytes())
    authority = certificates.parse_authority_certificate(hub.authority_certificate.read_bytes())
    certificate = certificates.new_node_certificate(authority_key, authority, own.public_key(), name)
    create_secret(folder.node_key, keys.node_key_pem(own))
    write_atomic(folder.authority_certificate, hub.authority_certificate.read_bytes())
    write_atomic(folder.roster, hub.roster.read_bytes())
    write_atomic(folder.node_certificate, certificates.certificate_pem(certificate))
    return load_identity(folder)


def test_a_certificate_of_the_room_for_a_key_that_is_not_in_the_roster_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with room_of_two() as room:
            for name in ("pc2", "pc9"):
                with pytest.raises(ConnectFailed, match="not in the roster of the room lab"):
                    await knock(room, stranger_of(room, tmp_path / name, name))

    asyncio.run(main())


def test_a_machine_of_another_room_of_the_same_name_is_refused(tmp_path: Path) -> None:
    other = Room(tmp_path)
    other.found({"pc2": Role.OPERATOR})
    identity = load_identity(other.folders["pc2"])

    async def main() -> None:
        async with room_of_two() as room:
            with pytest.raises(ConnectFailed):
                await knock(room, identity)
            # Believing the hub does not help: the hub does not believe it.
            context = mutual_context(
                "connecting",
                other.folders["pc2"].node_certificate,
                other.folders["pc2"].node_key,
                room.folders["hub-1"].authority_certificate,
            )
            with pytest.raises(ConnectFailed):
                await knock(room, identity, tls=context)
            assert room.hub.links() and all(link.caller.name == "pc2" for link in room.hub.links())

    asyncio.run(main())


def test_a_peer_without_a_certificate_is_refused() -> None:
    async def main() -> None:
        async with room_of_two() as room:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(room.folders["hub-1"].authority_certificate)
            context.verify_flags |= 0x200000
            with pytest.raises(ConnectFailed):
                await knock(room, load_identity(room.folders["pc2"]), tls=context)

    asyncio.run(main())


def test_a_node_under_another_name_than_was_dialled_is_refused() -> None:
    async def main() -> None:
        async with room_of_two() as room:
            with pytest.raises(ConnectFailed, match="certificate"):
                await knock(room, load_identity(room.folders["pc2"]), name="pc2")

    asyncio.run(main())


class Lying(RoomGuard):
    """A member that says its roster has another number than it has, and sends an old one."""

    def __init__(self, identity: Identity, number: int, roster: bytes) -> None:
        super().__init__(identity.book, identity.name, Quiet())
        self._hello = RoomData(identity.book.current.room_id, identity.name, number)
        self._roster = roster

    def room_data(self) -> bytes:
        return msgspec.msgpack.encode(self._hello)

    def judge(self, facts: ConnectionFacts, room_data: bytes) -> Verdict:
        return Welcome(Caller("hub-1", Role.OWNER), self._roster)


def test_an_old_roster_replayed_by_a_member_is_refused_and_nothing_goes_back() -> None:
    async def main() -> None:
        async with room_of_two() as room:
            identity = load_identity(room.folders["pc2"])
            old = identity.book.data
            room.authority.set_role(room.owner, "pc2", Role.GUEST)
            await room.wait_roster(3)
            with pytest.raises(ConnectFailed, match="the roster was refused: its number is lower"):
                await knock(room, identity, guard=Lying(identity, 99, old))
            assert room.hub.identity.book.number == 3
            line = room.hub.identity.book.member_for(identity.key_hash)
            assert line is not None and line.role is Role.GUEST

    asyncio.run(main())


def test_a_removed_member_with_the_roster_from_before_is_refused() -> None:
    async def main() -> None:
        async with room_of_two() as room:
            identity = load_identity(room.folders["pc2"])
            room.authority.remove(room.owner, "pc2")
            with pytest.raises(ConnectFailed, match="not in the roster"):
                await knock(room, identity)

    asyncio.run(main())


class Dawdling(RoomGuard):
    """A member that says HELLO and keeps its WELCOME back."""

    def judge(self, facts: ConnectionFacts, room_data: bytes) -> Verdict:
        return AwaitRoster()


def test_a_member_that_is_removed_between_its_hello_and_its_welcome_gets_no_link() -> None:
    async def main() -> None:
        async with room_of_two() as room:
            identity, address = load_identity(room.folders["pc2"]), room.hub.addresses[0]
            guard = Dawdling(identity.book, "pc2", Quiet())
            link = Link(Side.CONNECTING, guard, {}, scheme="tls", boot=b"boot-id-", limits=QUICK)
            name = certificate_name("hub-1", "lab")
            await tcp.connect(address, lambda: link.pump, tls=identity.connecting, server_name=name, timeout=12.0)
            await until(lambda: link.pump.session.state is State.WELCOMED)
            room.authority.remove(room.owner, "pc2")
            # In one breath with the WELCOME, as an attacker would: a call that must not be begun.
            link.pump.session.send_welcome()
            link.pump.session.ask("reached.touch", b"\x90")
            link.pump.wake()
            assert "not in the roster" in await link.wait_gone()
            await until(lambda: all(one.caller.role is None for one in room.hub.links()))

    asyncio.run(main())


def test_a_resumed_tls_session_is_not_to_be_had() -> None:
    async def main() -> None:
        async with room_of_two() as room:
            folder, address = room.folders["pc2"], room.hub.addresses[0]
            context = load_identity(folder).connecting

            def session() -> ssl.SSLSession | None:
                with socket.create_connection((address.host, address.port), timeout=12) as sock:
                    with context.wrap_socket(sock, server_hostname=certificate_name("hub-1", "lab")) as tls:
                        tls.recv(10)  # the HELLO; a ticket would have come before it
                        return tls.session if tls.session is not None and tls.session.has_ticket else None

            assert await asyncio.to_thread(session) is None

    asyncio.run(main())


def test_captured_bytes_of_a_members_link_open_nothing() -> None:
    async def main() -> None:
        async with room_of_two() as room:
            address, identity = room.hub.addresses[0], load_identity(room.folders["pc2"])
            captured = await record(address, identity)
            assert len(captured) > 1000
            links = len(room.hub.links())
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(captured)
            with suppress(ConnectionResetError):
                await reader.read()
            writer.close()
            assert len(room.hub.links()) == links

    asyncio.run(main())


async def record(address: Address, identity: Identity) -> bytes:
    """What a member says on a whole link with the hub, as somebody on the way sees it."""
    captured = bytearray()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(address.host, address.port)

        async def back() -> None:
            while chunk := await far_reader.read(65536):
                writer.write(chunk)
            writer.close()

        async def forth() -> None:
            while chunk := await reader.read(65536):
                captured.extend(chunk)
                far_writer.write(chunk)
            far_writer.close()

        with suppress(ConnectionError):
            await asyncio.gather(back(), forth())

    async with await asyncio.start_server(pass_on, "127.0.0.1", 0) as server:
        place = Address("tcp", *server.sockets[0].getsockname())
        guard = RoomGuard(identity.book, "pc2", Quiet())
        name = certificate_name("hub-1", "lab")
        link = await open_link(place, guard, {}, boot=b"boot-id-", tls=identity.connecting, server_name=name)
        assert await link.ask("room.ping") == "pong"
        await link.close()
    return bytes(captured)
