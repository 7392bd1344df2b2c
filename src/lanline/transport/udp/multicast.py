"""One datagram to every machine on the networks of this one. No event loop; who hears it is `hearing.py`.

It goes out by each way that an interface has: broadcast to its IPv4 network, IPv4 multicast and IPv6 multicast on its
link. Some networks drop one of them, few drop all. Rules:

- A way that fails is told, and never keeps the others from being tried. An interface that is off or has no carrier is
  not tried: the system would take the datagram, and lose it.
- Nothing leaves the link: multicast goes one hop, and broadcasts are not forwarded.
- All copies of one sending leave from one port, over IPv4 and IPv6: that is how a listener knows them for copies.

Sources: RFC 919 and 922 (broadcast), RFC 1112 and 2365 (multicast, administrative scope), RFC 4291 section 2.7 (scopes
of IPv6), ip(7) and ipv6(7).
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Iterable
from typing import Final, NamedTuple, Self

from lanline.address import Address
from lanline.errors import AddressError, LanlineError, MessageTooLarge, TextNotBytes, TransportError
from lanline.translation import _
from lanline.transport.failures import translate_connect
from lanline.transport.interfaces import Interface, interfaces
from lanline.transport.sockets import lookup
from lanline.transport.udp.udpsocket import address_of_place
from lanline.transport.udp.undelivered import Place, translate_undelivered

PORT: Final = 9529
GROUP_IPV4: Final = "239.255.37.57"
"""In the scope of one's own site, RFC 2365; the port, 0x2539, in its last two bytes."""

GROUP_IPV6: Final = "ff12::2539"
"""A group of nobody's (flag T) on one link (scope 2)."""

MAX_SHOUT_BYTES: Final = 1200
"""What every network carries in one piece: IPv6 promises packets of 1,280 bytes. A shout in pieces is lost with any."""

_EVERY_NETWORK: Final = "255.255.255.255"
_HOPS: Final = 1
_SEND_SECONDS: Final = 2.0
_PORTS_TRIED: Final = 8
_IS_LINUX: Final = sys.platform.startswith("linux")


class Way(NamedTuple):
    """One way out: what a datagram is sent to, and through which interface.

    Attributes:
        interface: its name; empty where the system chooses.
        number: its index; 0 where the system chooses.
        kind: `broadcast` or `multicast`, or `direct` for an address that somebody named.
        host: where to; an IP address, without a scope.
        source: the IPv4 address to send from, for multicast; else empty.
    """

    interface: str
    number: int
    kind: str
    host: str
    source: str = ""

    @property
    def stays_here(self) -> bool:
        """Whether only listeners on this machine hear it."""
        return self.kind == "broadcast" and self.host.startswith("127.")


class Delivery(NamedTuple):
    """What became of one way: sent, failed, or not tried.

    Attributes:
        way: the way; without a host where the interface as a whole was not tried.
        to: the address it went to; None where it was not tried.
        error: why it was not sent; None when the system took it. It does not name the interface.
        was_tried: False for an interface that cannot carry it.
    """

    way: Way
    to: Address | None
    error: LanlineError | None
    was_tried: bool = True

    @property
    def reason(self) -> str:
        """Why it was not sent, with the interface in front; empty when the system took it."""
        if self.error is None:
            return ""
        return f"{self.way.interface}: {self.error}" if self.way.interface else str(self.error)


def ways_out(found: Iterable[Interface]) -> tuple[list[Way], list[Delivery]]:
    """Every way out of this machine, IPv4 first and loopback last, and the interfaces that have none.

    Loopback is a way as well: listeners on this machine hear a shout when there is no network at all.
    """
    ways: list[Way] = []
    last: list[Way] = []
    idle: list[Delivery] = []
    for one in found:
        if why := _idle(one):
            nothing = TransportError(why)
            idle.append(Delivery(Way(one.name, one.number, "", ""), None, nothing, was_tried=False))
        elif one.is_loopback:
            last += [Way(one.name, one.number, "broadcast", str(ip.network.broadcast_address)) for ip in one.ipv4[:1]]
        else:
            if one.can_broadcast:
                hosts = dict.fromkeys(str(ip.network.broadcast_address) for ip in one.ipv4 if ip.network.prefixlen < 31)
                ways += [Way(one.name, one.number, "broadcast", host) for host in hosts]
            if one.can_multicast and one.ipv4:
                ways.append(Way(one.name, one.number, "multicast", GROUP_IPV4, str(one.ipv4[0].ip)))
            if one.can_multicast and one.has_link_local:
                ways.append(Way(one.name, one.number, "multicast", GROUP_IPV6))
    ways.sort(key=lambda way: ":" in way.host)
    return [*ways, *last], idle


def _idle(one: Interface) -> str:
    """Why an interface carries nothing; empty where it may."""
    if not one.is_up:
        return _("it is switched off")
    if not one.is_running:
        return _("it has no carrier: no cable, or nobody at its other end")
    if not one.ipv4 and not one.has_link_local:
        return _("it has no address")
    if not one.is_loopback and not one.can_broadcast and not one.can_multicast:
        return _("it can neither broadcast nor multicast")
    return ""


def shout(message: bytes, to: Address | str | None = None, *, port: int = PORT) -> list[Delivery]:
    """Sends one datagram to everybody, or to one address: what `lanline.shout` and `lanline.blocking.shout` do.

    Args:
        message: at most 1,200 bytes.
        to: an address for this one; of text, `udp://` and the port may be left out. None: by every way out.
        port: where listeners listen, 1 to 65,535; where `to` names one, that one.

    Returns:
        what became of each way, of which one at least was taken.

    Raises:
        MessageTooLarge: it is longer. TextNotBytes: it is text.
        AddressError: not an address a datagram can go to. ConnectFailed: the name does not resolve.
        TransportError: it left by no way.
    """
    if not isinstance(message, bytes | bytearray | memoryview):
        raise TextNotBytes
    if len(message) > MAX_SHOUT_BYTES:
        raise MessageTooLarge(
            len(message), MAX_SHOUT_BYTES, _("shout"), advice=_("say it shorter, or in several shouts.")
        )
    if to is None:
        deliveries = send_everywhere(message, port)
    else:
        deliveries = [send_to(message, address_to(to, port) if isinstance(to, str) else to)]
    failed = [one for one in deliveries if one.error is not None]
    if len(failed) == len(deliveries):
        why = "; ".join(one.reason for one in failed) or _("this machine has no interface")
        raise TransportError(_("the shout left this machine by no way: {why}").format(why=why))
    return deliveries


def address_to(text: str, port: int = PORT) -> Address:
    """The address that a person means; `udp://` and the port may be left out."""
    return Address.parse(text if "://" in text else f"udp://{text}", default_port=port)


def send_everywhere(message: bytes, port: int = PORT) -> list[Delivery]:
    """Sends one datagram by every way out of this machine; says what became of each.

    Where there are networks and none took a broadcast, or the interfaces cannot be listed, the broadcast address of
    every network is tried as well.

    Args:
        message: up to 1,200 bytes pass everywhere; the system refuses what does not fit.
        port: where listeners listen, 1 to 65,535.
    """
    trouble: LanlineError | None = None
    try:
        ways, deliveries = ways_out(interfaces())
    except TransportError as error:
        ways, deliveries, trouble = [], [], error
    with _Sockets() as sockets:
        if any(":" in way.host for way in ways):
            sockets.open_pair()
        deliveries += [sockets.send(message, way, port) for way in ways]
        outward = [one for one in deliveries if one.was_tried and not one.way.stays_here]
        if trouble or (outward and not any(one.way.kind == "broadcast" and not one.error for one in outward)):
            deliveries.append(sockets.send(message, Way("", 0, "broadcast", _EVERY_NETWORK), port))
    return deliveries


def send_to(message: bytes, address: Address) -> Delivery:
    """Sends one datagram to an address: of one machine, of all of a network, or of a group.

    Raises:
        AddressError: it is not an address a datagram can go to.
        ConnectFailed: the name does not resolve.
    """
    if address.scheme != "udp" or address.is_every_interface or address.port == 0:
        raise AddressError(
            _("{address} is not an address a datagram can be sent to: write udp://192.168.1.255:{port}").format(
                address=address, port=PORT
            )
        )
    try:
        place = lookup(address.host, address.port)[0][4]
    except OSError as error:
        raise translate_connect(address, error) from error
    host = str(place[0]).partition("%")[0]
    with _Sockets() as sockets:
        return sockets.send(message, Way("", place[3] if len(place) > 3 else 0, "direct", host), address.port)


class _Sockets:
    """The sockets of one sending: one for IPv4 and one for IPv6, opened when needed, at one port."""

    def __init__(self) -> None:
        self._open: dict[int, socket.socket] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self._open.values():
            sock.close()

    def send(self, message: bytes, way: Way, port: int) -> Delivery:
        """One datagram by one way."""
        is_ipv6 = ":" in way.host
        place: Place = (way.host, port, 0, way.number) if is_ipv6 else (way.host, port)
        to = address_of_place(place)
        try:
            sock = self._socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET)
            if way.kind == "multicast":
                _leave_by(sock, way)
            sock.sendto(message, place)
        except OSError as error:
            return Delivery(way, to, translate_undelivered(str(to), error.errno or 0))
        return Delivery(way, to, None)

    def open_pair(self) -> None:
        """Opens both, at one port that is free in both families. Without one of the families there is no pair."""
        for _try in range(_PORTS_TRIED):
            ipv4 = _sending_socket(socket.AF_INET, 0)
            try:
                ipv6 = _sending_socket(socket.AF_INET6, ipv4.getsockname()[1])
            except OSError as error:
                ipv4.close()
                if error.errno != errno.EADDRINUSE:
                    return
                continue
            self._open = {socket.AF_INET: ipv4, socket.AF_INET6: ipv6}
            return

    def _socket(self, family: int) -> socket.socket:
        if family not in self._open:
            self._open[family] = _sending_socket(family, 0)
        return self._open[family]


def _sending_socket(family: int, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.settimeout(_SEND_SECONDS)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOPS)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _HOPS)
        sock.bind(("", port))
    except BaseException:
        sock.close()
        raise
    return sock


def _leave_by(sock: socket.socket, way: Way) -> None:
    """Has multicast leave through the interface of a way."""
    if ":" in way.host:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, way.number)
        return
    source = socket.inet_aton(way.source)
    # Only Linux takes the interface's number here, which tells two interfaces with one address apart.
    chosen = struct.pack("=4s4si", bytes(4), source, way.number) if _IS_LINUX else source
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, chosen)
