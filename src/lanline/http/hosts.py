"""The guard against pages of other sites: which Host and which Origin a request may carry.

DNS rebinding gives a hostile page a name of its own that resolves to this machine; the browser then takes both for one
site. What gives it away is the name in Host. So a name must be one this machine is known by, else 421; an IP address
needs no check, as nobody can make one point elsewhere. A form or script of another site is given away by Origin, which
browsers send with everything that may change something; it must be the same site as Host, else 403. Reading stays open
to links from elsewhere; `Cross-Origin-Resource-Policy` keeps what is read from their scripts. Decision 94.

Sources: RFC 9110, sections 7.2 (Host), 15.5.20 (421); RFC 6454, section 7 (Origin); W3C Fetch Metadata.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from lanline.http.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

READING: Final = frozenset({"GET", "HEAD"})
"""Methods that another site may lead a browser to."""

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.%A-Za-z_~-]+\]|[^\s\[\]:@/?#\\]*)(?::([0-9]{0,5}))?")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_REMEMBERED: Final = 256
"""Host values found good that are kept, so that judging one is a look into a set."""


def own_names() -> frozenset[str]:
    """The names this machine is known by without being told: its host name, also with `.local` (mDNS), and
    localhost. Small letters."""
    full = socket.gethostname().lower().rstrip(".")
    short = full.partition(".")[0]
    return frozenset({"localhost", full, short, f"{short}.local"} - {"", ".local"})


class HostGuard:
    """Judges Host and Origin.

    Args:
        names: further names this server may be called by, such as those given with --host; in any case of letters.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = own_names() | {name.lower().rstrip(".") for name in names}
        self._good: set[str] = set()

    def check(self, method: str, headers: Mapping[str, str], authority: str | None = None) -> None:
        """Raises where the request may be another site's doing.

        Args:
            method: of the request.
            headers: of the request; looked up without regard to case.
            authority: of a target in absolute form, which counts in place of Host (RFC 9112, 3.2.2).

        Raises:
            Refusal: 400 for what is no host, 421 for a name that is not ours, 403 for another site.
        """
        host = headers.get("Host") if authority is None else authority
        # HTTP/1.0 may leave it out, and no browser does. HTTP/1.1 without it was refused by the parser.
        if host is not None and host not in self._good:
            self._judge(host)
        if method in READING:
            return
        origin = headers.get("Origin")
        if origin is not None:
            if not is_same_site(origin, host):
                raise Refusal(403, "This request comes from a page of another site, and would change something here.")
        elif headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
            raise Refusal(403, "This request comes from another site, and would change something here.")

    def _judge(self, host: str) -> None:
        match = _HOST.fullmatch(host)
        if match is None:
            raise Refusal(400, "The Host field of the request is no host.")
        name = match.group(1).lower().rstrip(".")
        if name not in self._names and not is_ip_literal(name):
            text = "This server is not known by the name it was called by here; start it with --host NAME to allow one."
            raise Refusal(421, text)
        if len(self._good) < _REMEMBERED:
            self._good.add(host)


def is_ip_literal(host: str) -> bool:
    """Whether a host as it stands in a URL is an IP address: 192.168.1.7, or [fe80::1], also with a zone."""
    if host.startswith("[") and host.endswith("]"):
        return _parses(ipaddress.IPv6Address, host[1:-1])
    return _parses(ipaddress.IPv4Address, host)


def _parses(kind: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def is_same_site(origin: str, host: str | None) -> bool:
    """Whether an Origin names the host and the port the request went to.

    Args:
        origin: the field's value; `null` is nobody's own site.
        host: the value of Host. The scheme is not compared: what stands before this server may end TLS.
    """
    scheme, found, rest = origin.partition("://")
    if not found or host is None:
        return False
    default = _DEFAULT_PORTS.get(scheme.lower(), "")
    theirs = _with_port(rest, default)
    return theirs is not None and theirs == _with_port(host, default)


def _with_port(host: str, default: str) -> tuple[str, str] | None:
    match = _HOST.fullmatch(host)
    return None if match is None else (match.group(1).lower().rstrip("."), match.group(2) or default)
