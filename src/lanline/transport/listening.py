"""TCP sockets that listen, for one address: bound, non-blocking, nothing accepted yet. No asyncio here.

Decisions:

- `*` is one IPv6 socket that takes IPv4 too, or 0.0.0.0 where there is no IPv6. Any other IPv6 address is
  IPv6 only, so that `localhost`, which stands for two addresses, can be served on both.
- SO_REUSEADDR: a restarted server must not wait a minute for its own old connections in TIME_WAIT.

Sources: tcp(7), ipv6(7) (IPV6_V6ONLY), socket(7).
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import Any, Final

from lanline.address import Address
from lanline.transport.peernames import host_of
from lanline.transport.sockets import Found

_ABSENT: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""A name's address that this machine does not have (::1 with IPv6 switched off): not fatal beside others."""


def listen_everywhere(port: int, backlog: int) -> socket.socket:
    """The one socket that takes connections on every interface.

    Raises:
        OSError: the port cannot be had.
    """
    if socket.has_dualstack_ipv6():
        try:
            return _listening(socket.AF_INET6, ("::", port), backlog, is_dual=True)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
    return _listening(socket.AF_INET, ("0.0.0.0", port), backlog)  # noqa: S104  # what `*` means


def listen_at(found: Sequence[Found], port: int, backlog: int) -> list[socket.socket]:
    """One socket for each address that a host stands for and this machine has, all with the same port.

    Args:
        found: what the resolver knows of the host.
        port: 0 takes any free one.
        backlog: length of the listen queue.

    Raises:
        OSError: none of them can be served, or one is in use.
    """
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, _, _, _, place in found:
            try:
                sockets.append(_listening(family, (place[0], port, *place[2:]), backlog))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
                continue
            port = sockets[0].getsockname()[1]  # port 0: the other addresses of a name take the same one
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    if not sockets and absent is not None:
        raise absent
    return sockets


def real_address(address: Address, sock: socket.socket) -> Address:
    """The address as asked for, with the real port; for a name, the IP address the socket has."""
    name = sock.getsockname()
    return Address(address.scheme, address.host if address.is_every_interface else host_of(name), name[1])


def _listening(family: int, place: tuple[Any, ...], backlog: int, *, is_dual: bool = False) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if is_dual else 1)
        sock.bind(place)
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock
