"""How a node listens and reaches others. The seam between a node and its network, with the real one.

`TlsWire` has one TCP port for links and the door, one Unix socket for the people of this machine, and TLS with the
room's certificates between members. `lanline.testing.room` has one over memory, for rooms under virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from lanline.address import Address
from lanline.limits import Limits
from lanline.link.client import open_link
from lanline.link.guard import Guard
from lanline.link.link import Link
from lanline.link.service import Endpoint
from lanline.room.doorway import SIGN, Doorkeeper
from lanline.room.identity import Identity
from lanline.room.names import certificate_name
from lanline.session.session import Side
from lanline.transport import tcp, unix
from lanline.transport.base import Arrival, Listener
from lanline.transport.entrance import BULK_PREFIX, DOOR_PREFIX, TLS_PREFIX, Entrance
from lanline.transport.interfaces import own_addresses

EVERYWHERE: Final = frozenset(("*", "0.0.0.0", "::"))  # noqa: S104 - compared with, not bound to
"""Words for every interface."""


@dataclass(frozen=True, slots=True)
class LinkEnd:
    """What this node's end of each link is made of.

    Attributes:
        guard: judges the peer.
        table: what the peer may ask.
        boot: 8 random bytes that name this start of the node.
        limits: sizes and times.
        connected: told of each accepted link, once its connection is there.
    """

    guard: Guard
    table: Mapping[str, Endpoint] = field(repr=False)
    boot: bytes
    limits: Limits
    connected: Callable[[Link], None]

    def accept(self, arrival: Arrival) -> asyncio.BaseProtocol:
        """The accepting end of one link: a protocol factory."""
        return Link(
            Side.ACCEPTING,
            self.guard,
            self.table,
            scheme=arrival.scheme,
            boot=self.boot,
            limits=self.limits,
            arrival=arrival,
            on_connected=self.connected,
        ).pump


class Wire(Protocol):
    """What a node needs of its network."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where members reach this node."""

    @property
    def port(self) -> int:
        """The port of links."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts it was told to listen on; empty for every interface."""

    async def open(self, members: LinkEnd, people: LinkEnd, door: Doorkeeper | None) -> None:
        """Begins to listen.

        Args:
            members, people: make the ends of their links.
            door: the hub's; None elsewhere.

        Raises:
            ListenFailed: something cannot be served; nothing stays open.
        """

    async def dial(self, place: str, name: str, end: LinkEnd) -> Link:
        """Opens a link.

        Args:
            place: `host:port`.
            name: the member that must be there.
            end: makes this side.

        Raises:
            ConnectFailed: it is not, or does not let this node in. AddressError: the place makes no sense.
        """

    def stop_accepting(self) -> None:
        """Lets nobody in any more; links stay."""

    async def close(self) -> None:
        """Stops accepting and drops whoever is not welcomed."""


class TlsWire:
    """The real network.

    Args:
        identity: gives the TLS contexts and the control socket's path.
        bind: host to listen on and to connect from; `*` is every interface.
        port: TCP port; 0 for any free one.
        limits: connections, strangers, times.
    """

    def __init__(self, identity: Identity, bind: str, port: int, limits: Limits) -> None:
        self._identity = identity
        self._bind = bind
        self._wanted_port = port
        self._limits = for_room_of(len(identity.book.current.members), limits)
        self._listeners: list[Listener] = []

    def __repr__(self) -> str:
        return f"<TlsWire {', '.join(map(str, self.addresses)) or 'closed'}>"

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where members reach this node, with the real port."""
        return self._listeners[0].addresses if self._listeners else ()

    @property
    def port(self) -> int:
        """The TCP port: the real one once it listens."""
        return self.addresses[0].port if self.addresses else self._wanted_port

    @property
    def hosts(self) -> tuple[str, ...]:
        """IP addresses it listens on; empty for every interface."""
        return () if self._bind in EVERYWHERE else tuple(address.host for address in self.addresses)

    async def open(self, members: LinkEnd, people: LinkEnd, door: Doorkeeper | None) -> None:
        """See Wire."""
        entrances = [
            Entrance("link", TLS_PREFIX, members.accept, tls=self._identity.accepting),
            Entrance("bulk", BULK_PREFIX, members.accept, is_open=_closed),
        ]
        if door is not None:
            entrances.append(Entrance("door", DOOR_PREFIX, door.new_channel, is_open=door.is_open))
        try:
            place = Address("tcp", self._bind, self._wanted_port)
            self._listeners.append(await tcp.listen_entrances(place, entrances, sign=SIGN, limits=self._limits))
            control = Address("unix", path=str(self._identity.folder.control_socket))
            self._listeners.append(
                await unix.listen(control, people.accept, limits=self._limits, welcome_at_once=False)
            )
        except BaseException:
            await self.close()
            raise

    async def dial(self, place: str, name: str, end: LinkEnd) -> Link:
        """See Wire. Connects from the address it was told to bind to, so that others see the one they know."""
        address = Address.parse(f"tcp://{place}")
        return await open_link(
            address,
            end.guard,
            end.table,
            boot=end.boot,
            tls=self._identity.connecting,
            server_name=certificate_name(name, self._identity.room),
            local_host=self._source_for(address.host),
            timeout=end.limits.connect,
            limits=end.limits,
        )

    def stop_accepting(self) -> None:
        """Closes the listening sockets."""
        for listener in self._listeners:
            listener.stop_accepting()

    async def close(self) -> None:
        """Stops accepting and drops whoever is not welcomed."""
        for listener in self._listeners:
            await listener.close()

    def _source_for(self, host: str) -> str | None:
        """One of our addresses of the same family as the peer's; None leaves it to the system."""
        same = [own for own in self.hosts if (":" in own) == (":" in host)]
        return same[0] if same else None


def for_room_of(members: int, limits: Limits) -> Limits:
    """The limits with room for so many members on their way in as come at once when the hub of a large room returns:
    a quarter of them, if that is more than `max_strangers`. With 64 places a thousand members drop each other in the
    middle of their handshakes, and the last is back two tries later (benchmarks/hub_restart.py)."""
    return limits._replace(max_strangers=max(limits.max_strangers, members // 4))


def places(hosts: tuple[str, ...], port: int) -> tuple[str, ...]:
    """Hosts and a port as people and other nodes write them: `10.0.0.7:9527`, `[fe80::1]:9527`. No host: all of this
    machine's."""
    return tuple(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in hosts or own_addresses())


def _closed() -> bool:
    """No bulk connections are taken yet: no token has been handed out."""
    return False
