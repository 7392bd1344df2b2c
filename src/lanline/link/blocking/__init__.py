"""Channels and links without an event loop: the same framings and the same session, over blocking sockets.

This file holds the functions that make them; each class has a file of its own, loaded when it is first used, so that
the start of `lanline run` and `lanline who` stays short. Nothing here imports asyncio. Errors are those of the asyncio
side.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from lanline.address import Address
from lanline.errors import AddressError, UsageError
from lanline.limits import LAN, Limits
from lanline.translation import _
from lanline.transport import sockets
from lanline.transport.failures import translate_connect
from lanline.transport.wire import PlainWire, Wire

if TYPE_CHECKING:
    import socket
    import ssl

    from lanline.framing.base import Framing
    from lanline.link.blocking.channel import Channel
    from lanline.link.blocking.datagramsocket import DatagramSocket
    from lanline.link.blocking.handlers import Handled
    from lanline.link.blocking.link import Call, Link
    from lanline.link.blocking.server import Server
    from lanline.link.blocking.shouts import Shouts
    from lanline.transport.udp.multicast import Delivery

__all__ = [
    "connect",
    "connect_link",
    "serve",
    "bind",
    "shout",
    "hear",
    "Channel",
    "Server",
    "DatagramSocket",
    "Shouts",
    "Link",
    "Call",
]

_HOMES: Final = {
    "Channel": "channel",
    "Server": "server",
    "DatagramSocket": "datagramsocket",
    "Shouts": "shouts",
    "Link": "link",
    "Call": "link",
}


def __getattr__(name: str) -> object:
    """Loads a class when it is first named here (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def connect(
    address: str | Address,
    *,
    framing: Framing | None = None,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
    timeout: float = LAN.connect,
    limits: Limits = LAN,
) -> Channel:
    """A channel to whoever serves this address: `with blocking.connect("tcp://pc7:9000", framing=Lines()) as channel`.

    Args:
        address: tcp, tls, unix or udp. Not mem, which belongs to an event loop.
        framing: how messages lie in the stream; Raw (whatever one read delivers) by default. Over udp one datagram is
            one message, whatever the framing.
        tls: speaks TLS with this context; for tls:// the authorities of this system are believed by default.
        server_name: the name the server's certificate must bear; the host of the address by default.
        timeout: seconds until the connection is there, TLS included; name lookup is not, as it cannot be interrupted.
        limits: `drain` is used: how long closing waits for a peer that takes nothing.

    Raises:
        AddressError, ConnectFailed: see there.
    """
    where = _parsed(address)
    if where.scheme == "udp":
        from lanline.link.blocking.datagrams import DatagramChannel  # here, not above, as all these: links need none
        from lanline.transport.udp.datagrams import open_connected

        port = open_connected(where)
        return DatagramChannel(port, port.peer or where)
    from lanline.framing.raw import Raw
    from lanline.link.blocking.stream import StreamChannel
    from lanline.transport.peernames import peer_text

    wire = _connected(where, tls, server_name, timeout)
    return StreamChannel(wire, framing or Raw(), peer_text(wire.sock, is_tls=wire.is_tls) or str(where), limits)


def connect_link(
    address: str | Address,
    *,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
    timeout: float = LAN.connect,
    limits: Limits = LAN,
) -> Link:
    """A link to whoever serves services at this address: `with blocking.connect_link("tcp://pc7:9000") as pc7`.

    Args:
        address, tls, server_name: as in `connect`.
        timeout: seconds until both sides have let each other in.
        limits: sizes and times of the link.

    Raises:
        AddressError, ConnectFailed: see there; the peer's refusal is in the latter.
    """
    from lanline.link.blocking.link import Link  # here, not above: channels never need it

    where = _parsed(address)
    deadline = time.monotonic() + timeout
    wire = _connected(where, tls, server_name, timeout)
    link = Link(wire, str(where), keepalive=where.scheme != "unix", limits=limits)
    link.wait_welcomed(deadline)
    return link


def serve(
    what: Handled,
    *addresses: str | Address | socket.socket,
    framing: Framing | None = None,
    tls: ssl.SSLContext | None = None,
    limits: Limits | None = None,
) -> Server:
    """Serves a handler at all these addresses: `with blocking.serve(upper, "tcp://:9000", framing=Lines()) as server`.

    Each client is served in a thread of its own; accepting happens in another one, so the block goes on at once.
    `server.wait_closed()` in it serves until Ctrl-C.

    Args:
        what: a plain function over a Channel; an object with `def handle(self, channel)`, which all clients share; a
            class with that method, made anew for each client, without arguments. Over udp there is a channel for each
            sender. An object that has `def answer(self, message: bytes, sender: Address) -> bytes | None` besides is
            asked for each datagram directly, in the thread that reads them: nothing is kept about senders, and None is
            no answer.
        addresses: `tcp://:9000` is loopback, `tcp://*:9000` every interface, port 0 any free one. A socket that
            listens already does as well; the server closes it. Not mem, which belongs to an event loop.
        framing: how a handler's messages lie in the stream; Raw (whatever one read delivers) by default.
        tls: makes every connection TLS; `lanline.server_context` makes one from certificate files.
        limits: connections, sizes, times; by default those of handlers (PLAIN), but 2,048 clients.

    Returns:
        A Server, to be entered or started.

    Raises:
        AddressError: an address is none. UsageError: no address, or what is served is no plain handler.
    """
    from lanline.framing.raw import Raw
    from lanline.link.blocking.server import THREADS, Server

    if not addresses:
        raise UsageError(_("serve needs at least one address, such as tcp://127.0.0.1:9000"))
    wanted = [_parsed(one) if isinstance(one, str | Address) else one for one in addresses]
    return Server(what, wanted, framing=framing or Raw(), tls=tls, limits=limits or THREADS)


def bind(address: str | Address, *, max_datagram_bytes: int | None = None) -> DatagramSocket:
    """A UDP socket of one's own: `with blocking.bind("udp://*:9529") as socket`, or close it yourself.

    Args:
        address: `udp://:9529` is loopback, `udp://*:9529` every interface, port 0 any free one. A name that stands for
            several addresses is served at the first one only; `serve` takes all.
        max_datagram_bytes: a longer datagram is told as DatagramTruncated; 1 to 65,507, which is the default.

    Raises:
        AddressError, UsageError: see there. ListenFailed: the address cannot be had; the process that has the port is
            named where that can be known.
    """
    from lanline.link.blocking.datagramsocket import DatagramSocket
    from lanline.transport.udp.datagrams import MAX_DATAGRAM_BYTES, open_bound

    limit = MAX_DATAGRAM_BYTES if max_datagram_bytes is None else max_datagram_bytes
    return DatagramSocket(open_bound(_parsed(address), max_datagram_bytes=limit))


def shout(message: bytes, to: Address | str | None = None, *, port: int = 9529) -> list[Delivery]:
    """Sends one datagram to everybody on the networks of this machine: see `lanline.shout`, which takes, gives and
    raises the same."""
    from lanline.transport.udp import multicast

    return multicast.shout(message, to, port=port)


def hear(port: int = 9529) -> Shouts:
    """Hears what is shouted on the networks of this machine: `with blocking.hear() as shouts: for one in shouts`.

    Args:
        port: 1 to 65,535, or 0 for any free one. Other listeners may have it too; a server may not.

    Raises:
        ListenFailed: the port cannot be listened to.
    """
    from lanline.link.blocking.shouts import Shouts
    from lanline.transport.udp.hearing import Listener

    return Shouts(Listener(port))


def _parsed(address: str | Address) -> Address:
    where = Address.parse(address) if isinstance(address, str) else address
    if where.scheme == "mem":
        raise AddressError(
            _("{where} belongs to an event loop, and the blocking functions have none").format(where=where),
            advice=_("use tcp://127.0.0.1:0 in a test: any free port, which `server.addresses` tells."),
        )
    return where


def _connected(where: Address, tls: ssl.SSLContext | None, server_name: str | None, timeout: float) -> Wire:
    if where.scheme != "tls" and tls is None:
        return PlainWire(sockets.connect(where, timeout=timeout))
    from lanline.transport.tlscontext import client_context  # here, not above: it loads ssl
    from lanline.transport.tlswire import TlsWire

    deadline = time.monotonic() + timeout
    place = Address("tcp", where.host, where.port) if where.scheme == "tls" else where
    name = server_name or where.host or "localhost"
    wire = TlsWire(sockets.connect(place, timeout=timeout), tls or client_context(), server_name=name)
    try:
        wire.shake_hands(deadline)
    except OSError as error:
        wire.close()
        raise translate_connect(where, error, timeout=timeout, during="handshake") from error
    except BaseException:
        wire.close()
        raise
    return wire
