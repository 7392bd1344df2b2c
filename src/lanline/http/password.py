"""One password before a site: HTTP's Basic scheme, and a brake on guessing.

It judges a header field and moves no bytes. Pure: the time is an argument. Basic sends the password with every request,
readable to whoever hears the line, so that whoever puts this guard before a site sees to TLS (decision 103).

Rules:

- A comparison takes the same time whatever is wrong, and both the name and the password are always compared.
- Only wrong guesses count: 5 are free for an address, then 1 each 5 s; 2 each second over all addresses. Beyond it 429,
  and the password is not looked at, or the answer would tell whether it was right.
- Whoever has shown the right password from an address is not held up by guesses from others, and neither is the first
  try of an address that has not guessed before: what others do costs nobody his own first try. An IPv6 network gives
  each of its machines more addresses than can be remembered, so there the first try is the network's (its /64).
- What is remembered is bounded. Beyond 4,096 addresses the one not heard for longest is forgotten, and newcomers are
  held to the rate of all.

Sources: RFC 7617 (Basic, charset), RFC 8265 section 4 (OpaqueString: NFC), RFC 6585 (429); the numbers are those of
docs/explanation/trust.md.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import math
import unicodedata
from collections import OrderedDict
from hashlib import sha256
from typing import Final

from lanline.errors import UsageError
from lanline.http.refusal import Refusal
from lanline.translation import _
from lanline.transport.failurerate import FailureRate

ADDRESS_BURST: Final = 5
ADDRESS_REFILL: Final = 5.0
"""Seconds for one more wrong guess of one address."""
ALL_BURST: Final = 10
ALL_REFILL: Final = 0.5
"""Seconds for one more wrong guess over all addresses."""
MAX_ADDRESSES: Final = 4096
MEMORY: Final = 3600.0
"""Seconds after which an address that was silent is new again."""

MAX_FIELD_CHARACTERS: Final = 2048
"""Of an Authorization field that is decoded at all: a name and a password of 700 bytes each fit."""


class _Visitor:
    """What is remembered of one address, or of one IPv6 network."""

    __slots__ = ("failures", "heard", "is_known")

    def __init__(self, now: float) -> None:
        self.failures = FailureRate(ADDRESS_BURST, ADDRESS_REFILL, at=now)
        self.heard = now
        self.is_known = False


class PasswordGuard:
    """Lets requests pass that carry the password.

    Args:
        password: not empty.
        user: the user name that goes with it; None: any name does.
        realm: what a browser shows when it asks; printable ASCII without quotes.

    Raises:
        UsageError: the password is empty or has a control character, or the name has a colon or one.
    """

    def __init__(self, password: str, *, user: str | None = None, realm: str = "lanline share") -> None:
        if not password or _has_control(password):
            raise UsageError(_("the password is empty or has a control character in it"))
        if user is not None and (":" in user or _has_control(user)):
            raise UsageError(_("the user name {user!r} has a colon or a control character in it").format(user=user))
        self._password = _digest(password)
        self._user = None if user is None else _digest(user)
        self._challenge = {
            "WWW-Authenticate": f'Basic realm="{realm}", charset="UTF-8"',
            "Cache-Control": "no-store",
        }
        self._visitors: OrderedDict[str, _Visitor] = OrderedDict()
        self._all = FailureRate(ALL_BURST, ALL_REFILL)
        self.wrong = 0
        """Wrong guesses so far."""

    def __repr__(self) -> str:
        return f"<PasswordGuard wrong={self.wrong} addresses={len(self._visitors)}>"

    def check(self, authorization: str | None, address: str, now: float) -> str:
        """Passes where the field carries the password.

        Args:
            authorization: the field's value; None where there is none.
            address: the peer's IP address, without its port.
            now: seconds of a monotonic clock.

        Returns:
            the user name that was given; the peer's own words.

        Raises:
            Refusal: 401 without a password or with a wrong one, 429 after too many wrong ones.
        """
        if authorization is None:
            raise self._refused("This share asks for a password.")
        wait = self._wait(address, now)
        if wait > 0:
            seconds = math.ceil(wait)
            raise Refusal(
                429,
                f"Too many wrong passwords were tried; try again in {seconds} s.",
                headers={"Retry-After": str(seconds), "Cache-Control": "no-store"},
            )
        given = credentials_of(authorization)
        if given is None:
            raise self._refused("This share asks for a password by the Basic scheme.")
        is_right = hmac.compare_digest(_digest(given[1]), self._password)
        is_right &= self._user is None or hmac.compare_digest(_digest(given[0]), self._user)
        if not is_right:
            self._count(address, now)
            raise self._refused("The password is wrong.")
        self._visitor(address, now).is_known = True
        return given[0]

    def _refused(self, sentence: str) -> Refusal:
        return Refusal(401, sentence, headers=self._challenge)

    def _wait(self, address: str, now: float) -> float:
        """Seconds until a guess from there is looked at."""
        self._forget(now)
        visitor = self._visitors.get(address)
        own = visitor.failures.wait(now) if visitor is not None else 0.0
        if visitor is not None and visitor.is_known:
            return own
        has_room = len(self._visitors) < MAX_ADDRESSES
        if has_room and visitor is None and _network_of(address) not in self._visitors:
            return own
        return max(own, self._all.wait(now))

    def _count(self, address: str, now: float) -> None:
        self.wrong += 1
        self._all.add(now)
        self._visitor(address, now).failures.add(now)
        if (network := _network_of(address)) != address:
            self._visitor(network, now)

    def _visitor(self, address: str, now: float) -> _Visitor:
        visitor = self._visitors.get(address)
        if visitor is None:
            visitor = self._visitors[address] = _Visitor(now)
        visitor.heard = now
        self._visitors.move_to_end(address)
        if len(self._visitors) > MAX_ADDRESSES:
            self._visitors.popitem(last=False)
        return visitor

    def _forget(self, now: float) -> None:
        """Forgets who has been silent for long; the one not heard for longest comes first."""
        while self._visitors and next(iter(self._visitors.values())).heard < now - MEMORY:
            self._visitors.popitem(last=False)


def credentials_of(authorization: str) -> tuple[str, str] | None:
    """The user name and the password of an Authorization field; None where it is not one of Basic that is in order.

    They are UTF-8, as the challenge asks for; bytes that are not are taken as ISO-8859-1, which some programs send.
    """
    scheme, _, token = authorization.partition(" ")
    if len(authorization) > MAX_FIELD_CHARACTERS or scheme.lower() != "basic":
        return None
    try:
        data = base64.b64decode(token.strip(" "), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("iso-8859-1")
    user, colon, password = text.partition(":")
    return (user, password) if colon else None


def _digest(text: str) -> bytes:
    """Of equal length for every text, so that a comparison tells nothing of the length either."""
    return sha256(unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")).digest()


def _has_control(text: str) -> bool:
    return any(unicodedata.category(character) == "Cc" for character in text)


def _network_of(address: str) -> str:
    """The /64 of an IPv6 address; an IPv4 address itself."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.IPv6Network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address
