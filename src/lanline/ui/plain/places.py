"""Where something is served: which addresses, who can reach each, and how others write it.

Looks at sockets that are bound already, and at the file of a Unix socket. What others write is one of this machine's
own addresses, for `*` and `0.0.0.0` are nothing to connect to.
"""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from lanline.address import Address
from lanline.transport.interfaces import own_addresses
from lanline.transport.reach import reach_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lanline.transport.binding import Bound

_OF_OTHERS: Final = 0o077
"""Permission bits that let in more than one user."""


class Place(NamedTuple):
    """One address that is served."""

    address: Address
    """With its real port."""

    scope: str
    """Who reaches it: `user`, `machine` or `network`."""

    reachable_at: tuple[str, ...]
    """What others write; the first is the best. Empty where nobody from outside reaches it."""

    words: str
    """The scope for a person."""


def places_of(bound: Sequence[Bound]) -> list[Place]:
    """Every address, in order."""
    return [_place(address) for one in bound for address in one.addresses]


def _place(address: Address) -> Place:
    words = reach_of(address)
    if address.scheme == "unix":
        is_private = not address.path.startswith("@") and not os.stat(address.path).st_mode & _OF_OTHERS
        return Place(address, "user" if is_private else "machine", (), words)
    if address.is_every_interface or ipaddress.ip_address(address.host.partition("%")[0]).is_unspecified:
        reachable = (Address(address.scheme, host, address.port) for host in own_addresses())
        return Place(address, "network", tuple(map(str, reachable)), words)
    if ipaddress.ip_address(address.host.partition("%")[0]).is_loopback:
        return Place(address, "machine", (), words)
    return Place(address, "network", (str(address),), words)
