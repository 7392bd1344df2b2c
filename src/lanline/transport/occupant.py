"""Which process has a TCP or UDP port of this machine, as far as this user may know. Linux only.

Only for the sentence of an error: it reads /proc, starts nothing and never fails. Other users' processes are
hidden from anybody but root; then the user that owns the socket is named in place of the process.

Source: proc_pid_net(5): column 2 local address and port (hex), 4 state (0A is LISTEN), 8 uid, 10 inode.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path
from typing import Final

from lanline.clean import clean

_LISTEN: Final = "0A"

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address | None
"""None: every address of this machine."""


def occupant_of_port(host: str, port: int, *, is_udp: bool = False) -> str:
    """Who keeps this address from being served: `nginx (process 812)`, `user 33`, or empty when it cannot be known.

    Args:
        host: what was to be listened on; a wildcard (`*`, `0.0.0.0`, `::`) and a name meet every address.
        port: TCP port, or UDP port.
        is_udp: which of the two; a UDP port is taken by whoever is bound to it, connected or not.
    """
    sockets = _listening_sockets(_address(host), port, "udp" if is_udp else "tcp")
    if not sockets:
        return ""
    for process, link in _open_sockets():
        if link in sockets:
            return f"{_name(process)} (process {process})"
    return f"a process of user {next(iter(sockets.values()))}"


def _listening_sockets(host: _Address, port: int, kind: str) -> dict[str, str]:
    """The sockets that listen on the port, and on the address or on all: `socket:[inode]` -> uid."""
    wanted = f":{port:04X}"
    found: dict[str, str] = {}
    for table in (f"/proc/net/{kind}", f"/proc/net/{kind}6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue  # not Linux, or IPv6 is off
        for line in lines:
            columns = line.split()
            if not columns[1].endswith(wanted) or (kind == "tcp" and columns[3] != _LISTEN):
                continue
            theirs = _plain(ipaddress.ip_address(_network_order(columns[1].partition(":")[0])))
            if None in (host, theirs) or host == theirs:
                found[f"socket:[{columns[9]}]"] = columns[7]
    return found


def _address(host: str) -> _Address:
    try:
        return _plain(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return None


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> _Address:
    """An IPv4 address that is written as IPv6 is the IPv4 one; the address of all is None."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    plain = mapped or address
    return None if plain.is_unspecified else plain


def _network_order(digits: str) -> bytes:
    """The bytes of an address: the kernel prints it in words of 4 bytes, each in the machine's own order."""
    data = bytes.fromhex(digits)
    words = (data[at : at + 4] for at in range(0, len(data), 4))
    return b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)


def _open_sockets() -> list[tuple[int, str]]:
    """Every (process, `socket:[inode]`) this user may see."""
    found: list[tuple[int, str]] = []
    for process in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        folder = f"/proc/{process}/fd"
        try:
            descriptors = os.listdir(folder)
        except OSError:
            continue  # another user's, or gone meanwhile
        for descriptor in descriptors:
            try:
                link = os.readlink(f"{folder}/{descriptor}")
            except OSError:
                continue  # closed meanwhile
            if link.startswith("socket:"):
                found.append((process, link))
    return found


def _name(process: int) -> str:
    try:
        return clean(Path(f"/proc/{process}/comm").read_text(encoding="utf-8", errors="replace").strip())
    except OSError:
        return "a program that just ended"
