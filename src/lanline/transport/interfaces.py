"""The network interfaces of this machine: what they are called, which addresses they have, and what they can carry.

Looks and changes nothing; every call looks anew, because interfaces come and go. No event loop. What a flag means is
netdevice(7)'s word for it: `is_up` that somebody switched it on, `is_running` that there is a cable with somebody at
its other end. Where the system does not tell flags, an interface counts as able: trying shows.

Sources: getifaddrs(3) (through ifaddr), netdevice(7) SIOCGIFFLAGS.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

from lanline.errors import TransportError
from lanline.translation import _

_UP: Final = 0x1
_BROADCAST: Final = 0x2
_LOOPBACK: Final = 0x8
_RUNNING: Final = 0x40
_MULTICAST: Final = 0x1000 if sys.platform.startswith("linux") else 0x8000
_ABLE: Final = _UP | _BROADCAST | _RUNNING | _MULTICAST
_GET_FLAGS: Final = 0x8913 if sys.platform.startswith("linux") else 0xC0206911  # SIOCGIFFLAGS
_REQUEST: Final = struct.Struct("16sH22x")  # struct ifreq, its name and its flags


class Interface(NamedTuple):
    """One interface, as it was when it was looked at.

    Attributes:
        name: as the system calls it: `eth0`.
        number: its index, above 0.
        is_up: somebody switched it on.
        is_running: the system finds it working: there is a carrier.
        is_loopback: what is sent there does not leave this machine.
        can_broadcast: it has a broadcast address.
        can_multicast: groups can be reached through it.
        ipv4: its addresses with their networks.
        ipv6: the same; link-local ones (`fe80::`) are among them, without a scope.
    """

    name: str
    number: int
    is_up: bool
    is_running: bool
    is_loopback: bool
    can_broadcast: bool
    can_multicast: bool
    ipv4: tuple[ipaddress.IPv4Interface, ...]
    ipv6: tuple[ipaddress.IPv6Interface, ...]

    @property
    def has_link_local(self) -> bool:
        """Whether IPv6 works on the link itself."""
        return any(one.ip.is_link_local for one in self.ipv6)


def interfaces() -> list[Interface]:
    """Every interface of this machine, those without an address included, in the order of their numbers.

    Raises:
        TransportError: the system does not tell.
    """
    import ifaddr

    found: dict[str, list[ifaddr.IP]] = {}
    try:
        for adapter in ifaddr.get_adapters(include_unconfigured=True):
            # An address may have a label of its own, `eth0:1`; the interface is `eth0` all the same.
            name = str(adapter.name if sys.platform != "win32" else adapter.nice_name).partition(":")[0]
            found.setdefault(name, []).extend(adapter.ips)
    except OSError as error:
        raise TransportError(
            _("the interfaces of this machine cannot be listed: {strerror}").format(strerror=error.strerror or error)
        ) from error
    made = [_interface(name, ips) for name, ips in found.items()]
    return sorted((one for one in made if one is not None), key=lambda one: one.number)


def _interface(name: str, ips: Sequence[object]) -> Interface | None:
    """The interface of that name; None when it went away in between."""
    try:
        index = socket.if_nametoindex(name)
    except OSError:
        return None
    ipv4: list[ipaddress.IPv4Interface] = []
    ipv6: list[ipaddress.IPv6Interface] = []
    for one in ips:
        ip, prefix = getattr(one, "ip", ""), getattr(one, "network_prefix", 0)
        if isinstance(ip, str):
            ipv4.append(ipaddress.IPv4Interface(f"{ip}/{prefix}"))
        else:
            ipv6.append(ipaddress.IPv6Interface(f"{ip[0]}/{prefix}"))
    is_loopback = any(one.ip.is_loopback for one in ipv4) or any(one.ip.is_loopback for one in ipv6)
    flags = _flags(name)
    if flags is None:
        flags = _ABLE | (_LOOPBACK if is_loopback else 0)
    return Interface(
        name,
        index,
        is_up=bool(flags & _UP),
        is_running=bool(flags & _RUNNING),
        is_loopback=bool(flags & _LOOPBACK),
        can_broadcast=bool(flags & _BROADCAST),
        can_multicast=bool(flags & _MULTICAST),
        ipv4=tuple(ipv4),
        ipv6=tuple(ipv6),
    )


def _flags(name: str) -> int | None:
    """The IFF_ flags; None where this system does not tell, or the interface is gone."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            answer = fcntl.ioctl(sock, _GET_FLAGS, _REQUEST.pack(name.encode()[:15], 0))
        except OSError:
            return None
    flags: int = _REQUEST.unpack(answer)[1]
    return flags


def own_addresses() -> list[str]:
    """The addresses this machine can be reached at, best first, for hints to people and for presence: IPv4 addresses of
    all interfaces, then global IPv6 ones; loopback only when there is nothing else."""
    import ifaddr

    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips]
    addresses = [ipaddress.ip_address(ip if isinstance(ip, str) else ip[0]) for ip in found]
    usable = [one for one in addresses if not one.is_link_local and not one.is_loopback]
    usable.sort(key=lambda one: (one.version, not one.is_private))
    return [str(one) for one in usable] or ["127.0.0.1"]


def outward_interface() -> str:
    """The interface by which this machine reaches other networks: the one of its IPv4 default route; empty where there
    is none, or the system does not tell (proc(5), `/proc/net/route`)."""
    try:
        with open("/proc/net/route", encoding="ascii") as table:
            routes = [line.split() for line in table][1:]
    except OSError:
        return ""
    ways = [(int(route[6]), route[0]) for route in routes if route[1] == route[7] == "00000000"]
    return min(ways)[1] if ways else ""
