"""Which addresses belong to a private network: those that no router passes on to the internet.

What stands between this machine and everybody is not a firewall but that list, so it is short. Not in it are the
addresses of carriers (100.64.0.0/10, RFC 6598), behind which strangers live, and those for documentation.

Sources: RFC 1918 (IPv4), RFC 3927 (IPv4 of one link), RFC 4193 (unique local IPv6), RFC 4291 (IPv6 of one link).
"""

from __future__ import annotations

import ipaddress
from typing import Final

PRIVATE_NETWORKS: Final = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
)
"""As text; loopback is among them."""

_NETWORKS: Final = tuple(map(ipaddress.ip_network, PRIVATE_NETWORKS))


def is_private(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is of a private network, or of this machine alone."""
    return any(ip in network for network in _NETWORKS)
