"""Who asks: a neighbour, which is on a network of this machine, or a stranger, and how often a stranger may.

Pure: networks and the time are arguments. A datagram's sender address is whatever its sender wrote, so an answer may go
to somebody who asked nothing. A router does not let pass what claims to come from behind it, which is why neighbours
are answered freely and without a rate: in a classroom one address may be forty machines behind it, and a load test.
Strangers are answered only where the owner wants it, and then slowly.

Source: RFC 2827 (forged senders), RFC 8633 section 5.2.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from lanline.transport.interfaces import Interface

RATE: Final = 20.0
"""Answers a second to one stranger: an IPv4 address, or the 64 bits of an IPv6 one that name its network."""

BURST: Final = 50.0
TOTAL_RATE: Final = 2000.0
"""Answers a second to all strangers together, with as many at once: forged senders are without number."""

MAX_STRANGERS: Final = 4096
"""Strangers whose rate is known, 200 bytes each; the one not heard for longest makes way."""


class Neighbourhood:
    """The networks that this machine's interfaces are on.

    Args:
        found: the interfaces; those that are down count too, for nothing comes from there.
    """

    def __init__(self, found: Iterable[Interface]) -> None:
        self._ipv4: list[ipaddress.IPv4Network] = []
        self._ipv6: list[ipaddress.IPv6Network] = []
        for one in found:
            self._ipv4 += [ip.network for ip in one.ipv4]
            self._ipv6 += [ip.network for ip in one.ipv6]

    def holds(self, host: str) -> bool:
        """Whether an IP address, with or without a scope, is a neighbour's or this machine's own."""
        address = _address(host)
        if isinstance(address, ipaddress.IPv4Address):
            return address.is_loopback or any(address in network for network in self._ipv4)
        return address.is_loopback or address.is_link_local or any(address in network for network in self._ipv6)


class Strangers:
    """How many answers each stranger may still have: one token bucket for each, and one for all."""

    def __init__(self) -> None:
        self._all = (TOTAL_RATE, 0.0)
        self._known: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def may_ask(self, host: str, now: float) -> bool:
        """Whether one more answer is allowed; it counts.

        Args:
            host: an IP address, with or without a scope.
            now: seconds that never go back.
        """
        address = _address(host)
        key: object = address if address.version == 4 else int(address) >> 64
        tokens = _filled(self._known.pop(key, (BURST, now)), RATE, BURST, now)
        total = _filled(self._all, TOTAL_RATE, TOTAL_RATE, now)
        is_allowed = tokens >= 1 and total >= 1
        self._known[key] = (tokens - is_allowed, now)
        self._all = (total - is_allowed, now)
        if len(self._known) > MAX_STRANGERS:
            self._known.popitem(last=False)
        return is_allowed


def _filled(bucket: tuple[float, float], rate: float, size: float, now: float) -> float:
    tokens, since = bucket
    return min(size, tokens + (now - since) * rate)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
