"""Blocking connections, for code without an event loop: `lanline run` and `lanline who` start with this.

It imports neither asyncio nor ssl (the rule that keeps the command line's start short) and speaks only tcp
and unix. Errors are the same sentences as on the asyncio side.
"""

from __future__ import annotations

import socket
import time
from typing import Any, cast

from lanline.address import Address
from lanline.errors import AddressError
from lanline.translation import _
from lanline.transport.failures import translate_connect
from lanline.transport.tuning import tune
from lanline.transport.unixname import socket_name

Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]
"""One answer of the resolver: family, kind, protocol, canonical name, address to connect to."""


def connect(address: Address, *, timeout: float) -> socket.socket:
    """Connects, trying each address a name stands for.

    Args:
        address: scheme tcp or unix.
        timeout: seconds for all of it, name lookup excepted: the system's resolver cannot be interrupted.

    Returns:
        a blocking socket without timeout. The caller closes it.

    Raises:
        ConnectFailed: nothing came about.
        AddressError: the scheme is another one, or the address is not one to connect to.
    """
    if address.scheme not in ("tcp", "unix") or address.is_every_interface:
        raise AddressError(_("{address} is not an address a blocking connection can go to").format(address=address))
    try:
        if address.scheme == "unix":
            return _connect_unix(address, timeout)
        return _connect_tcp(address, timeout)
    except OSError as error:
        raise translate_connect(address, error, timeout=timeout) from error


def lookup(host: str, port: int, *, is_numeric: bool = False) -> list[Found]:
    """The addresses a host stands for, in the order to try them.

    Args:
        host: a name or an IP address.
        port: put into each address.
        is_numeric: takes IP addresses only, and never waits.

    Raises:
        OSError: `socket.gaierror`, the name stands for none.
    """
    flags = socket.AI_NUMERICHOST if is_numeric else 0
    try:
        return cast(list[Found], socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags))
    except UnicodeError as error:
        # Python's own IDNA step fails so for a label of over 63 bytes: no such name can exist.
        raise socket.gaierror(socket.EAI_NONAME, "no such name") from error


def _connect_unix(address: Address, timeout: float) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        with socket_name(address.path) as name:
            sock.connect(name)
        sock.settimeout(None)
    except BaseException:
        sock.close()
        raise
    return sock


def _connect_tcp(address: Address, timeout: float) -> socket.socket:
    found = lookup(address.host, address.port)
    deadline = time.monotonic() + timeout
    last: OSError = TimeoutError()
    for index, (family, kind, protocol, _name, place) in enumerate(found):
        # What time is left is shared by the addresses that are left: a dead first one must not eat it all.
        share = (deadline - time.monotonic()) / (len(found) - index)
        if share <= 0:
            break
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(share)
            sock.connect(place)
            sock.settimeout(None)
            tune(sock)
        except OSError as error:
            sock.close()
            last = error
            continue
        except BaseException:
            sock.close()
            raise
        return sock
    raise last
