"""What a person reads when a share begins: where it is, who reaches it, what they may do, and how a phone gets there.

Rules: an address comes with who reaches it; what visitors may do is said in words, and said twice where it may cost
something; all of it fits a terminal of 80 columns and 24 lines, the QR code included. With --json it is one document.
"""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote_from_bytes

from lanline.console import Painted
from lanline.services.share.owner.accesslog import tell
from lanline.services.share.owner.addresses import Spot, url_of
from lanline.services.share.owner.given import is_wide
from lanline.translation import _

if TYPE_CHECKING:
    from lanline.console import Console
    from lanline.services.share.owner.given import Given
    from lanline.services.share.owner.order import Order

_MOST_SHOWN: Final = 4
_MOST_LINES: Final = 14
"""Of everything but the code, at its longest but for many networks."""
_MAX_QR_BYTES: Final = 78
"""Up to here the code is 19 lines high; a longer address leads to the list of files, which has the file in it."""


class Served(NamedTuple):
    """Where it is served."""

    spots: tuple[Spot, ...]
    port: int
    left_out: tuple[Spot, ...]
    fingerprint: str
    """Of the certificate; empty without TLS."""
    pin: str
    """Of the key of a certificate of this machine's own, for curl; else empty."""
    has_password: bool


class Announcement:
    """Says it.

    Args:
        order: what was asked for.
        given: what is shared.
        served: where.
    """

    def __init__(self, order: Order, given: Given, served: Served) -> None:
        self._order = order
        self._given = given
        self._served = served
        self._path = "" if given.kind == "folder" else quote_from_bytes(os.fsencode(given.name), safe="")

    def show(self, console: Console) -> None:
        """Prints it, on standard output but for what is to be taken care of."""
        if console.wants_json:
            console.json(self._document())
            console.flush()
            return
        code = self._code(console)
        # With a code a terminal of 24 lines has room for what a phone needs, and no more.
        is_roomy = not code or _lines_of_terminal() >= len(code) + _MOST_LINES
        for line in code:
            console.line(Painted(line, "on black"))
        console.line(Painted(self._what(), "bold"))
        self._list(console, has_loopback=is_roomy)
        if self._served.fingerprint:
            self._show_fingerprint(console)
        for hint in self._hints() if is_roomy else ():
            console.line("  ", Painted(hint, "dim"))
        for warning in self._warnings():
            tell(console, self._order.log, Painted(_("Take care: "), "yellow"), warning)
        ending = _("Ctrl-C ends it.") if self._order.log == "none" else _("Ctrl-C ends it; requests are shown below.")
        tell(console, self._order.log, Painted(ending, "dim"))
        console.flush()

    @property
    def urls(self) -> list[str]:
        """Every address, the best first."""
        return [self._url(spot.host) for spot in self._served.spots]

    def _url(self, host: str, path: str | None = None) -> str:
        wanted = self._path if path is None else path
        return url_of(host, self._served.port, is_tls=self._order.has_tls, path=wanted)

    # -- for a person ------------------------------------------------------------------------------------------

    def _code(self, console: Console) -> list[str]:
        """The lines of the QR code; none where nobody could scan it."""
        best = self._served.spots[0]
        if not (self._order.qr or (console.is_terminal and not best.is_loopback and best.is_for_browsers)):
            return []
        from lanline.services.share.owner.qr import qr_lines  # here: few need it

        url = self._url(best.host)
        lines = qr_lines(url if len(url) <= _MAX_QR_BYTES else self._url(best.host, ""))
        return lines if self._order.qr or _fits(lines) else []

    def _what(self) -> str:
        name = self._given.name
        if self._given.kind == "input":
            return _("sharing standard input as {name}, for one download").format(name=name)
        if self._order.once:
            return _("sharing the file {name}, for one complete download").format(name=name)
        if self._given.kind == "file":
            return _("sharing the file {name}").format(name=name)
        return _("sharing the folder {name}; visitors may {rights}").format(name=name, rights=self._rights())

    def _rights(self) -> str:
        order = self._order
        rights = [_("read")]
        if order.upload:
            rights.append(_("add"))
            if order.overwrite:
                rights.append(_("replace"))
        if order.delete:
            rights.append(_("remove"))
        return (
            _("{some} and {last}").format(some=_(", ").join(rights[:-1]), last=rights[-1])
            if rights[1:]
            else _("only read")
        )

    def _list(self, console: Console, *, has_loopback: bool) -> None:
        network = [spot for spot in self._served.spots if not spot.is_loopback]
        shown = [spot for spot in network if spot.is_for_browsers] or network
        rows = [
            (self._url(spot.host), _("whoever is on the network of {interface}").format(interface=spot.interface))
            for spot in shown[:_MOST_SHOWN]
        ]
        loopback = next((spot for spot in self._served.spots if spot.is_loopback), None)
        if loopback is not None and (has_loopback or not rows):
            words = _("this machine") if network else _("this machine only; --lan opens it to others")
            rows.append((self._url(loopback.host), words))
        width = max(len(url) for url, _words in rows)
        for url, words in rows:
            console.line("  ", Painted(url, "cyan"), " " * (width - len(url)), "  ", words)
        if len(shown) > _MOST_SHOWN:
            console.line(_("  and at {count} more addresses").format(count=len(shown) - _MOST_SHOWN))

    def _show_fingerprint(self, console: Console) -> None:
        if self._order.tls_cert is None:
            console.line(_("Browsers warn of its certificate: compare the SHA-256 fingerprint, then go on."))
        half = len(self._served.fingerprint) // 2
        console.line("  ", Painted(self._served.fingerprint[: half + 1], "bold"))
        console.line("  ", Painted(self._served.fingerprint[half + 1 :], "bold"))

    def _hints(self) -> list[str]:
        # -k alone would send the password to anybody; with the pin curl goes on to this machine's key and no other.
        begin = f"curl -k --pinnedpubkey sha256//{self._served.pin}" if self._served.pin else "curl"
        begin += f" -u {shlex.quote(self._order.user or 'me')}" if self._served.has_password else ""
        best = self._served.spots[0].host
        if self._given.kind != "folder":
            return [f"{begin} -O {shlex.quote(self._url(best))}"]
        hints = [f"{begin} -o {shlex.quote(self._given.name + '.zip')} {shlex.quote(self._url(best) + '?zip')}"]
        if self._order.upload:
            hints.append(f"{begin} -T FILE {shlex.quote(self._url(best))}")
        return hints

    def _warnings(self) -> list[str]:
        order, served = self._order, self._served
        if all(spot.is_loopback for spot in served.spots):
            found = [_("no address of a private network was found: this machine alone reaches it")]
            return found if order.is_lan else []
        warnings = []
        if not served.has_password:
            rights = self._rights() if self._given.kind == "folder" else _("read")
            text = _("whoever reaches it can {rights}: it asks for no password").format(
                rights=_("read") if rights == _("only read") else rights
            )
            warnings.append(text)
        elif not order.has_tls:
            warnings.append(_("the password travels in the open: whoever is on the way can read it"))
        if is_wide(self._given):
            warnings.append(_("this is the whole of {path}").format(path=self._given.path))
        if served.left_out:
            hosts = ", ".join(spot.host for spot in served.left_out[:_MOST_SHOWN])
            warnings.append(_("not served at {hosts}: no private network").format(hosts=hosts))
        return warnings

    # -- for a program -----------------------------------------------------------------------------------------

    def _document(self) -> dict[str, object]:
        order, served = self._order, self._served
        return {
            "event": "sharing",
            "kind": self._given.kind,
            "name": self._given.name,
            "addresses": [
                {
                    "url": url,
                    "scope": "machine" if spot.is_loopback else "network",
                    "interface": spot.interface or None,
                }
                for url, spot in zip(self.urls, served.spots, strict=True)
            ],
            "left_out": [spot.host for spot in served.left_out],
            "port": served.port,
            "may": {"upload": order.upload, "overwrite": order.overwrite, "delete": order.delete},
            "password": served.has_password,
            "fingerprint": served.fingerprint or None,
            "pin": served.pin or None,
        }


def _fits(lines: list[str]) -> bool:
    """Whether the terminal is as large as the code."""
    try:
        size = os.get_terminal_size(1)
    except OSError:
        return False
    return size.columns >= len(lines[0]) and size.lines >= len(lines)


def _lines_of_terminal() -> int:
    try:
        return os.get_terminal_size(1).lines
    except OSError:
        return sys.maxsize
