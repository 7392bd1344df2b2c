"""Taking an address without serving it yet: sockets for whoever forks, hands them on, or has no event loop.

Nothing is accepted or received here. The sockets of one address are owned together: who closes them also removes the
file of a Unix socket, so of several processes that share them only the one that bound does it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence

from lanline.address import Address
from lanline.errors import AddressError
from lanline.limits import LAN
from lanline.translation import _
from lanline.transport import listening, socketfile
from lanline.transport.failures import translate_listen
from lanline.transport.sockets import lookup


class Bound:
    """The sockets of one address, listening (streams) or bound (datagrams).

    Args:
        asked: the address as it was asked for.
        addresses: where they are reached, with real ports; one for each socket.
        sockets: non-blocking; owned by this object from now on.
        made: of the file of a Unix socket; None for anything else.
    """

    def __init__(
        self,
        asked: Address,
        addresses: Sequence[Address],
        sockets: Sequence[socket.socket],
        made: socketfile.Identity | None = None,
    ) -> None:
        self.asked = asked
        self.addresses = tuple(addresses)
        self.sockets = tuple(sockets)
        self._made = made
        self._owner = os.getpid()

    def __repr__(self) -> str:
        return f"<Bound {', '.join(map(str, self.addresses))}>"

    def stop_listening(self) -> None:
        """Closes the sockets of this process, and nothing else."""
        for sock in self.sockets:
            sock.close()

    def close(self) -> None:
        """Closes the sockets. A Unix socket's file is removed if it is still the one that was made, and only by the
        process that made it. A second call does nothing."""
        self.stop_listening()
        if self._made is not None and os.getpid() == self._owner:
            socketfile.remove(self.asked.path, self._made)
        self._made = None


def bind(address: Address, *, backlog: int = LAN.backlog, mode: int = socketfile.PRIVATE_MODE) -> Bound:
    """Takes an address; waits for the resolver where it has a name.

    Args:
        address: tcp, tls, unix or udp.
        backlog: length of the listen queue, for streams.
        mode: permission bits of the file, for Unix sockets.

    Returns:
        the sockets; the caller closes them.

    Raises:
        ListenFailed: the address cannot be served. AddressError: the scheme has no sockets.
    """
    if address.scheme == "mem":
        raise AddressError(_("{address} is within one process: there is no socket to bind").format(address=address))
    if address.scheme == "udp":
        from lanline.transport.udp.datagrams import open_bound  # here, not above: streams never need it

        port = open_bound(address)
        return Bound(address, [port.address], [port.sock])
    try:
        if address.scheme == "unix":
            return _bind_unix(address, backlog, mode)
        if address.is_every_interface:
            sockets = [listening.listen_everywhere(address.port, backlog)]
        else:
            sockets = listening.listen_at(lookup(address.host, address.port), address.port, backlog)
    except OSError as error:
        raise translate_listen(address, error) from error
    return Bound(address, [listening.real_address(address, sock) for sock in sockets], sockets)


def _bind_unix(address: Address, backlog: int, mode: int) -> Bound:
    for sock in socketfile.bind_in_steps(address, mode):
        if sock is None:
            time.sleep(socketfile.SECOND_LOOK)
            continue
        try:
            sock.listen(backlog)
            return Bound(address, [address], [sock], socketfile.identity(address.path))
        except OSError:
            sock.close()
            raise
    raise AssertionError("the last step gives a socket or raises")
