"""What becomes of datagrams that did not arrive: the system's error queue, and a sentence for each number.

A datagram leaves without an answer. When no program listens at its port, the far system says so in a packet of its own
(ICMP port unreachable), and the kernel hands that to the socket as an error of some later call: nothing says of which
datagram. Linux keeps such errors in a queue beside the socket, each with the address its datagram was meant for; this
file reads that queue. Elsewhere the number alone is known, and the peer only where there is but one.

Rule: whoever gets any error from a socket here reads the queue until it is empty, else `poll` reports it for ever.

Sources: ip(7) IP_RECVERR, ipv6(7) IPV6_RECVERR, recvmsg(2) MSG_ERRQUEUE, linux/errqueue.h, udp(7) "Error handling".
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from typing import Any, Final

from lanline.errors import DatagramRefused, LanlineError, MessageTooLarge, TransportError
from lanline.translation import _

Place = tuple[Any, ...]
"""An address as the socket calls take it: (host, port), or (host, port, flow, scope) for IPv6."""

MAX_DATAGRAM_BYTES: Final = 65_507
"""What fits into one datagram over IPv4: 65,535 bytes less 20 for IP and 8 for UDP (RFC 791, RFC 768)."""

MAX_DATAGRAM_BYTES_IPV6: Final = 65_527
"""Over IPv6 the length does not count the header (RFC 8200)."""

SMALLER_DATAGRAMS: Final = _("send it in parts (1,200 bytes pass every network), or over tcp.")
"""Advice for what fits into no datagram: no limit of ours is in the way, and none can be raised."""

IS_LINUX: Final = sys.platform == "linux"

# linux/in.h and linux/in6.h; the socket module of Python 3.11 does not name them.
_IP_RECVERR: Final = 11
_IPV6_RECVERR: Final = 25
_ERROR_MARKS: Final = ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR))

_EXTENDED_ERROR: Final = struct.Struct("=IBBBBII")  # errno, origin, type, code, padding, info, data
_ORIGIN_LOCAL: Final = 1
"""An error that the sending call itself has reported already."""

_CONTROL_BYTES: Final = 512

_SENTENCES: Final[dict[int, tuple[str, str]]] = {
    errno.EHOSTUNREACH: (
        _("a datagram to {p} did not arrive: no machine answers at that address"),
        _("check that the machine is on, that the address is right, and that no firewall is in between."),
    ),
    errno.ENETUNREACH: (
        _("a datagram to {p} was not sent: this machine has no route to that network"),
        _("check the cable or the wireless network, and the address."),
    ),
    errno.ENETDOWN: (
        _("a datagram to {p} was not sent: the network is down"),
        _("check the cable or the wireless network."),
    ),
    errno.EACCES: (
        _("a datagram to {p} was not sent: permission denied"),
        _("an address that means all machines of a network is for lanline shout; else look for a local firewall rule."),
    ),
    errno.EPERM: (
        _("a datagram to {p} was not sent: this system does not allow it"),
        _("look for a local firewall rule or a sandbox around this program."),
    ),
    errno.EADDRNOTAVAIL: (
        _("a datagram to {p} was not sent: no address of this machine fits"),
        _("check the address, and its scope where it begins with fe80."),
    ),
    errno.EINVAL: (
        _("a datagram to {p} was not sent: that address cannot be reached from where this socket is bound"),
        _("bind to * or to an address of that network, and give an address that begins with fe80 its scope, %eth0."),
    ),
    errno.ENOPROTOOPT: (
        _("a datagram to {p} did not arrive: that machine does not speak UDP"),
        _("check the address."),
    ),
}


def watch_errors(sock: socket.socket) -> None:
    """Has the kernel keep what it learns of undelivered datagrams, with the address each was meant for. Linux only.

    A socket of IPv6 is told of its IPv4 datagrams by the option of IPv4.
    """
    if not IS_LINUX:
        return
    sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)


def next_error(sock: socket.socket) -> tuple[int, Place] | None:
    """The oldest kept error: its number and the address its datagram was meant for. None: there is no more.

    Args:
        sock: non-blocking, after `watch_errors`.
    """
    if not IS_LINUX:
        return None
    while True:
        try:
            _, control, _, place = sock.recvmsg(0, _CONTROL_BYTES, socket.MSG_ERRQUEUE)
        except OSError:
            return None  # EAGAIN: the queue is empty; anything else is the pending error itself, told by the next call
        for level, kind, data in control:
            if (level, kind) in _ERROR_MARKS and len(data) >= _EXTENDED_ERROR.size:
                number, origin, *_ = _EXTENDED_ERROR.unpack_from(data)
                if origin != _ORIGIN_LOCAL:
                    return number, place


def translate_undelivered(peer: str, number: int) -> LanlineError:
    """What to tell a person of a datagram that did not leave, or did not arrive.

    Args:
        peer: whom it was meant for, as text.
        number: the system's errno.

    Returns:
        DatagramRefused where nobody listens there, else a TransportError. The socket can still be used.
    """
    if number in (errno.ECONNREFUSED, errno.ECONNRESET):  # Windows says reset for the same thing
        return DatagramRefused(_("nobody listens at {peer}: a datagram was refused").format(peer=peer))
    default = (_("a datagram to {p} was not delivered: {error}"), None)
    sentence, advice = _SENTENCES.get(number, default)
    return TransportError(sentence.format(p=peer, error=os.strerror(number)), advice=advice)


def too_large(sock: socket.socket, size_bytes: int, to: Place | None) -> MessageTooLarge:
    """What to tell of EMSGSIZE: the limit of the protocol, or a lower one that this system sets for the socket."""
    is_ipv6 = sock.family == socket.AF_INET6 and not (to is not None and str(to[0]).startswith("::ffff:"))
    limit = MAX_DATAGRAM_BYTES_IPV6 if is_ipv6 else MAX_DATAGRAM_BYTES
    if size_bytes <= limit:
        limit = min(limit, sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))
    return MessageTooLarge(size_bytes, limit, _("datagram"), advice=SMALLER_DATAGRAMS)
