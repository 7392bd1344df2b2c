"""Channels and links without an event loop: the same framings and the same session, over blocking sockets.

This file holds the functions that make them; each class has a file of its own, loaded when it is first used, so that
the start of `lanline run` and `lanline who` stays short. Nothing here imports asyncio. Errors are those of the asyncio
side.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from lanline.address import Address
from lanline.limits import LAN, Limits
from lanline.transport import sockets
from lanline.transport.failures import translate_connect
from lanline.transport.wire import PlainWire, Wire

if TYPE_CHECKING:
    import ssl

    from lanline.framing.base import Framing
    from lanline.link.blockingchannel import Channel
    from lanline.link.blockinglink import Call, Link

__all__ = ["connect", "connect_link", "Channel", "Link", "Call"]

_HOMES: Final = {"Channel": "blockingchannel", "Link": "blockinglink", "Call": "blockinglink"}


def __getattr__(name: str) -> object:
    """Loads a class when it is first named here (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"lanline.link.{_HOMES[name]}"), name)
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
        address: tcp, tls or unix. Not mem, which belongs to an event loop.
        framing: how messages lie in the stream; Raw (whatever one read delivers) by default.
        tls: speaks TLS with this context; for tls:// the authorities of this system are believed by default.
        server_name: the name the server's certificate must bear; the host of the address by default.
        timeout: seconds until the connection is there, TLS included; name lookup is not, as it cannot be interrupted.
        limits: `drain` is used: how long closing waits for a peer that takes nothing.

    Raises:
        AddressError, ConnectFailed: see there.
    """
    from lanline.framing.raw import Raw  # here, not above, as the next: links never need them
    from lanline.link.blockingstream import StreamChannel
    from lanline.transport.peernames import peer_text

    where = address if isinstance(address, Address) else Address.parse(address)
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
    from lanline.link.blockinglink import Link  # here, not above: channels never need it

    where = address if isinstance(address, Address) else Address.parse(address)
    deadline = time.monotonic() + timeout
    wire = _connected(where, tls, server_name, timeout)
    link = Link(wire, str(where), keepalive=where.scheme != "unix", limits=limits)
    link.wait_welcomed(deadline)
    return link


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
