"""Members without nodes: what a thousand of them cost a hub, without a thousand processes.

A stand-in has a key, a certificate and a line in the roster of its own, and speaks with the hub exactly as a node
does (mutual TLS, HELLO, ROSTER, WELCOME, `room.attend` kept by the real HubLink); it has no folder to lock, no
listener and no services. A room of them is made on disk in memory, in seconds.
"""

from __future__ import annotations

import shutil
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lanline.address import Address
from lanline.limits import LAN
from lanline.link.client import open_link
from lanline.link.link import Link
from lanline.roles import Role
from lanline.room.book import RosterBook
from lanline.room.certificates import parse_authority_certificate
from lanline.room.guards import RoomGuard
from lanline.room.names import certificate_name
from lanline.room.paths import StateFolder
from lanline.room.presence import Report
from lanline.testing.room import HUB, ROOM, Room
from lanline.transport.tls import mutual_context

PATIENT = LAN._replace(connect=30.0, handshake=30.0, max_strangers=2048, max_strangers_per_address=64)
"""For measuring memory, where everybody comes at once and nobody is in a hurry."""


@contextmanager
def room_of(members: int) -> Iterator[Path]:
    """A room with so many members besides the hub, on disk."""
    shared = Path("/dev/shm")
    path = Path(tempfile.mkdtemp(prefix="bench", dir=shared if shared.is_dir() else None))
    try:
        Room(path).found({f"pc{number}": Role.MEMBER for number in range(2, members + 2)})
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class StandIn:
    """One member.

    Args:
        path: the room's.
        number: which of them, from 2 on.
        book: the roster, shared by all: none of them changes it.
    """

    def __init__(self, path: Path, number: int, book: RosterBook) -> None:
        self.name = f"pc{number}"
        self.host = f"127.{number // 62500 + 1}.{number // 250 % 250}.{number % 250 + 1}"
        self._book = book
        self._folder = StateFolder(path / self.name)
        self._guard = RoomGuard(book, self.name, self)
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """Its TLS context for connecting, made once."""
        if self._context is None:
            folder = self._folder
            files = (folder.node_certificate, folder.node_key, folder.authority_certificate)
            self._context = mutual_context("connecting", *files)
        return self._context

    async def link_to_hub(self, port: int) -> Link:
        """A link with the hub, from this member's own address."""
        return await open_link(
            Address("tcp", "127.0.0.1", port),
            self._guard,
            {},
            boot=self.name.encode().ljust(8)[:8],
            tls=self.context(),
            server_name=certificate_name(HUB, ROOM),
            local_host=self.host,
            timeout=PATIENT.connect,
            limits=PATIENT,
        )

    def report(self) -> Report:
        """What it says of itself, as a node does."""
        return Report(9527, (self.host,), "0.1.0", "Linux 6.1.0 x86_64", False, self._book.number)

    def adopt(self, roster: bytes) -> None:
        """Keeps the roster it has."""

    def link_welcomed(self, link: Link) -> None:
        """Nothing to keep."""

    def link_lost(self, link: Link, reason: str) -> None:
        """Nothing to forget."""

    def alarm(self, text: str) -> None:
        """There is no reason for one."""
        raise AssertionError(text)


def stand_ins(path: Path, members: int) -> list[StandIn]:
    """All of them."""
    hub = StateFolder(path / HUB)
    authority = parse_authority_certificate(hub.authority_certificate.read_bytes())
    book = RosterBook(authority.public_key(), hub.roster.read_bytes())  # type: ignore[arg-type]
    return [StandIn(path, number, book) for number in range(2, members + 2)]
