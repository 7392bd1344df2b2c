"""The socket that hears shouts: broadcasts, multicast, and what is sent to this machine, at one port. No event loop.

Listeners share their port, and they alone do: broadcast and multicast are given to each. What is sent to the address of
one machine is not: of several listeners there, one gets it. How shouts are sent is `udp/multicast.py`; which of them
are copies is the matter of whoever listens (`copies.py`).

Sources: ip(7) IP_ADD_MEMBERSHIP, ipv6(7), socket(7) SO_REUSEADDR.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import select
import socket
import struct
import sys
import time
from types import TracebackType
from typing import Final, NamedTuple, Self

from lanline.address import Address
from lanline.errors import ChannelClosed, TransportError
from lanline.translation import _
from lanline.transport.failures import translate_listen
from lanline.transport.interfaces import Interface, interfaces
from lanline.transport.quiet import QuietLog
from lanline.transport.udp.multicast import GROUP_IPV4, GROUP_IPV6, PORT
from lanline.transport.udp.udpsocket import address_of_place

_LOG: Final = logging.getLogger("lanline.transport")
_LOOK_AGAIN_S: Final = 5.0
_ROOM_BYTES: Final = 65_536
_IS_LINUX: Final = sys.platform.startswith("linux")


class Heard(NamedTuple):
    """One datagram: what it holds and who sent it."""

    message: bytes
    sender: Address


class Listener:
    """Hears broadcasts, both groups on every interface, and what is sent to this machine, at one port.

    Interfaces that come later are listened to within five seconds, by whoever goes on asking. Used by one thread, but
    for `wake`; closed by whoever made it.

    Args:
        port: 1 to 65,535, or 0 for any free one. Other listeners may have it too.

    Raises:
        ListenFailed: the port cannot be listened to.
    """

    def __init__(self, port: int = PORT) -> None:
        self._joined: dict[tuple[int, int], str] = {}
        self._sockets: list[socket.socket] = []
        self._is_over = False
        self._quiet = QuietLog(_LOG)
        self.looks_at = 0.0
        """When `take` looks for new interfaces again, on the monotonic clock."""
        try:
            # IPv4 first: of two copies that are there at the same time, that one shows the address people know.
            self._sockets.append(_listening_socket(socket.AF_INET, port))
            port = self._sockets[0].getsockname()[1]
            if socket.has_dualstack_ipv6():
                self._sockets.append(_listening_socket(socket.AF_INET6, port))
        except OSError as error:
            self.close()
            raise translate_listen(Address("udp", "*", port), error) from error
        self.port = port
        self._look_around()

    @property
    def interfaces(self) -> list[str]:
        """Names of the interfaces on which a group was joined."""
        return sorted(set(self._joined.values()))

    def filenos(self) -> list[int]:
        """The descriptors, for an event loop to watch: when one of them is readable, `take` is worth a try."""
        return [sock.fileno() for sock in self._sockets]

    def take(self) -> Heard | None:
        """The next datagram, whole, if one is there. If none is, and it is time to, looks for new interfaces."""
        for sock in self._sockets:
            try:
                message, place = sock.recvfrom(_ROOM_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:  # of the network, not of this socket: it goes on
                if not self._is_over:
                    self._warn("receive", f"a datagram was not received: {error.strerror or error}")
                continue
            return Heard(message, address_of_place(place))
        if time.monotonic() >= self.looks_at and not self._is_over:
            self._look_around()
        return None

    def receive(self, timeout: float | None = None) -> Heard:
        """The next datagram, whole.

        Args:
            timeout: seconds, 0 or more; None for ever.

        Raises:
            TimeoutError: none came in time. ChannelClosed: `wake` was called.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            heard = self.take()
            if self._is_over:
                raise ChannelClosed(_("this side has closed the socket already"))
            if heard is not None:
                return heard
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                raise TimeoutError(_("nothing was heard within {timeout:g} s").format(timeout=timeout))
            until = self.looks_at if deadline is None else min(self.looks_at, deadline)
            self._wait(max(0.0, until - now))

    def wake(self) -> None:
        """Wakes whoever receives, in another thread; the listener is of no use any more."""
        self._is_over = True  # before the wake-up
        for sock in self._sockets:
            with contextlib.suppress(OSError):  # ENOTCONN: it has no peer, and Linux wakes those who wait all the same
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Gives the port back. A second call does nothing."""
        for sock in self._sockets:
            sock.close()

    def __enter__(self) -> Self:
        """Leaving the block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        self.close()

    def _wait(self, seconds: float) -> None:
        if not hasattr(select, "poll"):  # Windows
            select.select(self._sockets, [], [], seconds)
            return
        poll = select.poll()  # select(2) knows no descriptor above 1,023
        for sock in self._sockets:
            poll.register(sock, select.POLLIN)
        poll.poll(math.ceil(seconds * 1000))

    def _look_around(self) -> None:
        """Joins the groups on interfaces that were not there before, and forgets those that are gone."""
        self.looks_at = time.monotonic() + _LOOK_AGAIN_S
        try:
            found = [one for one in interfaces() if one.is_up]
        except TransportError as error:
            self._warn("interfaces", f"new interfaces are not listened to: {error}")
            return
        there = {one.number for one in found}
        self._joined = {key: name for key, name in self._joined.items() if key[1] in there}
        for sock in self._sockets:
            for one in found:
                key = (sock.family, one.number)
                if key not in self._joined and _join(sock, one):
                    self._joined[key] = one.name

    def _warn(self, kind: str, text: str) -> None:
        self._quiet.warn(kind, f"shouts at port {self.port}: {text}", time.monotonic())


def _listening_socket(family: int, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not _IS_LINUX and hasattr(socket, "SO_REUSEPORT"):  # what BSD and macOS need for the same
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("", port))
    except BaseException:
        sock.close()
        raise
    return sock


def _join(sock: socket.socket, one: Interface) -> bool:
    """Whether the group could be joined there. Where not, for want of an address or of multicast, broadcast is left."""
    try:
        if sock.family == socket.AF_INET6:
            group = socket.inet_pton(socket.AF_INET6, GROUP_IPV6)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, struct.pack("=16si", group, one.number))
            return True
        if not one.ipv4:
            return False
        own = one.ipv4[0].ip.packed
        chosen = struct.pack("=4si", own, one.number) if _IS_LINUX else own
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP_IPV4) + chosen)
    except OSError as error:
        return error.errno == errno.EADDRINUSE  # joined before
    return True
