"""From where an address that is being listened at can be reached, in words."""

from __future__ import annotations

import os
import stat
from typing import Final

from lanline.address import Address
from lanline.translation import _
from lanline.transport.interfaces import own_addresses

_MOST_SHOWN: Final = 3
_PRIVATE: Final = 0o077


def reach_of(address: Address) -> str:
    """Who can reach a listening address, and how: a phrase without a full stop.

    Args:
        address: with its real port; the file of a Unix socket is there.
    """
    if address.scheme == "unix":
        return _unix(address.path)
    if address.is_every_interface or address.host in ("0.0.0.0", "::"):  # noqa: S104 - recognised, not bound to
        found = [str(Address(address.scheme, host, address.port)) for host in own_addresses()[:_MOST_SHOWN]]
        return _("every interface; others reach it at {addresses}").format(addresses=", ".join(found))
    if address.host in ("localhost", "::1") or address.host.startswith("127."):
        return _("this machine only; * in place of the host opens it to others")
    return _("whoever reaches this machine there")


def _unix(path: str) -> str:
    if path.startswith("@"):
        return _("any user of this machine may connect")
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & _PRIVATE:
        return _("mode {mode:04o}: other users of this machine may connect").format(mode=mode)
    return _("mode {mode:04o}: this user and root may connect").format(mode=mode)
