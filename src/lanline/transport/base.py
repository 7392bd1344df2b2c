"""What every transport gives to the layer above: arrivals, listeners and the facts of a connection.

The seam itself is asyncio's own Transport and Protocol pair, so that uvloop, stock asyncio and memory look
the same from above. This file opens nothing; it holds the types that go with that pair.

One duty of whoever writes a protocol for a listener: call `Arrival.welcomed` once it knows who the peer is,
and `Arrival.gone` from `connection_lost`. A connection nobody welcomes is dropped after `limits.handshake`
seconds.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lanline.address import Address
from lanline.transport.failures import tls_words, translate_connect, translate_listen, translate_loss
from lanline.transport.peernames import internet_peer_text, peer_process, unix_peer_text

if TYPE_CHECKING:
    import ssl

__all__ = [
    "Arrival",
    "ProtocolFactory",
    "Listener",
    "ListenerStatistics",
    "ConnectionFacts",
    "connection_facts",
    "local_address",
    "tls_words",
    "translate_connect",
    "translate_listen",
    "translate_loss",
]


class Keeper(Protocol):
    """Whoever counts connections; an `Arrival` reports to it."""

    def welcome(self, member: str | None) -> bool:
        """The peer is known now. False: over the limit."""

    def forget(self) -> None:
        """The connection is over."""


class Arrival:
    """What a listener knows of one new connection, given to the protocol factory before any byte is read.

    Args:
        scheme: `tcp`, `tls`, `unix` or `mem`.
        peer_address: for people and logs: `tcp://192.168.1.7:51234`, `unix://run/x.sock (uid 1000, process
            77)`.
        host: what limits per address count by: the IP address, without port; empty for unix and mem.
        uid: user id of the peer's process on unix and mem, as the kernel says; None elsewhere.
        first: the bytes peeked to choose an entrance. They are still unread: the protocol gets them again.
        keeper: who counts this connection; None counts nowhere (for tests and for protocols fed by hand).
    """

    __slots__ = ("scheme", "peer_address", "host", "uid", "first", "member", "_keeper")

    def __init__(
        self,
        *,
        scheme: str,
        peer_address: str,
        host: str = "",
        uid: int | None = None,
        first: bytes = b"",
        keeper: Keeper | None = None,
    ) -> None:
        self.scheme = scheme
        self.peer_address = peer_address
        self.host = host
        self.uid = uid
        self.first = first
        self.member: str | None = None
        self._keeper = keeper

    def welcomed(self, member: str | None = None) -> bool:
        """The peer is known: it is no longer counted as a stranger, and no deadline hangs over it.

        Args:
            member: who it is, for the limit per member; None for a peer without a name.

        Returns:
            False when this member has `limits.max_connections_per_member` connections already, or when the
            connection is over. Then say so to the peer if the protocol can, and close: the newest is the one
            refused, because the older ones may carry a transfer or a running command. It goes on counting as
            a stranger, so its deadline ends it in any case.
        """
        if self._keeper is not None and not self._keeper.welcome(member):
            return False
        self.member = member
        return True

    @property
    def keeper(self) -> Keeper | None:
        """Who counts this connection. A protocol that keeps nothing of the arrival calls `forget` of it in place of
        `gone` here."""
        return self._keeper

    def gone(self) -> None:
        """The connection is over. Call it from `connection_lost`; a second call does nothing."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.forget()

    def __repr__(self) -> str:
        who = f" member={self.member}" if self.member is not None else ""
        return f"<Arrival {self.peer_address}{who}>"


ProtocolFactory = Callable[[Arrival], asyncio.BaseProtocol]
"""Makes the protocol for one accepted connection."""


@dataclass(frozen=True, slots=True)
class ListenerStatistics:
    """What a listener has seen since it was opened."""

    accepted: int
    """Connections taken from the listen queue."""

    refused: int
    """Closed at once, or not welcomed: over a limit with no stranger left to drop."""

    dropped_strangers: int
    """Never welcomed: the oldest made way for a newer one, or `limits.handshake` seconds were over."""

    strangers: int
    """Open now and not yet welcomed."""

    connections: int
    """Open now, strangers included."""

    accept_errors: int
    """Times that accept(2) failed, nearly always for want of descriptors."""

    failed_handshakes: int = 0
    """TLS handshakes that came to nothing."""

    turned_away: int = 0
    """Began with bytes that belong to no open entrance, and were told so."""


class Listener(Protocol):
    """An address being served. Made by `lanline.transport.registry.listen` and the schemes' own functions."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens, with the real port in place of 0. One entry per socket."""

    def stop_accepting(self) -> None:
        """Closes the listening sockets; connections stay as they are. A second call does nothing."""

    async def close(self) -> None:
        """Stops accepting and drops strangers. Welcomed connections belong to their protocols."""

    def statistics(self) -> ListenerStatistics:
        """The counters, as they are now."""


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """What is known of the peer of a live connection, from kernel and TLS: nothing the peer claims."""

    scheme: str
    """`tcp`, `tls`, `unix` or `mem`. TLS over a Unix socket is `tls`."""

    peer_address: str
    """`tls://192.168.1.7:51234`; empty where the kernel no longer knows it."""

    certificate: bytes | None
    """The peer's certificate in DER, judged already; None without TLS, or when the peer needed none."""

    uid: int | None
    """User id of the peer's process, on unix and mem."""


def connection_facts(transport: asyncio.BaseTransport) -> ConnectionFacts:
    """The facts of a connection. Ask within `connection_made`: some are gone once the peer is.

    Args:
        transport: one of ours, or of asyncio or uvloop.
    """
    certificate: bytes | None = transport.get_extra_info("lanline.certificate")
    scheme: str | None = transport.get_extra_info("lanline.scheme")
    if scheme is not None:
        name = transport.get_extra_info("peername")
        return ConnectionFacts(scheme, str(name), certificate, transport.get_extra_info("lanline.uid"))
    sock: socket.socket | None = transport.get_extra_info("socket")
    is_unix = sock is not None and sock.family == socket.AF_UNIX
    scheme = "unix" if is_unix else "tcp"
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if tls is not None:
        scheme, certificate = "tls", tls.getpeercert(binary_form=True)
    uid, text = None, ""
    name = transport.get_extra_info("peername")
    if sock is not None and is_unix:
        uid, process = peer_process(sock)
        text = unix_peer_text(name, uid, process)
    elif name:
        text = internet_peer_text(scheme, name)
    return ConnectionFacts(scheme, text, certificate, uid)


def local_address(transport: asyncio.BaseTransport) -> str:
    """This side's own end of a connection, as text: `tcp://192.168.1.5:9000`; empty where it is no longer known."""
    name = transport.get_extra_info("sockname")
    if transport.get_extra_info("lanline.scheme") is not None:
        return str(name)
    if isinstance(name, tuple):
        return internet_peer_text("tcp" if transport.get_extra_info("ssl_object") is None else "tls", name)
    return "" if name is None else unix_peer_text(name, None, None)
