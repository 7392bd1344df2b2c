"""Opening UDP sockets, bound or connected, without an event loop.

What every user of UDP here begins with: the asyncio driver (`udp/driver.py`), the blocking twin, `lanline talk`. What a
socket then does is `udp/udpsocket.py`. Rule: never SO_REUSEADDR or SO_REUSEPORT. On UDP a second server would bind in
silence, and take the datagrams of the first.

Sources: udp(7), ipv6(7) IPV6_V6ONLY, socket(7) SO_REUSEADDR.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Final

from lanline.address import Address
from lanline.errors import AddressError, LanlineError, ListenFailed, UsageError
from lanline.translation import _
from lanline.transport.failures import translate_connect, translate_listen
from lanline.transport.sockets import lookup
from lanline.transport.udp.udpsocket import Received, UdpSocket, address_of_place
from lanline.transport.udp.undelivered import MAX_DATAGRAM_BYTES, Place

__all__ = [
    "MAX_DATAGRAM_BYTES",
    "Found",
    "Place",
    "Received",
    "UdpSocket",
    "find",
    "open_all",
    "open_bound",
    "open_connected",
]

_ABSENT: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETUNREACH)
"""A name's address that this machine does not have or reach (::1 with IPv6 switched off): the next one may do."""

Found = list[tuple[int, Place]]
"""What an address stands for, in the order to try: family, and place to bind or connect to."""


def find(address: Address, *, is_numeric: bool = False) -> Found:
    """What an address stands for, in the order to try: pairs of family and place.

    Args:
        address: scheme udp; host `*` is one IPv6 socket that takes IPv4 too, or 0.0.0.0 where there is no IPv6.
        is_numeric: refuses names in place of asking the resolver.

    Raises:
        OSError: `socket.gaierror`, the name stands for none. AddressError: the scheme is another one.
    """
    if address.scheme != "udp":
        raise AddressError(_("{address} does not carry datagrams: write udp://").format(address=address))
    if address.is_every_interface:
        every: Found = [(socket.AF_INET, ("0.0.0.0", address.port))]  # noqa: S104 - what `*` means
        return [(socket.AF_INET6, ("::", address.port)), *every] if socket.has_dualstack_ipv6() else every
    return [(family, place) for family, *_rest, place in lookup(address.host, address.port, is_numeric=is_numeric)]


def is_absent(error: BaseException | None) -> bool:
    """Whether an address could not be taken because this machine does not have it: another one may do."""
    return isinstance(error, OSError) and error.errno in _ABSENT


def open_bound(
    address: Address, *, max_datagram_bytes: int = MAX_DATAGRAM_BYTES, found: Found | None = None
) -> UdpSocket:
    """A socket that receives at an address and answers whoever sends to it.

    Args:
        address: scheme udp; `*` every interface, port 0 any free one. Of a name, the first address this machine has.
        max_datagram_bytes: a longer datagram is told as DatagramTruncated.
        found: what `find` gave, where the caller did not want to wait for the resolver here.

    Raises:
        ListenFailed: the address cannot be served; the process that has the port is named where it can be.
        UsageError: the limit is out of range.
    """
    _check_limit(max_datagram_bytes)
    try:
        sock = _first(find(address) if found is None else found, _bound)
        return UdpSocket(sock, asked=address, max_datagram_bytes=max_datagram_bytes)
    except OSError as error:
        raise translate_listen(address, error) from error


def open_all(
    address: Address, *, max_datagram_bytes: int = MAX_DATAGRAM_BYTES, found: Found | None = None
) -> list[UdpSocket]:
    """Bound sockets for all that an address stands for: one, or for a name each of its addresses, with one port.

    Args:
        address, max_datagram_bytes, found: as for `open_bound`.

    Raises:
        ListenFailed: one of them cannot be served, or none is this machine's. UsageError: the limit is out of range.
    """
    if address.is_every_interface:
        return [open_bound(address, max_datagram_bytes=max_datagram_bytes, found=found)]
    if found is None:
        try:
            found = find(address)
        except OSError as error:
            raise translate_listen(address, error) from error
    ports: list[UdpSocket] = []
    absent: LanlineError | None = None
    number = address.port
    try:
        for family, place in found:
            one = [(family, (place[0], number, *place[2:]))]
            try:
                ports.append(open_bound(address, max_datagram_bytes=max_datagram_bytes, found=one))
            except ListenFailed as error:
                if not is_absent(error.__cause__):
                    raise
                absent = error
                continue
            number = ports[0].address.port  # port 0: the other addresses of a name take the same one
        if not ports and absent is not None:
            raise absent
    except BaseException:
        for port in ports:
            port.close()
        raise
    return ports


def open_connected(
    address: Address,
    *,
    max_datagram_bytes: int = MAX_DATAGRAM_BYTES,
    local_host: str | None = None,
    found: Found | None = None,
) -> UdpSocket:
    """A socket that sends to one peer and hears nobody else. Nothing is sent by this: whether the peer is there is not
    known before it answers, or is refused.

    Args:
        address: scheme udp, not `*`. Of a name, the first address that there is a route to.
        max_datagram_bytes, found: as for `open_bound`.
        local_host: IP address of this machine to send from; None leaves it to the system.

    Raises:
        ConnectFailed: there is no way there. AddressError: the address is not one to send to.
    """
    _check_limit(max_datagram_bytes)
    if address.is_every_interface or address.port == 0:
        raise AddressError(
            _("{address} is not an address a datagram can be sent to: write udp://192.168.1.7:9529").format(
                address=address
            )
        )

    def connected(family: int, place: Place) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            if local_host is not None:
                sock.bind((local_host, 0))
            sock.connect(place)
        except BaseException:
            sock.close()
            raise
        return sock

    try:
        sock = _first(find(address) if found is None else found, connected)
    except OSError as error:
        raise translate_connect(address, error) from error
    return UdpSocket(sock, peer=address_of_place(sock.getpeername()), max_datagram_bytes=max_datagram_bytes)


def _first(found: Found, open_one: Callable[[int, Place], socket.socket]) -> socket.socket:
    last: OSError = OSError(errno.EADDRNOTAVAIL, "no address")
    for family, place in found:
        try:
            return open_one(family, place)
        except OSError as error:
            if not is_absent(error):
                raise
            last = error
    raise last


def _bound(family: int, place: Place) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if place[0] == "::" and len(place) == 2 else 1)
        sock.bind(place)
    except BaseException:
        sock.close()
        raise
    return sock


def _check_limit(max_datagram_bytes: int) -> None:
    if not 1 <= max_datagram_bytes <= MAX_DATAGRAM_BYTES:
        raise UsageError(
            _("max_datagram_bytes is {size}: 1 to {limit} fit into a datagram").format(
                size=max_datagram_bytes, limit=MAX_DATAGRAM_BYTES
            )
        )
