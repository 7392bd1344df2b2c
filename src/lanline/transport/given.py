"""Listening sockets that somebody else made: a parent process, systemd, a test.

A server that shares its port with others, or that is replaced without losing a client, cannot bind it: one process
binds and the others are given the socket. This file says what such a socket serves and puts the accept loop over it;
it binds nothing and removes no file of a Unix socket: whoever bound it does, when all who share it are done.

Sources: socket(7), SO_ACCEPTCONN; sd_listen_fds(3), the best known giver.
"""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING, Final

from lanline.address import EVERY_INTERFACE, Address
from lanline.errors import UsageError
from lanline.translation import _

if TYPE_CHECKING:
    import ssl

    from lanline.limits import Limits
    from lanline.transport.base import Listener, ProtocolFactory

FIRST_DESCRIPTOR: Final = 3
"""Of the descriptors that systemd gives, which are numbered from here on."""

_ANY: Final = ("0.0.0.0", "::")  # noqa: S104  # what a socket says that listens on every interface


def address_of(sock: socket.socket) -> Address:
    """Where a bound socket is reached, with its real port.

    Raises:
        UsageError: it is no internet or Unix socket, or is bound nowhere.
    """
    if sock.family == socket.AF_UNIX:
        name = sock.getsockname()
        text = os.fsdecode(name)
        if text:
            return Address("unix", path="@" + text[1:] if text.startswith("\0") else text)
    elif sock.family in (socket.AF_INET, socket.AF_INET6) and sock.getsockname()[1]:
        host, port = sock.getsockname()[:2]
        scheme = "udp" if sock.type == socket.SOCK_DGRAM else "tcp"
        return Address(scheme, EVERY_INTERFACE if host in _ANY else host, port)
    raise UsageError(_("a socket to be served is bound to a TCP or UDP port or a Unix path, and this one is not"))


def listen_on(
    sock: socket.socket,
    factory: ProtocolFactory,
    *,
    limits: Limits,
    tls: ssl.SSLContext | None = None,
    welcome_at_once: bool = True,
) -> Listener:
    """Serves one kind of protocol on a socket that listens already, which may be shared with other processes.

    Args:
        sock: a stream socket after listen(2); owned by the listener from now on, which closes it.
        factory, limits, tls, welcome_at_once: as for `tcp.listen`.

    Raises:
        UsageError: it is no stream socket, or does not listen.
    """
    from lanline.transport.accept import AcceptLoop  # here, not above: who only asks for addresses needs no loop
    from lanline.transport.entrance import Entrance

    address = address_of(sock)
    if sock.type != socket.SOCK_STREAM or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise UsageError(
            _("the socket at {address} does not listen: call listen() on it before it is served").format(
                address=address
            )
        )
    sock.setblocking(False)
    entrance = Entrance("only", b"", factory, tls=tls, welcome_at_once=welcome_at_once)
    return AcceptLoop([sock], [address], [entrance], sign=b"", limits=limits)


def activated_sockets() -> list[socket.socket]:
    """The sockets that systemd gives to this process; none where it gives none.

    The variables that say so are taken out of the environment: no child shall take them for its own.

    Raises:
        UsageError: the variables name descriptors that are no sockets.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = os.environ.pop("LISTEN_FDS", "0")
    for name in ("LISTEN_PID", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    last = FIRST_DESCRIPTOR + (int(count) if count.isdigit() else 0)
    return [_socket_at(descriptor) for descriptor in range(FIRST_DESCRIPTOR, last)]


def _socket_at(descriptor: int) -> socket.socket:
    try:
        is_socket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        is_socket = False
    if not is_socket:
        raise UsageError(
            _("LISTEN_FDS says that descriptor {descriptor} is a socket to be served, and it is none").format(
                descriptor=descriptor
            ),
            advice=_("look at the .socket unit; ListenStream= and ListenDatagram= give sockets."),
        )
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)
