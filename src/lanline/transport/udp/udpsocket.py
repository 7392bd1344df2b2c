"""One UDP socket, without an event loop: one datagram in, one datagram out, errors in words.

It waits for nothing by itself but in `wait`, and opens nothing: `udp/datagrams.py` does. Rules:

- One byte more than allowed is asked of the kernel, so that a datagram that is too long is known for one.
- A socket on every interface answers from the address that was asked: a peer that asked 10.0.0.7 does not expect its
  answer from 10.0.0.8, and a connected one would not even see it.
- The error of one datagram never eats the next: what a send reports of an earlier datagram is kept for `receive`, and
  the message is sent.

Sources: udp(7), ip(7) IP_PKTINFO, ipv6(7) IPV6_RECVPKTINFO (RFC 3542 section 6), RFC 1122 section 4.1.3.5.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections import deque
from types import TracebackType
from typing import Final, NamedTuple, Self

from lanline.address import Address
from lanline.errors import AddressError, ChannelClosed, DatagramTruncated, LanlineError, TextNotBytes
from lanline.translation import _
from lanline.transport.failures import translate_connect
from lanline.transport.peernames import host_of
from lanline.transport.sockets import lookup
from lanline.transport.udp.undelivered import (
    IS_LINUX,
    Place,
    next_error,
    too_large,
    translate_undelivered,
    watch_errors,
)

BUSY: Final = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS)
"""The system takes or has nothing now. ENOBUFS is how some say that the card's queue is full."""

_KNOWN_ADDRESSES: Final = 4096
"""Peers whose address is kept ready, in both directions. A flood of made-up senders only empties the table."""

_KEPT_ERRORS: Final = 64
"""Undelivered datagrams that wait to be told; older ones give way, for the newest says how it is now."""

_IP_PKTINFO: Final = 8  # linux/in.h; the socket module of Python 3.11 does not name it
_PKTINFO: Final = struct.Struct("=i4s4s")  # interface, local address, address in the header
_PKTINFO_IPV6: Final = struct.Struct("=16si")  # address, interface
_CONTROL_BYTES: Final = 64


class Received(NamedTuple):
    """One datagram as the kernel gave it."""

    message: bytes

    sender: Place
    """`UdpSocket.address_of` makes an Address of it."""

    came_to: bytes
    """The address of this machine that was asked, as `send` takes it; empty where the socket has but one."""


class UdpSocket:
    """One UDP socket, bound or connected. It never blocks: `wait` does. Closed by whoever opened it.

    Args:
        sock: bound or connected; owned by this object from now on.
        peer: where it is connected to; None for a bound socket.
        asked: the address it was bound for, `*` being shown as `*`; None: as the socket itself tells.
        max_datagram_bytes: what `receive` takes at most, 1 to 65,527.
    """

    def __init__(
        self, sock: socket.socket, *, peer: Address | None = None, asked: Address | None = None, max_datagram_bytes: int
    ) -> None:
        sock.setblocking(False)
        watch_errors(sock)
        self.sock = sock
        self.peer = peer
        self.max_datagram_bytes = max_datagram_bytes
        self.is_everywhere = peer is None and sock.getsockname()[0] in ("0.0.0.0", "::")  # noqa: S104 - compared only
        """Whether it is bound to every interface, so that answers must say which address they leave from."""

        self._is_ipv6 = sock.family == socket.AF_INET6
        self._is_dual = self._is_ipv6 and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        is_star = asked.is_every_interface if asked is not None else self.is_everywhere and self._is_dual
        self._host = "*" if is_star else ""
        self.pktinfo = (socket.IPPROTO_IPV6, getattr(socket, "IPV6_PKTINFO", 0)) if self._is_ipv6 else (0, _IP_PKTINFO)
        self.control_bytes = _ask_for_local_address(sock) if self.is_everywhere else 0
        """What to set aside beside each datagram for `way_back`."""

        self.ways_back: dict[bytes, bytes] = {}
        """What `way_back` has found lately, by what came beside the datagram."""

        self._places: dict[Address, Place] = {}
        self.addresses: dict[Place, Address] = {}
        """What `address_of` has found lately: for a loop in which a call less counts."""

        self.is_over = False
        """Whether nobody shall wait for it any more: set by whoever closes it from another thread."""

        self.undelivered: deque[tuple[LanlineError, Place | None]] = deque(maxlen=_KEPT_ERRORS)
        """What is known of datagrams that did not arrive, and not yet told; and whom each was meant for, if that is
        known."""

    @property
    def address(self) -> Address:
        """Where it is bound, with the real port; host `*` for every interface."""
        place = self.sock.getsockname()
        return Address("udp", self._host, place[1]) if self._host else address_of_place(place)

    def fileno(self) -> int:
        """For selectors; -1 when it is closed."""
        return self.sock.fileno()

    def close(self) -> None:
        """Gives the port back. A second call does nothing."""
        self.sock.close()

    def __enter__(self) -> Self:
        """Leaving the block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        self.close()

    def __repr__(self) -> str:
        where = "closed" if self.fileno() < 0 else f"{self.address}{f' to {self.peer}' if self.peer else ''}"
        return f"<UdpSocket {where}>"

    # -- one datagram --------------------------------------------------------------------------------------

    def receive(self) -> Received:
        """The next datagram that has come.

        Raises:
            BlockingIOError: none is there; `wait` for one.
            DatagramTruncated: it was longer than `max_datagram_bytes`; the rest of it is lost.
            DatagramRefused: nobody listens where an earlier datagram was sent to. TransportError: it did not arrive
                for another reason. After any of these the socket goes on.
            ChannelClosed: this side has closed the socket.
        """
        if self.undelivered:
            raise self.undelivered.popleft()[0]
        room = self.max_datagram_bytes + 1
        try:
            message, control, _flags, sender = self.sock.recvmsg(room, self.control_bytes)
        except OSError as error:
            if self.fileno() < 0:
                raise ChannelClosed(_("this side has closed the socket already")) from error
            if self.note(error):
                raise self.undelivered.popleft()[0] from error
            raise
        if len(message) > self.max_datagram_bytes:
            raise DatagramTruncated(self.max_datagram_bytes, str(self.address_of(sender)))
        return Received(message, sender, self.way_back(control) if control else b"")

    def send(self, message: bytes, to: Place | None = None, came_to: bytes = b"") -> None:
        """Sends one datagram, whole or not at all.

        Args:
            message: up to 65,507 bytes; none at all is a datagram too.
            to: where to; None on a connected socket.
            came_to: of the datagram that this answers; it leaves from the address that was asked.

        Raises:
            BlockingIOError: the system takes none now; `wait` until it does.
            MessageTooLarge: it does not fit. TextNotBytes: it is text.
            TransportError: it cannot leave this machine.
            ChannelClosed: this side has closed the socket.
        """
        try:
            self._send(message, to, came_to)
        except BlockingIOError:
            raise
        except OSError as error:
            self._send_again(message, to, came_to, error)
        except TypeError as error:
            given: object = message  # its type forbids text, and beginners send it all the same
            if isinstance(given, str):
                raise TextNotBytes from error
            raise

    def wait(self, timeout: float | None, *, to_send: bool = False) -> bool:
        """Blocks until a datagram or an error is there, or, `to_send`, until the system takes another.

        Args:
            timeout: seconds; None for ever.

        Returns:
            False when the time was over.
        """
        if self.undelivered and not to_send:
            return True
        if not hasattr(select, "poll"):  # Windows
            wanted = [self.sock]
            ready = select.select([] if to_send else wanted, wanted if to_send else [], [], timeout)
            return any(ready)
        poll = select.poll()
        poll.register(self.sock, select.POLLOUT if to_send else select.POLLIN)
        return bool(poll.poll(None if timeout is None else max(0.0, timeout) * 1000))

    def note(self, error: OSError) -> bool:
        """Finds out what an error of a receiving call says, and puts it into `undelivered`, the error queue included.

        Returns:
            False when it only says that nothing is there.
        """
        self._read_errors()
        if not self.undelivered and error.errno not in BUSY:  # a system without an error queue
            self.undelivered.append((translate_undelivered(str(self.peer or "a peer"), error.errno or 0), None))
        return bool(self.undelivered)

    def way_back(self, control: list[tuple[int, int, bytes]]) -> bytes:
        """Of what came beside a datagram, the address of this machine it came to, as `send` takes it."""
        for level, kind, data in control:
            if (level, kind) == self.pktinfo:
                known = self.ways_back.get(data)
                if known is None:
                    if len(self.ways_back) >= _KNOWN_ADDRESSES:
                        self.ways_back.clear()
                    known = self.ways_back[data] = _way_back_ipv6(data) if self._is_ipv6 else _way_back_ipv4(data)
                return known
        return b""

    # -- addresses -----------------------------------------------------------------------------------------

    def address_of(self, place: Place) -> Address:
        """The address of a peer, as the kernel gave it, for people and for `Address` users."""
        address = self.addresses.get(place)
        if address is None:
            if len(self.addresses) >= _KNOWN_ADDRESSES:
                self.addresses.clear()
            address = self.addresses[place] = address_of_place(place)
        return address

    def place_of(self, address: Address, *, is_numeric: bool = False) -> Place:
        """Where `send` shall send to for this address. A name is looked up once.

        Args:
            address: scheme udp.
            is_numeric: refuses names with OSError in place of asking the resolver, which may take seconds.

        Raises:
            AddressError: not an address to send to, or of the other IP version than this socket.
            ConnectFailed: the name does not resolve.
        """
        place = self._places.get(address)
        if place is None:
            if len(self._places) >= _KNOWN_ADDRESSES:
                self._places.clear()
            place = self._places[address] = self._find_place(address, is_numeric=is_numeric)
        return place

    def local_address(self, came_to: bytes = b"") -> Address:
        """The address of this machine that a datagram came to, or that its answers leave from."""
        if not came_to:
            return self.address
        if self._is_ipv6:
            packed, scope = _PKTINFO_IPV6.unpack(came_to)
            return address_of_place((socket.inet_ntop(socket.AF_INET6, packed), self.sock.getsockname()[1], 0, scope))
        return address_of_place((socket.inet_ntoa(_PKTINFO.unpack(came_to)[1]), self.sock.getsockname()[1]))

    # -- private pieces ------------------------------------------------------------------------------------

    def _send(self, message: bytes, to: Place | None, came_to: bytes) -> None:
        try:
            if came_to:
                self.sock.sendmsg([message], [(*self.pktinfo, came_to)], 0, to)
            elif to is None:
                self.sock.send(message)
            else:
                self.sock.sendto(message, to)
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                raise BlockingIOError(*error.args) from error
            raise

    def _send_again(self, message: bytes, to: Place | None, came_to: bytes, error: OSError) -> None:
        """The error may be of an earlier datagram: the kernel reports it now, and has not sent this one."""
        if self.fileno() < 0:
            raise ChannelClosed(_("this side has closed the socket already")) from error
        if error.errno == errno.EMSGSIZE:
            raise too_large(self.sock, len(message), to) from error
        is_of_earlier = self._read_errors() > 0
        if error.errno == errno.ECONNREFUSED and not is_of_earlier:  # a system without an error queue
            is_of_earlier = True
            self.undelivered.append((translate_undelivered(str(self.peer or "a peer"), error.errno), None))
        try:
            # Else the question may have come to an address of many machines (broadcast): nothing leaves from that.
            self._send(message, to, came_to if is_of_earlier else b"")
        except BlockingIOError:
            raise
        except OSError as again:
            peer = str(self.peer if to is None else self.address_of(to))
            raise translate_undelivered(peer, again.errno or 0) from again

    def _read_errors(self) -> int:
        """Empties the error queue; bounded, because answers to a flood may be refused as fast as it comes."""
        for count in range(_KEPT_ERRORS):
            found = next_error(self.sock)
            if found is None:
                return count
            number, place = found
            self.undelivered.append((translate_undelivered(str(self.address_of(place)), number), place))
        return _KEPT_ERRORS

    def _find_place(self, address: Address, *, is_numeric: bool) -> Place:
        if address.scheme != "udp" or address.is_every_interface or address.port == 0:
            raise AddressError(
                _("{address} is not an address a datagram can be sent to: write udp://192.168.1.7:9529").format(
                    address=address
                )
            )
        try:
            found = lookup(address.host, address.port, is_numeric=is_numeric)
        except OSError as error:
            if is_numeric:
                raise
            raise translate_connect(address, error) from error
        for family, *_rest, place in found:
            if family == self.sock.family:
                return place
            if self._is_dual and family == socket.AF_INET:
                return (f"::ffff:{place[0]}", place[1], 0, 0)
        own = "IPv6" if self._is_ipv6 else "IPv4"
        raise AddressError(
            _("{address} is not {own}, and this socket is bound to {bound}").format(
                address=address, own=own, bound=self.address
            ),
            advice=_("bind to udp://*:PORT, which speaks both, or to an address of the same kind as the peer's."),
        )


def _ask_for_local_address(sock: socket.socket) -> int:
    """Has each datagram come with the address it was sent to. How many bytes that takes; 0: this system cannot."""
    if not IS_LINUX:
        return 0
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    return _CONTROL_BYTES


def _way_back_ipv4(data: bytes) -> bytes:
    """The interface is left to the routing table: an answer may leave by another one than the question came by."""
    _, local, _ = _PKTINFO.unpack_from(data)
    return _PKTINFO.pack(0, local, bytes(4))


def _way_back_ipv6(data: bytes) -> bytes:
    """As for IPv4; but a link-local address means nothing without its interface, and multicast is nobody's own."""
    local, interface = _PKTINFO_IPV6.unpack_from(data)
    if local[0] == 0xFF:
        return b""
    is_link_local = local[0] == 0xFE and local[1] & 0xC0 == 0x80
    return _PKTINFO_IPV6.pack(local, interface if is_link_local else 0)


def address_of_place(place: Place) -> Address:
    """The udp address of a place; IPv4 written as IPv6 becomes IPv4, a scope its interface's name."""
    return Address("udp", host_of(place), place[1])
