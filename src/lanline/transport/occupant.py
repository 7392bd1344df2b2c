"""Which process listens on a TCP port of this machine, as far as this user may know. Linux only.

Only for the sentence of an error: it reads /proc, starts nothing and never fails. Other users' processes are
hidden from anybody but root; then the user that owns the socket is named in place of the process.

Source: proc_pid_net(5): column 2 local address and port (hex), 4 state (0A is LISTEN), 8 uid, 10 inode.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from lanline.clean import clean

_LISTEN: Final = "0A"


def occupant_of_port(port: int) -> str:
    """Who listens on this TCP port: `nginx (process 812)`, `user 33`, or empty when it cannot be known."""
    sockets = _listening_sockets(port)
    if not sockets:
        return ""
    for process, link in _open_sockets():
        if link in sockets:
            return f"{_name(process)} (process {process})"
    return f"a process of user {next(iter(sockets.values()))}"


def _listening_sockets(port: int) -> dict[str, str]:
    """The sockets that listen on the port: `socket:[inode]` -> uid."""
    wanted = f":{port:04X}"
    found: dict[str, str] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue  # not Linux, or IPv6 is off
        for line in lines:
            columns = line.split()
            if columns[1].endswith(wanted) and columns[3] == _LISTEN:
                found[f"socket:[{columns[9]}]"] = columns[7]
    return found


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
