"""The sentences for what the kernel, the resolver and OpenSSL refuse: `OSError` in, one of our errors out.

This is the boundary of layer 3 (see `lanline.errors`): above it nobody sees an `OSError` of a socket. Rules:
a sentence names the address and a number where there is one, `advice` says what to do; nothing here imports
asyncio or ssl, because the blocking side uses it too and must start fast. Errors of ssl are therefore told
apart by their attributes, never by their class.

Sources: connect(2), bind(2), accept(2), unix(7); OpenSSL `x509_vfy.h` for the numbers of verify errors.
"""

from __future__ import annotations

import errno
import socket
from typing import Final

from lanline.address import Address
from lanline.errors import ChannelBroken, ChannelReset, ConnectFailed, ListenFailed, PeerSilent, PipeBroken
from lanline.translation import _
from lanline.transport.scopes import wrong_scope

_START_FIRST: Final = _("start the server first, or check the address and the port.")
_FIREWALL: Final = _("check that the machine is on, that the address is right, and that no firewall is in between.")
_MORE_DESCRIPTORS: Final = _("close what is not needed, or raise the limit (ulimit -n).")

_CONNECT_SENTENCES: Final[dict[int, tuple[str, str]]] = {
    errno.ECONNREFUSED: (_("nothing listens at {a}: the connection was refused"), _START_FIRST),
    errno.ENOENT: (_("nothing listens at {a}: there is no such socket"), _START_FIRST),
    errno.EHOSTUNREACH: (_("{a} cannot be reached: no machine answers at that address"), _FIREWALL),
    errno.EHOSTDOWN: (_("{a} cannot be reached: the machine is down"), _FIREWALL),
    errno.ENETUNREACH: (
        _("{a} cannot be reached: this machine has no route to that network"),
        _("check the cable or the wireless network, and the address."),
    ),
    errno.ENETDOWN: (
        _("{a} cannot be reached: the network is down"),
        _("check the cable or the wireless network."),
    ),
    errno.ETIMEDOUT: (_("{a} did not answer: the system gave up waiting"), _FIREWALL),
    errno.ECONNRESET: (
        _("{a} closed the connection before it was ready"),
        _("look at the log of the other side: it may be full, or may not know this machine."),
    ),
    errno.EPIPE: (
        _("{a} closed the connection before it was ready"),
        _("look at the log of the other side: it may be full, or may not know this machine."),
    ),
    errno.ECONNABORTED: (
        _("the connection to {a} ended before it was ready"),
        _("look at the log of the other side: it may be full, or may not know this machine."),
    ),
    errno.EAGAIN: (
        _("the server at {a} is too busy to take another connection"),
        _("try again in a moment; its listen queue is full."),
    ),
    errno.EACCES: (
        _("this user may not connect to {a}: permission denied"),
        _("use the same user as the server, or root; for tcp, look for a local firewall rule."),
    ),
    errno.EPERM: (
        _("the system does not allow a connection to {a}"),
        _("look for a local firewall rule or a sandbox around this program."),
    ),
    errno.EADDRNOTAVAIL: (
        _("no local address is left, or fits, for a connection to {a}"),
        _("check the local address asked for; with very many short connections, wait a minute for ports."),
    ),
    errno.ENOTSOCK: (
        _("{a} is a file, not a socket"),
        _("check the path: it must be the one the server listens at."),
    ),
    errno.EPROTOTYPE: (_("{a} is a socket of another kind"), _("check the path: a stream socket is needed.")),
    errno.EAFNOSUPPORT: (_("this system does not speak the kind of address {a} is"), _("use an IPv4 address.")),
    errno.ENAMETOOLONG: (_("the path of {a} is too long for a socket"), _("choose a shorter path.")),
    errno.EMFILE: (_("no connection to {a}: this process has no file descriptor left"), _MORE_DESCRIPTORS),
    errno.ENFILE: (_("no connection to {a}: this machine has no file descriptor left"), _MORE_DESCRIPTORS),
}

_LISTEN_SENTENCES: Final[dict[int, tuple[str, str]]] = {
    errno.EADDRNOTAVAIL: (
        _("{a} cannot be served: no interface of this machine has that address"),
        _("use * for every interface, or one of the addresses that `ip addr` shows."),
    ),
    errno.ENOENT: (_("{a} cannot be served: its folder does not exist"), _("make the folder first (mkdir -p).")),
    errno.ENOTDIR: (_("{a} cannot be served: part of its path is a file"), _("choose a path inside a folder.")),
    errno.EROFS: (
        _("{a} cannot be served: the file system is read-only"),
        _("choose a path elsewhere, such as /run/user."),
    ),
    errno.ENAMETOOLONG: (_("{a} cannot be served: the path is too long for a socket"), _("choose a shorter path.")),
    errno.EAFNOSUPPORT: (
        _("{a} cannot be served: this system does not speak that kind of address"),
        _("use IPv4."),
    ),
    errno.EMFILE: (_("{a} cannot be served: this process has no file descriptor left"), _MORE_DESCRIPTORS),
    errno.ENFILE: (_("{a} cannot be served: this machine has no file descriptor left"), _MORE_DESCRIPTORS),
}

_SILENCES: Final = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN)
"""What routers said last about a peer that confirms nothing any more: told in place of ETIMEDOUT (tcp(7))."""

# Numbers of X509_V_ERR_*, with what they mean to a person. Anything else keeps OpenSSL's own words.
_VERIFY_ADVICE: Final[dict[int, str]] = {
    9: _("its certificate is not valid yet: compare the clocks of both machines."),
    10: _("its certificate has expired: renew it there, or compare the clocks of both machines."),
    18: _("it signed its certificate itself: pass that certificate as the authority, if you trust it."),
    19: _("its certificate comes from an authority this machine does not know: pass that authority's file."),
    20: _("its certificate comes from an authority this machine does not know: pass that authority's file."),
    21: _("its certificate comes from an authority this machine does not know: pass that authority's file."),
    62: _("the address leads to another machine than the one meant, or its certificate bears another name."),
    64: _("its certificate is not made for that IP address: connect by the name it bears."),
}


def translate_connect(
    address: Address, error: OSError | ValueError, *, timeout: float | None = None, during: str = "connect"
) -> ConnectFailed:
    """What to tell a person when no connection came about.

    Args:
        address: where to.
        error: what the system, the resolver or ssl raised. A `TimeoutError` means our own time ran out.
        timeout: seconds waited, for the sentence.
        during: `connect`, or `handshake` once TCP was there and TLS was not.

    Returns:
        the error to raise, `from error`.
    """
    if scope := wrong_scope(address.host, _number(error)):
        text = _("{address} cannot be reached: {reason}").format(address=address, reason=scope.reason)
        return ConnectFailed(text, advice=scope.advice)
    if isinstance(error, socket.gaierror):
        return _unresolved(address, error)
    if hasattr(error, "verify_code"):
        return _unverified(address, error)
    if hasattr(error, "reason") and hasattr(error, "library"):
        return _not_tls(address, error)
    if isinstance(error, TimeoutError) and error.errno is None:
        within = _(" within {timeout:g} s").format(timeout=timeout) if timeout is not None else _(" in time")
        if during == "handshake":
            text = _("{address} took the connection but did not finish the TLS handshake{within}").format(
                address=address, within=within
            )
            return ConnectFailed(text, advice=_("check that TLS is spoken at that port, and how busy that machine is."))
        return ConnectFailed(
            _("no answer from {address}{within}").format(address=address, within=within), advice=_FIREWALL
        )
    number = _number(error)
    if during == "handshake" and isinstance(error, ConnectionError):
        return ConnectFailed(
            _("{address} closed the connection during the TLS handshake").format(address=address),
            advice=_("look at the log of the other side: it may not accept this machine's certificate or TLS version."),
        )
    if number == errno.EACCES and address.scheme == "udp":
        return ConnectFailed(
            _("{address} is not one machine: it is a broadcast address").format(address=address),
            advice=_("name one machine; lanline shout --plain TEXT --to ADDRESS reaches all of a network."),
        )
    if number == errno.EACCES and address.scheme != "unix":
        number = errno.EPERM
    sentence, advice = _CONNECT_SENTENCES.get(number, (_("no connection to {a}: {error}"), None))
    return ConnectFailed(sentence.format(a=address, error=_words(error)), advice=advice)


def translate_listen(address: Address, error: OSError | ValueError) -> ListenFailed:
    """What to tell a person when an address cannot be served. Raise it `from error`."""
    if scope := wrong_scope(address.host, _number(error)):
        text = _("{address} cannot be served: {reason}").format(address=address, reason=scope.reason)
        return ListenFailed(text, advice=scope.advice)
    if isinstance(error, socket.gaierror):
        text = _("{address} cannot be served: the name {host!r} does not resolve to an address").format(
            address=address, host=address.host
        )
        return ListenFailed(text, advice=_("use * for every interface, or an IP address of this machine."))
    number = _number(error)
    if number == errno.EADDRINUSE:
        return _in_use(address)
    if number in (errno.EACCES, errno.EPERM):
        return _forbidden(address)
    default = (_("{a} cannot be served: {error}"), None)
    sentence, advice = _LISTEN_SENTENCES.get(number, default)
    return ListenFailed(sentence.format(a=address, error=_words(error)), advice=advice)


def translate_loss(peer: str, error: Exception | None) -> ChannelBroken:
    """What to tell a person when an open connection broke.

    Args:
        peer: the peer's address or name, as text for people.
        error: what `connection_lost` was given; None when this side aborted.
    """
    if error is None:
        return ChannelBroken(_("the connection with {peer} was cut off").format(peer=peer))
    if hasattr(error, "reason") and "ALERT" in str(error.reason):
        reason = _alert_words(str(error.reason))
        return ChannelBroken(
            _("{peer} ended the connection: {reason}").format(peer=peer, reason=reason),
            advice=_("look at the log of the other side; a certificate it does not accept is the usual cause."),
        )
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ETIMEDOUT or isinstance(error, TimeoutError):
        return PeerSilent(_("{peer} no longer answers: nothing it was sent has been confirmed").format(peer=peer))
    if number in _SILENCES:
        return PeerSilent(_("{peer} no longer answers: {error}").format(peer=peer, error=_words(error)))
    if isinstance(error, BrokenPipeError):
        return PipeBroken(_("{peer} had closed the connection before it was sent more").format(peer=peer))
    if isinstance(error, ConnectionError):
        return ChannelReset(_("the connection with {peer} was reset").format(peer=peer))
    return ChannelBroken(_("the connection with {peer} broke: {error}").format(peer=peer, error=_words(error)))


def tls_words(error: Exception) -> str:
    """Why a TLS handshake failed, in few words, for a log line. Not cleaned."""
    if hasattr(error, "verify_message"):
        return f"certificate not accepted ({error.verify_message})"
    reason = getattr(error, "reason", None)
    if isinstance(reason, str):
        return _alert_words(reason) if "ALERT" in reason else reason.replace("_", " ").lower()
    if isinstance(error, ConnectionAbortedError):
        return "handshake not finished in time"
    if isinstance(error, ConnectionError):
        return "the peer closed during the handshake"
    return _words(error)


def _number(error: Exception) -> int:
    if isinstance(error, ConnectionResetError):
        return errno.ECONNRESET
    if isinstance(error, ConnectionAbortedError):
        return errno.ECONNABORTED
    number = error.errno if isinstance(error, OSError) else None
    return number if number is not None else 0


def _words(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text or type(error).__name__


def _alert_words(reason: str) -> str:
    """`TLSV13_ALERT_CERTIFICATE_REQUIRED` as `alert: certificate required`."""
    _, _, words = reason.partition("ALERT_")
    return "TLS alert: " + words.replace("_", " ").lower()


def _unresolved(address: Address, error: socket.gaierror) -> ConnectFailed:
    if error.errno == socket.EAI_AGAIN:
        text = _("the name {host!r} could not be resolved: no name server answers").format(host=address.host)
        return ConnectFailed(text, advice=_("use the IP address, or check this machine's network."))
    text = _("the name {host!r} does not resolve to an address").format(host=address.host)
    return ConnectFailed(text, advice=_("check the spelling, or use the IP address."))


def _unverified(address: Address, error: Exception) -> ConnectFailed:
    message = str(getattr(error, "verify_message", "")).rstrip(".")
    code = int(getattr(error, "verify_code", 0))
    text = _("{address} is not trusted: {message}").format(address=address, message=message)
    return ConnectFailed(text, advice=_VERIFY_ADVICE.get(code, _("check which certificate that machine uses.")))


def _not_tls(address: Address, error: Exception) -> ConnectFailed:
    reason = str(getattr(error, "reason", None) or "")
    if "ALERT" in reason:
        return ConnectFailed(
            _("{address} refused the connection: {reason}").format(address=address, reason=_alert_words(reason)),
            advice=_("look at the log of the other side; a certificate it does not accept is the usual cause."),
        )
    if reason in (
        "WRONG_VERSION_NUMBER",
        "RECORD_LAYER_FAILURE",
        "UNEXPECTED_MESSAGE",
        "PACKET_LENGTH_TOO_LONG",
    ):
        return ConnectFailed(
            _("{address} does not speak TLS").format(address=address),
            advice=_("use tcp:// in place of tls://, or check the port."),
        )
    words = reason.replace("_", " ").lower() or _words(error)
    return ConnectFailed(_("no TLS connection to {address}: {words}").format(address=address, words=words))


def _in_use(address: Address) -> ListenFailed:
    if address.scheme == "unix":
        return ListenFailed(
            _("{address} is in use: another server listens there").format(address=address),
            advice=_("stop that server, or choose another path."),
        )
    from lanline.transport.occupant import occupant_of_port  # here: a client never needs it, and it costs 2 ms

    owner = occupant_of_port(address.host, address.port, is_udp=address.scheme == "udp")
    by = _(" by {owner}").format(owner=owner) if owner else ""
    return ListenFailed(
        _("port {port} is in use{by}: {address} cannot be served").format(port=address.port, by=by, address=address),
        advice=_("stop that program, or choose another port (0 takes any free one)."),
    )


def _forbidden(address: Address) -> ListenFailed:
    if address.scheme != "unix" and 0 < address.port < 1024:
        return ListenFailed(
            _("{address} cannot be served: ports below 1024 need root").format(address=address),
            advice=_("choose a port from 1024 up, or allow it with sysctl net.ipv4.ip_unprivileged_port_start."),
        )
    return ListenFailed(
        _("{address} cannot be served: permission denied").format(address=address),
        advice=_("choose a folder that this user may write to, such as $XDG_RUNTIME_DIR."),
    )
