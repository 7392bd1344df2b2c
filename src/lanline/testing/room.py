"""Rooms for tests: many real nodes in one process, over real sockets and TLS, or in memory under virtual time.

Each node has a state folder, keys and certificates of its own, and listens on an address of its own in 127.0.0.0/8;
only the door is left out, since what it hands out is written to disk directly. `Room.join` takes the way through the
door::

    async with real_room(3, services=lambda node: [Echo()]) as room:
        link = await room["pc2"].link_to("pc3")
        await link.ask("echo.say", "hi")
        await room.stop("pc3")

The first node is the hub, `hub-1`, and the owner; the others are `pc2`, `pc3` and so on. A memory room is the same with
another wire: no sockets, no TLS (certificates are shown, and judged by the roster alone), no door, and a network that a
test can partition. Run it with `lanline.testing.clock.run`.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from lanline.address import Address
from lanline.limits import LAN, Limits
from lanline.link.caller import Caller
from lanline.link.client import Connecting, connect_link
from lanline.link.link import Link
from lanline.link.service import Service
from lanline.roles import Role
from lanline.room import keys, roster
from lanline.room.certificates import certificate_pem, new_node_certificate, parse_authority_certificate
from lanline.room.context import Context
from lanline.room.disk import write_atomic
from lanline.room.doorway import join
from lanline.room.founding import found, keep_joined, node_key_for
from lanline.room.hub import Hub
from lanline.room.identity import Identity
from lanline.room.joincode import JoinCode
from lanline.room.joining import JoinerSide
from lanline.room.node import MakeWire, Node
from lanline.room.paths import StateFolder
from lanline.room.policyfile import add_rule, allow_run_rule
from lanline.room.settings import Settings, save_settings
from lanline.room.wire import LinkEnd, TlsWire, Wire
from lanline.testing.memorywire import InPlace, MemoryNet

HUB: Final = "hub-1"
ROOM: Final = "lab"

PATIENCE: Final = 20.0
"""Seconds after which what a test waits for counts as never."""

_TURN: Final = 0.002

Services = Callable[[Context], Iterable[Service]]


def no_services(node: Context) -> Iterable[Service]:
    """A node that offers nothing but what every node does."""
    return ()


@dataclass
class Room:
    """A room on disk, and the nodes of it that run in this process. Made by `real_room` and `memory_room`.

    Attributes:
        path: the state folders lie below.
        services: made for each node that starts.
        limits: of every node.
        make_wire: what nodes listen and dial with; None for the real network.
        nodes: those that run, by name.
        folders: all, by name, the hub first.
        routes: places that nodes started from here on dial instead of others: `{"127.0.0.2:4000": proxy.place}`. Only
            over the real network.
    """

    path: Path
    services: Services = no_services
    limits: Limits = LAN
    make_wire: MakeWire | None = None
    nodes: dict[str, Node] = field(default_factory=dict)
    folders: dict[str, StateFolder] = field(default_factory=dict)
    routes: dict[str, str] = field(default_factory=dict)
    _ports: dict[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Node:
        """A running node."""
        return self.nodes[name]

    def __repr__(self) -> str:
        return f"<Room {', '.join(self.nodes) or 'asleep'}>"

    @property
    def hub(self) -> Node:
        """The node that is the hub."""
        return self.nodes[HUB]

    @property
    def authority(self) -> Hub:
        """What only the hub does: invitations, removals, roles."""
        assert self.hub.hub is not None, "the first node is the hub"
        return self.hub.hub

    @property
    def owner(self) -> Caller:
        """The owner at the hub, as a caller of `authority`."""
        return Caller(HUB, Role.OWNER, "", self.hub.identity.key_hash, is_local=True)

    def person(self, name: str) -> Connecting[Link]:
        """A link from a person at that machine, over its control socket: `async with room.person("pc2") as link`."""
        return connect_link(Address("unix", path=str(self.folders[name].control_socket)))

    # -- on disk -------------------------------------------------------------------------------------------

    def found(self, roles: Mapping[str, Role], *, allow_run: bool = False) -> None:
        """Puts the room on disk: the hub, and a member for each role.

        Args:
            roles: by name.
            allow_run: every machine runs any command for operators, as root too.
        """
        hub = self.folders[HUB] = StateFolder(self.path / HUB)
        first = found(hub, ROOM, HUB, Settings(bind=self.host(HUB), port=0), None)
        authority_key = keys.open_authority_key(hub.authority_key.read_bytes())
        authority = parse_authority_certificate(hub.authority_certificate.read_bytes())
        lines = list(first.members)
        for name, role in roles.items():
            folder = self.folders[name] = StateFolder(self.path / name)
            key = node_key_for(folder)
            lines.append(roster.Member(name, keys.public_key_hash(key), role, 2))
            certificate = new_node_certificate(authority_key, authority, key.public_key(), name)
            write_atomic(folder.authority_certificate, certificate_pem(authority))
            write_atomic(folder.node_certificate, certificate_pem(certificate))
        members = tuple(sorted(lines, key=lambda member: member.name))
        whole = roster.sign(msgspec.structs.replace(first, members=members, number=2), authority_key)
        for name, folder in self.folders.items():
            write_atomic(folder.roster, whole)
            save_settings(folder, Settings(bind=self.host(name), port=0))
            if allow_run:
                add_rule(folder.policy, allow_run_rule(), allow_root=True)

    def host(self, name: str) -> str:
        """The address of a node in 127.0.0.0/8, its own."""
        number = list(self.folders).index(name) + 1
        return f"127.0.{number // 250}.{number % 250 + 1}"

    # -- life ----------------------------------------------------------------------------------------------

    async def start(self, *names: str, is_locked: bool = False) -> None:
        """Starts nodes, each at the port it had before; the hub's authority key is opened unless `is_locked`."""
        for name in names:
            hub_place = f"{self.host(HUB)}:{self._ports.get(HUB, 0)}"
            settings = Settings(self.host(name), self._ports.get(name, 0), () if name == HUB else (hub_place,))
            wire = self.make_wire or self._routed
            node = Node(self.folders[name], version="test", settings=settings, limits=self.limits, wire=wire)
            node.host(self.services(node))
            if node.hub is not None and not is_locked:
                node.hub.unlock(None)
            await node.start()
            self.nodes[name] = node
            self._ports[name] = node.addresses[0].port

    def _routed(self, identity: Identity, settings: Settings, limits: Limits) -> Wire:
        return RoutedWire(self.routes, identity, settings, limits)

    async def stop(self, *names: str) -> None:
        """Stops nodes."""
        for name in names:
            await self.nodes.pop(name).stop()

    async def stop_all(self) -> None:
        """Stops every node, the hub last; goes through whatever fails and raises the first failure at the end."""
        names = sorted(self.nodes, key=lambda name: name == HUB)
        outcomes = await asyncio.gather(*(self.stop(name) for name in names), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def join(self, name: str, role: Role = Role.MEMBER) -> Node:
        """Lets one more machine join in earnest: an invitation, the code through the door, then its node starts.

        Raises:
            JoinFailed: the hub did not let it in.
        """
        invitation = self.authority.invite(self.owner, role, uses=1, ttl=None)
        await self.join_with(invitation.code.text, name)
        await self.start(name)
        return self.nodes[name]

    async def join_with(self, code: str, name: str, *, timeout: float = 15.0) -> None:
        """Takes a code through the hub's door, in a thread as `lanline join` would, and keeps what it hands out.

        Raises:
            JoinFailed: the hub did not let it in.
        """
        folder = self.folders.setdefault(name, StateFolder(self.path / name))
        key = node_key_for(folder)
        door = self.hub.addresses[0]

        def side() -> JoinerSide:
            return JoinerSide(JoinCode.parse(code), key, name, system="a test")

        # In threads of their own: a class that waits for the hub in all of the loop's would keep it from answering.
        with ThreadPoolExecutor(1, thread_name_prefix=f"join {name}") as threads:
            work = asyncio.get_running_loop().run_in_executor(threads, partial(join, door, side, timeout=timeout))
            joined = await work
        keep_joined(folder, joined, Settings(self.host(name), 0, (f"{door.host}:{door.port}",)))

    # -- waiting -------------------------------------------------------------------------------------------

    async def wait_together(self, *names: str) -> None:
        """Waits until every running node, or each of these, knows all the others of them as online."""
        wanted = frozenset(names or self.nodes)
        await until(
            lambda: all(wanted <= self.nodes[name].presence.online | {name} for name in wanted),
            f"{', '.join(sorted(wanted))} to know each other",
        )

    async def wait_roster(self, number: int, *names: str) -> None:
        """Waits until every running node, or each of these, has this roster in force, or a newer one."""
        nodes = [self.nodes[name] for name in names or self.nodes]
        await until(lambda: all(node.identity.book.number >= number for node in nodes), f"roster {number}")


class RoutedWire(TlsWire):
    """The real network, on which some places are dialled elsewhere: at a fault proxy, say.

    Args:
        routes: from place to place; looked at with every dialling.
    """

    def __init__(self, routes: Mapping[str, str], identity: Identity, settings: Settings, limits: Limits) -> None:
        super().__init__(identity, settings.bind, settings.port, limits)
        self._routes = routes

    async def dial(self, place: str, name: str, end: LinkEnd) -> Link:
        """See Wire."""
        return await super().dial(self._routes.get(place, place), name, end)


async def until(holds: Callable[[], object], what: str = "it", *, timeout: float = PATIENCE) -> None:
    """Waits, a moment of the loop's time at a time, until something holds.

    Args:
        holds: asked again and again.
        what: for the error.
        timeout: seconds.

    Raises:
        AssertionError: it never held.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while not holds():
        assert loop.time() < deadline, f"waited {timeout:g} s for {what}"
        await asyncio.sleep(_TURN)


@asynccontextmanager
async def real_room(
    nodes: int = 3,
    *,
    roles: Mapping[str, Role] | None = None,
    services: Services = no_services,
    limits: Limits = LAN,
    allow_run: bool = False,
    is_started: bool = True,
    make_wire: MakeWire | None = None,
) -> AsyncIterator[Room]:
    """A room of real nodes on sockets of 127.0.0.0/8, with real certificates and TLS.

    Args:
        nodes: how many, the hub among them.
        roles: by name, for those that are not members.
        services: made for each node.
        limits: of every node.
        allow_run: every machine runs any command for operators.
        is_started: start them all and wait until they know each other.
        make_wire: another wire in place of the real one.
    """
    path = Path(tempfile.mkdtemp(prefix="room", dir=_quick_folder()))
    room = Room(path, services, limits, make_wire)
    try:
        names = [f"pc{number}" for number in range(2, nodes + 1)]
        room.found({name: (roles or {}).get(name, Role.MEMBER) for name in names}, allow_run=allow_run)
        if is_started:
            await room.start(HUB, *names)
            await room.wait_together()
        yield room
    finally:
        try:
            await room.stop_all()
        finally:
            shutil.rmtree(path, ignore_errors=True)


@asynccontextmanager
async def memory_room(
    nodes: int = 3,
    *,
    roles: Mapping[str, Role] | None = None,
    services: Services = no_services,
    limits: Limits = LAN,
    allow_run: bool = False,
    is_started: bool = True,
    net: MemoryNet | None = None,
) -> AsyncIterator[Room]:
    """As `real_room`, over memory: for a loop with virtual time. See `MemoryNet` for latency and partitions."""
    # What nodes do in threads would take no virtual time and an unknown number of turns: here it is done in place.
    asyncio.get_running_loop().set_default_executor(InPlace())
    wire = (net or MemoryNet()).wire
    async with real_room(
        nodes,
        roles=roles,
        services=services,
        limits=limits,
        allow_run=allow_run,
        is_started=is_started,
        make_wire=wire,
    ) as room:
        yield room


def _quick_folder() -> str | None:
    """A folder in memory, where there is one: a room of a hundred nodes syncs its files a thousand times."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    return str(shared) if shared.is_dir() else None
