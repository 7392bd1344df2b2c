"""Taking one port at several addresses: the one that was asked for, or the next free one of a range.

Rules: all addresses have the same port, or none is kept; a port that was asked for by number is never replaced by
another; who has it is said where the system tells. Decision 102.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Final, NamedTuple

from lanline.address import Address
from lanline.errors import ListenFailed
from lanline.translation import _
from lanline.transport.binding import Bound, bind

FIRST: Final = 8080
LAST: Final = 8099
"""The ports that are tried where none is named."""

_TRIES: Final = 16
"""For port 0: the port that is free at one address may be taken at another."""

_ABSENT: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""An address that went away, or that the system is still looking for doubles of (IPv6)."""


class Taken(NamedTuple):
    """A port that is listened at. The caller closes what is bound."""

    port: int
    bound: tuple[Bound, ...]
    """One for each address that could be had, in their order."""

    absent: tuple[str, ...]
    """Addresses that this machine does not have at this moment."""

    in_place_of: ListenFailed | None
    """Why it is not the first port of the range."""


def take(hosts: Sequence[str], port: int | None) -> Taken:
    """Listens at all hosts.

    Args:
        hosts: IP addresses of this machine, at least one.
        port: the one to take; 0 any free one; None the first free one from 8080 to 8099.

    Raises:
        ListenFailed: the port is in use or not allowed, or none of the hosts is an address of this machine.
    """
    if port is not None:
        return _at_any(hosts) if port == 0 else _at(hosts, port)
    first: ListenFailed | None = None
    for one in range(FIRST, LAST + 1):
        try:
            return _at(hosts, one)._replace(in_place_of=first)
        except ListenFailed as error:
            if not _is_in_use(error):
                raise
            first = first or error
    raise ListenFailed(
        _("the ports {first} to {last} are all in use").format(first=FIRST, last=LAST),
        advice=_("stop one of those programs, or choose a port: --port 9000, or --port 0 for any free one."),
    )


def _at(hosts: Sequence[str], port: int) -> Taken:
    bound: list[Bound] = []
    absent: list[str] = []
    missing: ListenFailed | None = None
    try:
        for host in hosts:
            try:
                bound.append(bind(Address("tcp", host, port)))
            except ListenFailed as error:
                if _number(error) not in _ABSENT:
                    raise
                missing = error
                absent.append(host)
                continue
            port = bound[0].addresses[0].port
        if missing is not None and not bound:
            raise missing
    except BaseException:
        for one in bound:
            one.close()
        raise
    return Taken(port, tuple(bound), tuple(absent), None)


def _at_any(hosts: Sequence[str]) -> Taken:
    for left in reversed(range(_TRIES)):
        try:
            return _at(hosts, 0)
        except ListenFailed as error:
            if not left or not _is_in_use(error):
                raise
    raise AssertionError("the last try returns or raises")


def _is_in_use(error: ListenFailed) -> bool:
    return _number(error) == errno.EADDRINUSE


def _number(error: ListenFailed) -> int | None:
    return error.__cause__.errno if isinstance(error.__cause__, OSError) else None
