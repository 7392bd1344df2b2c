"""Which addresses of this machine something is shared at: loopback, and with --lan those of private networks.

Judges what the system says of its interfaces; binds nothing. Rules: an address that strangers may reach is never
among them, and is named when it is left out; the best one comes first, for it is what a phone is shown. Best is the
interface that leads to other networks: bridges of virtual machines and containers have private addresses too, and
nobody else reaches those.

An IPv6 address of one link is served, but comes last: it needs its interface, `fe80::1%eth0`, which curl takes and
browsers do not. Decision 102.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from lanline.transport.private import is_private

if TYPE_CHECKING:
    from lanline.transport.interfaces import Interface

LOOPBACK: Final = "127.0.0.1"

IP: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class Spot(NamedTuple):
    """One address to listen at."""

    host: str
    """`192.168.1.5`, `fd00::2`, `fe80::1%eth0`."""

    interface: str
    """Its name, `eth0`."""

    @property
    def is_loopback(self) -> bool:
        """Whether this machine alone reaches it."""
        return self._ip.is_loopback

    @property
    def is_for_browsers(self) -> bool:
        """Whether a browser takes it; not where it needs an interface."""
        return "%" not in self.host

    @property
    def _ip(self) -> IP:
        return ipaddress.ip_address(self.host.partition("%")[0])


class Choice(NamedTuple):
    """Where to listen."""

    spots: tuple[Spot, ...]
    """The best first; loopback behind the others."""

    left_out: tuple[Spot, ...]
    """Addresses that are not of private networks."""


def choose(interfaces: Sequence[Interface], *, is_lan: bool, outward: str = "") -> Choice:
    """Where to listen.

    Args:
        interfaces: those of this machine.
        is_lan: whether others may reach it; else loopback alone.
        outward: the interface that leads to other networks, where that is known.
    """
    spots: list[tuple[tuple[bool, bool, int, int], Spot]] = []
    left_out: list[Spot] = []
    for interface in interfaces:
        ips: list[IP] = [*(one.ip for one in interface.ipv4), *(one.ip for one in interface.ipv6)]
        for ip in ips:
            if not interface.is_up or (not is_lan and not ip.is_loopback):
                continue
            is_scoped = ip.version == 6 and ip.is_link_local
            spot = Spot(f"{ip}%{interface.name}" if is_scoped else str(ip), interface.name)
            if not is_private(ip):
                left_out.append(spot)
                continue
            way = 0 if interface.name == outward else 1 if interface.is_running else 2
            rank = (ip.is_loopback, is_scoped, way, 2 * ip.is_link_local + (ip.version == 6))
            spots.append((rank, spot))
    spots.sort(key=lambda pair: pair[0])  # stable: within a rank in the order of the interfaces
    found = tuple(spot for _rank, spot in spots)
    return Choice(found or (Spot(LOOPBACK, ""),), tuple(left_out))


def url_of(host: str, port: int, *, is_tls: bool, path: str = "") -> str:
    """The URL that is typed or clicked.

    Args:
        host: as in `Spot`, or a name.
        port: left out where it is the scheme's own.
        is_tls: whether it is https.
        path: percent-encoded, without the slash it begins with.
    """
    scheme = "https" if is_tls else "http"
    place = f"[{host.replace('%', '%25')}]" if ":" in host else host  # RFC 6874: the zone behind %25
    suffix = "" if port == (443 if is_tls else 80) else f":{port}"
    return f"{scheme}://{place}{suffix}/{path}"
