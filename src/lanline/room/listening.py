"""Where a node listens: one TCP port for links and the door, one Unix socket for the people of this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from lanline.address import Address
from lanline.limits import Limits
from lanline.link.guard import Guard
from lanline.link.link import Link
from lanline.link.service import Endpoint
from lanline.room.doorway import Doorkeeper
from lanline.room.identity import Identity
from lanline.session.session import Side
from lanline.transport import tcp, unix
from lanline.transport.base import Arrival, Listener, ProtocolFactory
from lanline.transport.entrance import BULK_PREFIX, DOOR_PREFIX, TLS_PREFIX, Entrance

if TYPE_CHECKING:
    import asyncio

SIGN: Final = b"this is a lanline node; it talks to members of its room only (lanline join HOST on a new machine)\r\n"
"""What anybody else is told before the connection is closed."""


def link_factory(
    guard: Guard, table: Mapping[str, Endpoint], *, boot: bytes, limits: Limits, opened: Callable[[Link], None]
) -> ProtocolFactory:
    """A protocol factory that makes the accepting end of links. `opened` is told of each at its very beginning."""

    def make(arrival: Arrival) -> asyncio.Protocol:
        scheme = "unix" if arrival.scheme == "unix" else "tls"
        link = Link(Side.ACCEPTING, guard, table, scheme=scheme, boot=boot, limits=limits, arrival=arrival)
        opened(link)
        return link.pump

    return make


class Listening:
    """The open listeners of one node.

    Args:
        identity: gives the TLS context and the control socket's path.
        limits: connections, strangers, times.
    """

    def __init__(self, identity: Identity, limits: Limits) -> None:
        self._identity = identity
        self._limits = limits
        self._listeners: list[Listener] = []

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where members reach this node, with the real port."""
        return self._listeners[0].addresses if self._listeners else ()

    @property
    def port(self) -> int:
        """The TCP port."""
        return self.addresses[0].port

    async def open(
        self, host: str, port: int, members: ProtocolFactory, people: ProtocolFactory, door: Doorkeeper | None
    ) -> None:
        """Begins to listen.

        Args:
            host, port: for members; `*` is every interface, 0 any free port.
            members, people: make the ends of their links.
            door: the hub's; None elsewhere.

        Raises:
            ListenFailed: one of the two cannot be served; the other is closed again.
        """
        entrances = [
            Entrance("link", TLS_PREFIX, members, tls=self._identity.accepting),
            Entrance("bulk", BULK_PREFIX, members, is_open=_closed),
        ]
        if door is not None:
            entrances.append(Entrance("door", DOOR_PREFIX, door.new_channel, is_open=door.is_open))
        try:
            self._listeners.append(
                await tcp.listen_entrances(Address("tcp", host, port), entrances, sign=SIGN, limits=self._limits)
            )
            control = Address("unix", path=str(self._identity.folder.control_socket))
            self._listeners.append(await unix.listen(control, people, limits=self._limits, welcome_at_once=False))
        except BaseException:
            await self.close()
            raise

    def stop_accepting(self) -> None:
        """Closes the listening sockets."""
        for listener in self._listeners:
            listener.stop_accepting()

    async def close(self) -> None:
        """Stops accepting and drops whoever is not welcomed."""
        for listener in self._listeners:
            await listener.close()


def _closed() -> bool:
    """No bulk connections are taken yet: no token has been handed out."""
    return False
