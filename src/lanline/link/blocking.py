"""Channels and links without an event loop: the same framings and the same session, over blocking sockets.

This file holds the functions that make them; each class has a file of its own, loaded when it is first used, so that
the start of `lanline run` and `lanline who` stays short. Nothing here imports asyncio. Errors are those of the asyncio
side.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from lanline.address import Address
from lanline.errors import ConnectFailed, UsageError
from lanline.limits import LAN, Limits
from lanline.transport import sockets

if TYPE_CHECKING:
    import socket
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
) -> Channel:
    """A channel to whoever serves this address: `with blocking.connect("tcp://pc7:9000", framing=Lines()) as channel`.

    Args:
        address: tcp or unix; tls with a context.
        framing: how messages lie in the stream; Raw (whatever one read delivers) by default.
        tls: speaks TLS with this context.
        server_name: the name the server's certificate must bear; the host of the address by default.
        timeout: seconds until the connection is there.

    Raises:
        AddressError, ConnectFailed: see there.
    """
    from lanline.framing.raw import Raw  # here, not above, as the next: links never need them
    from lanline.link.blockingchannel import Channel

    where = address if isinstance(address, Address) else Address.parse(address)
    return Channel(_connected(where, tls, server_name, timeout), framing or Raw(), str(where))


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
    sock = _connected(where, tls, server_name, timeout)
    link = Link(sock, str(where), keepalive=where.scheme != "unix", limits=limits)
    link.wait_welcomed(deadline)
    return link


def _connected(where: Address, tls: ssl.SSLContext | None, server_name: str | None, timeout: float) -> socket.socket:
    if where.scheme == "tls":
        if tls is None:
            raise UsageError(f"{where} needs a TLS context: pass tls=")
        where = Address("tcp", where.host, where.port, where.path)
    sock = sockets.connect(where, timeout=timeout)
    if tls is None:
        return sock
    sock.settimeout(timeout)
    try:
        secured = tls.wrap_socket(sock, server_hostname=server_name or where.host)
    except OSError as error:
        sock.close()
        raise ConnectFailed(f"TLS with {where} failed: {error}") from error
    secured.settimeout(None)
    return secured
