"""A network in memory for nodes: what `room/wire.py` is over sockets, under virtual time, with latency and partitions.

Nothing is encrypted. Each side shows its certificate and the roster judges its key, as over TLS; that a certificate
is signed by the room's authority and bears the right name, which TLS checks, is taken for granted here. There is no
door and no control socket.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from lanline.address import Address
from lanline.errors import ConnectFailed
from lanline.limits import Limits
from lanline.link.link import Link
from lanline.room.doorway import Doorkeeper
from lanline.room.identity import Identity
from lanline.room.settings import Settings
from lanline.room.wire import LinkEnd
from lanline.session.session import Side
from lanline.transport import memory
from lanline.transport.base import Listener

T = TypeVar("T")

_PORT = 9527


class MemoryNet:
    """All that the nodes of one room share: who can reach whom.

    Args:
        latency: seconds from one node to another, on every connection.
    """

    def __init__(self, *, latency: float = 0.0) -> None:
        self.latency = latency
        self.dialled = 0
        self._group_of: dict[str, int] = {}
        self._links: dict[Link, tuple[str, str]] = {}

    def __repr__(self) -> str:
        return f"<MemoryNet links={len(self._links)} groups={len(set(self._group_of.values())) or 1}>"

    def wire(self, identity: Identity, settings: Settings, limits: Limits) -> MemoryWire:
        """The wire of one node: pass this method as `make_wire`."""
        return MemoryWire(self, identity, settings, limits)

    def partition(self, *groups: Iterable[str]) -> None:
        """Cuts the net: nodes of different groups lose their links and cannot reach each other until `heal`.

        Args:
            groups: names; nodes that stand in none form one more.
        """
        self._group_of = {name: number for number, names in enumerate(groups, 1) for name in names}
        for link, (one, other) in list(self._links.items()):
            if not self.is_passable(one, other):
                link.abort("the network was cut")

    def heal(self) -> None:
        """Everybody reaches everybody again."""
        self._group_of = {}

    def is_passable(self, one: str, other: str) -> bool:
        """Whether two nodes can reach each other now."""
        return self._group_of.get(one, 0) == self._group_of.get(other, 0)

    def keep(self, link: Link, one: str, other: str) -> None:
        """Remembers a link between two nodes for as long as it lives."""
        self._links[link] = (one, other)
        link.when_gone(lambda gone: self._links.pop(gone, None))


class MemoryWire:
    """One node's way into a MemoryNet. See `lanline.room.wire.Wire`."""

    def __init__(self, net: MemoryNet, identity: Identity, settings: Settings, limits: Limits) -> None:
        self._net = net
        self._name = identity.name
        self._host = settings.bind
        self._limits = limits
        self._certificate = ssl.PEM_cert_to_DER_cert(identity.folder.node_certificate.read_text("ascii"))
        self._listener: Listener | None = None

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where members reach this node."""
        return (Address("tcp", self._host, _PORT),) if self._listener else ()

    @property
    def port(self) -> int:
        """The port of links."""
        return _PORT

    @property
    def hosts(self) -> tuple[str, ...]:
        """The one host."""
        return (self._host,)

    async def open(self, members: LinkEnd, people: LinkEnd, door: Doorkeeper | None) -> None:
        """See Wire."""
        self._listener = await memory.listen(
            _name(f"{self._host}:{_PORT}"),
            members.accept,
            limits=self._limits,
            welcome_at_once=False,
            latency=self._net.latency,
            certificate=self._certificate,
        )

    async def dial(self, place: str, name: str, end: LinkEnd) -> Link:
        """See Wire."""
        if not self._net.is_passable(self._name, name):
            await asyncio.sleep(end.limits.connect)
            raise ConnectFailed(f"{place} did not answer within {end.limits.connect:g} s")
        self._net.dialled += 1
        link = Link(Side.CONNECTING, end.guard, end.table, scheme="mem", boot=end.boot, limits=end.limits)
        try:
            await memory.connect(
                _name(place),
                lambda: link.pump,
                timeout=end.limits.connect,
                local_host=f"{self._host}-{self._net.dialled}",
                certificate=self._certificate,
            )
            await link.wait_welcomed()
        except BaseException:
            link.abort("the first exchange failed")
            raise
        self._net.keep(link, self._name, name)
        return link

    def stop_accepting(self) -> None:
        """Gives the name up."""
        if self._listener is not None:
            self._listener.stop_accepting()

    async def close(self) -> None:
        """Gives the name up."""
        if self._listener is not None:
            await self._listener.close()


def _name(place: str) -> Address:
    return Address("mem", path=place.replace(":", "-"))


class InPlace(ThreadPoolExecutor):
    """An executor without threads: work is done at once where it is handed in, so virtual time knows how long it
    took."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)

    def submit(self, work: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        """Does the work and returns a future that is done."""
        future: Future[T] = Future()
        try:
            future.set_result(work(*arguments, **named))
        except BaseException as error:
            future.set_exception(error)
        return future
