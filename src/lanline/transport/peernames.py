"""Who is at the other end of a socket, as text for people and logs: an address, or the process behind a Unix socket.

It reads what the kernel knows and opens nothing; no asyncio here. The texts are hostile where a path is in them: clean
them before a terminal.

Sources: unix(7), SO_PEERCRED; RFC 4291 section 2.5.5.2 (IPv4-mapped addresses); RFC 4007 section 11 (scopes).
"""

from __future__ import annotations

import socket
import struct
from typing import Any


def peer_text(sock: socket.socket, *, is_tls: bool = False) -> str:
    """The other end of a connected socket: `tcp://192.168.1.7:51234`; empty where the kernel no longer knows it."""
    try:
        name = sock.getpeername()
    except OSError:
        return ""  # reset already: there is no other end any more
    if sock.family == socket.AF_UNIX:
        return unix_peer_text(name, *peer_process(sock))
    return internet_peer_text(_scheme(sock, is_tls=is_tls), name)


def local_text(sock: socket.socket, *, is_tls: bool = False) -> str:
    """This end of a socket: `tcp://192.168.1.5:9000`."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return unix_peer_text(name, None, None)
    return internet_peer_text(_scheme(sock, is_tls=is_tls), name)


def peer_process(sock: socket.socket) -> tuple[int | None, int | None]:
    """User id and process id at the other end of a Unix socket, as they were when it connected (unix(7))."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None, None
    layout = struct.Struct("3i")  # pid, uid, gid
    try:
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size)
    except OSError:
        return None, None  # not a connected Unix socket: there is no peer process to name
    process, uid, _gid = layout.unpack(raw)
    return (uid, process) if uid >= 0 else (None, None)


def internet_peer_text(scheme: str, name: tuple[str, int] | tuple[str, int, int, int]) -> str:
    """The peer name of a TCP socket as an address: `tcp://[fe80::1%eth0]:51234`."""
    host = host_of(name)
    return f"{scheme}://[{host}]:{name[1]}" if ":" in host else f"{scheme}://{host}:{name[1]}"


def host_of(name: tuple[Any, ...]) -> str:
    """The host in the name of an internet socket, as the socket module gives it. IPv4 written as IPv6 becomes IPv4; a
    link-local address gets its interface, for nobody can connect to it without."""
    host = plain_host(str(name[0]))
    if len(name) > 3 and name[3] and ":" in host and "%" not in host:
        return f"{host}%{_interface(name[3])}"
    return host


def plain_host(host: str) -> str:
    """An IPv4 peer of a dual-stack socket as IPv4: `::ffff:10.0.0.7` becomes `10.0.0.7`."""
    return host[7:] if host.startswith("::ffff:") and "." in host else host


def unix_peer_text(name: str | bytes | None, uid: int | None, process: int | None) -> str:
    """The peer of a Unix socket: the path that leads to it, where there is one, and whose process it is."""
    path = name.decode(errors="backslashreplace").replace("\0", "@", 1) if isinstance(name, bytes) else name
    who = "" if uid is None else f"uid {uid}, process {process}"
    return f"unix://{path or ''} ({who})" if who else f"unix://{path or ''}"


def _interface(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return str(index)  # gone meanwhile; the number is as good for sending


def _scheme(sock: socket.socket, *, is_tls: bool) -> str:
    return "tls" if is_tls else "udp" if sock.type == socket.SOCK_DGRAM else "tcp"
