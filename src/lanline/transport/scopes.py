"""What is wrong with the scope of an IPv6 address, in words: the interface behind the `%` of `fe80::1%eth0`.

A link-local address is every network's own, so without an interface the system cannot tell which one is meant, and it
says no more than "Invalid argument". Judges a host after a failure; nothing here opens a socket.

Source: RFC 4007 sections 6 and 11.
"""

from __future__ import annotations

import errno
import socket
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

from lanline.translation import _


class WrongScope(NamedTuple):
    """Attributes:
    reason: what is wrong, without a full stop.
    advice: what to write in its place.
    """

    reason: str
    advice: str


def wrong_scope(host: str, number: int) -> WrongScope | None:
    """What is wrong with the scope of a host; None when that is not why it failed.

    Args:
        host: as it was written.
        number: the error's, of the system or the resolver; 0 where there is none.
    """
    if ":" not in host or number not in (errno.EINVAL, socket.EAI_NONAME):
        return None
    plain, percent, interface = host.partition("%")
    try:
        is_link_local = IPv6Address(plain).is_link_local
    except AddressValueError:
        return None
    if not percent and is_link_local:
        reason = _("it is an address of one link, and does not say by which interface")
    elif percent and interface not in (name for _number, name in socket.if_nameindex()):
        reason = _("this machine has no interface {name!r}").format(name=interface)
    else:
        return None
    names = [name for _number, name in socket.if_nameindex() if name != "lo"]
    examples = _(" or ").join(f"[{plain}%{name}]" for name in names[:3])
    return WrongScope(reason, _("write {examples}.").format(examples=examples) if names else "")
