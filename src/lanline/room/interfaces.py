"""The IP addresses this machine can be reached at, best first, for hints to people and for presence."""

from __future__ import annotations

import ipaddress


def own_addresses() -> list[str]:
    """IPv4 addresses of all interfaces, then global IPv6 ones; loopback only when there is nothing else."""
    import ifaddr

    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips]
    addresses = [ipaddress.ip_address(ip if isinstance(ip, str) else ip[0]) for ip in found]
    usable = [one for one in addresses if not one.is_link_local and not one.is_loopback]
    usable.sort(key=lambda one: (one.version, not one.is_private))
    return [str(one) for one in usable] or ["127.0.0.1"]
