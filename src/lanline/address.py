"""Addresses: text that says where, and over what.

Grammar::

    address   = [ scheme "://" ] place          no scheme means tcp
    scheme    = "tcp" | "udp" | "tls" | "unix" | "mem"       upper or lower case
    place     = host ":" port                   tcp, udp, tls
              | path                            unix
              | name                            mem
    host      = ""                              this machine only: 127.0.0.1
              | "*"                             every interface, to listen on
              | IPv4 | "[" IPv6 [ "%" scope ] "]" | name of a machine
    port      = 0 .. 65535                      0 asks for any free one, to listen on
    path      = "/" absolute | relative | "@" abstract name       each character is itself, "%" too
    name      = letters, digits, ".", "_", "-"

`*` stays `*` here: whether it becomes `0.0.0.0`, `::` or both is the transport's decision. A relative file
whose name begins with `@` is written `unix://./@name`. Nothing is looked up, no name resolved, no file
touched.

Two rules: an `Address` that exists is valid, whichever way it was made; `Address.parse(str(a)) == a`.

Forms that the resolver would read in an unexpected way are refused: `127.1`, `010.0.0.1`, `0x7f.1` and `12`
are neither IPv4 in four decimal numbers nor names (RFC 3986 section 7.4, RFC 1123 section 2.1).
"""

from __future__ import annotations

from lanline.errors import AddressError
from lanline.translation import _

LOOPBACK = "127.0.0.1"
EVERY_INTERFACE = "*"

_NETWORK_SCHEMES = ("tcp", "udp", "tls")
_SCHEMES = (*_NETWORK_SCHEMES, "unix", "mem")
_MAX_PORT = 65535
_MAX_NAME_CHARACTERS = 253  # RFC 1035 section 2.3.4, as text
_MAX_SHOWN_CHARACTERS = 80  # of a mistaken text in an error: enough to recognise it


class Address:
    """Where to listen or to connect, and over which transport. Frozen, comparable, hashable.

    A plain class: importing dataclasses would take longer than all else that a quick word does with an address.

    Args:
        scheme: `tcp`, `udp`, `tls`, `unix` or `mem`.
        host: for tcp, udp and tls: a name, an IPv4 or IPv6 address (no brackets, scope kept: `fe80::1%eth0`),
            or `*` for every interface. Empty for unix and mem.
        port: for tcp, udp and tls: 0 to 65535, 0 meaning any free one. 0 for unix and mem.
        path: for unix the file, or `@name` in the abstract name space; for mem the name; else empty.

    Raises:
        AddressError: for values that are no address.
    """

    __slots__ = ("host", "path", "port", "scheme")
    scheme: str
    host: str
    port: int
    path: str

    def __init__(self, scheme: str, host: str = "", port: int = 0, path: str = "") -> None:
        for name, value in (("scheme", scheme), ("host", host), ("port", port), ("path", path)):
            object.__setattr__(self, name, value)
        if self.scheme not in _SCHEMES:
            raise AddressError(
                _("there is no scheme {scheme}: the schemes are {schemes}").format(
                    scheme=_shown(self.scheme), schemes=", ".join(_SCHEMES)
                )
            )
        if self.scheme in _NETWORK_SCHEMES:
            _check_network(self)
        else:
            _check_local(self)

    @classmethod
    def parse(cls, text: str, *, default_port: int | None = None) -> Address:
        """The address that a person wrote.

        Args:
            text: as the grammar at the head of this file says.
            default_port: taken where a tcp, udp or tls address names no port. None: a port is required.

        Raises:
            AddressError: naming the part that is wrong and what to write instead.
        """
        scheme, separator, place = text.partition("://")
        if not separator:
            scheme, place = "tcp", text
            _refuse_bare_path(text)
        scheme = scheme.lower()
        if scheme in _NETWORK_SCHEMES:
            host, port = _split_place(scheme, place, default_port)
            return cls(scheme, host=host or LOOPBACK, port=port)
        return cls(scheme, path=place)

    @property
    def is_every_interface(self) -> bool:
        """Whether this stands for every interface of the machine: fit to listen on, not to connect to."""
        return self.host == EVERY_INTERFACE

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an address does not change: make another one to set its {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"an address does not change: its {name} stays")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and self._values == other._values

    def __hash__(self) -> int:
        return hash(self._values)

    def __repr__(self) -> str:
        return f"Address.parse({str(self)!r})"

    def __reduce__(self) -> tuple[type[Address], tuple[str, str, int, str]]:
        return Address, self._values

    @property
    def _values(self) -> tuple[str, str, int, str]:
        return self.scheme, self.host, self.port, self.path

    def __str__(self) -> str:
        if self.scheme not in _NETWORK_SCHEMES:
            return f"{self.scheme}://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def _refuse_bare_path(text: str) -> None:
    """A text without a scheme that can only be meant as a path, or is nothing at all."""
    if not text:
        raise AddressError(_("an empty text is no address"))
    if text.startswith(("/", "./", "../", "~", "@")):
        raise AddressError(
            _("{text} has no scheme: write unix://{path} for a Unix socket").format(
                text=_shown(text), path=_shown(text)[1:-1]
            )
        )
    scheme, colon, rest = text.partition(":")
    if colon and scheme.lower() in _SCHEMES and not rest.isdigit():
        raise AddressError(
            _("{text} lacks the slashes after its scheme: write {scheme}://...").format(
                text=_shown(text), scheme=scheme.lower()
            )
        )


def _split_place(scheme: str, place: str, default_port: int | None) -> tuple[str, int]:
    """`host:port` cut in two; the host without brackets, not yet judged."""
    for mark, why in (("/", _("a path has no meaning there")), ("@", _("a user name has no meaning there"))):
        if mark in place:
            raise AddressError(
                _("{scheme}:// takes host:port, not {place}: {why}").format(scheme=scheme, place=_shown(place), why=why)
            )
    if place.startswith("["):
        inside, bracket, after = place[1:].partition("]")
        if not bracket:
            raise AddressError(
                _("{place} has no closing bracket: write {scheme}://[fe80::1]:9000").format(
                    place=_shown(place), scheme=scheme
                )
            )
        if ":" not in inside:
            raise AddressError(
                _("{inside} stands in brackets but is no IPv6 address: leave the brackets out").format(
                    inside=_shown(inside)
                )
            )
        host, colon, port = inside, after[:1], after[1:]
        if colon not in ("", ":"):
            raise AddressError(
                _("{after} stands after the bracket: write {scheme}://[{inside}]:9000").format(
                    after=_shown(after), scheme=scheme, inside=_shown(inside)[1:-1]
                )
            )
    else:
        if place.count(":") > 1:
            raise AddressError(
                _("{place} holds several colons: an IPv6 host stands in brackets, {scheme}://[fe80::1]:9000").format(
                    place=_shown(place), scheme=scheme
                )
            )
        host, colon, port = place.partition(":")
    return host, _port(scheme, place, port, default_port)


def _port(scheme: str, place: str, text: str, default_port: int | None) -> int:
    if not text:
        if default_port is None and place.isdigit() and int(place) <= _MAX_PORT:
            raise AddressError(
                _("{place} is a port without a host: write {scheme}://:{port}, which is this machine").format(
                    place=_shown(place), scheme=scheme, port=place
                )
            )
        if default_port is None:
            raise AddressError(
                _("{place} has no port: write {scheme}://{host}:9000").format(
                    place=_shown(place), scheme=scheme, host=_shown(place)[1:-1].rstrip(":")
                )
            )
        return default_port
    if not (text.isascii() and text.isdigit()):
        raise AddressError(
            _("the port {text} is not a number: write 0 to {limit}").format(text=_shown(text), limit=_MAX_PORT)
        )
    if len(text) > len(str(_MAX_PORT)):
        raise AddressError(
            _("the port {text} is out of range: write 0 to {limit}").format(text=_shown(text), limit=_MAX_PORT)
        )
    return int(text)


def _check_network(address: Address) -> None:
    if address.path:
        raise AddressError(
            _("a {scheme} address has no path, but got {path}").format(scheme=address.scheme, path=_shown(address.path))
        )
    if not 0 <= address.port <= _MAX_PORT:
        raise AddressError(
            _("the port {port} is out of range: write 0 to {limit}").format(port=address.port, limit=_MAX_PORT)
        )
    host = address.host
    if not host:
        raise AddressError(
            _("a {scheme} address needs a host: {loopback}, a name, or * for every interface").format(
                scheme=address.scheme, loopback=LOOPBACK
            )
        )
    if ":" in host:
        _check_ipv6(host)
    elif host != EVERY_INTERFACE:
        _check_name(host)


def _check_ipv6(host: str) -> None:
    # Imported here: 2 ms that only an IPv6 address is worth to the command line.
    from ipaddress import AddressValueError, IPv6Address

    bare, percent, scope = host.partition("%")
    if percent and not _is_name(scope):
        raise AddressError(
            _("the scope {scope} of an IPv6 host is no interface: write [fe80::1%eth0]").format(scope=_shown(scope))
        )
    try:
        IPv6Address(bare)
    except AddressValueError:
        raise AddressError(
            _("the host {host} is no IPv6 address: write it as in [fe80::1%eth0]").format(host=_shown(host))
        ) from None


def _check_name(host: str) -> None:
    labels = host.removesuffix(".").split(".")
    if len(host) > _MAX_NAME_CHARACTERS:
        raise AddressError(
            _("a host of {count} characters, limit {limit} characters").format(
                count=len(host), limit=_MAX_NAME_CHARACTERS
            )
        )
    if not _is_name(host) or not all(labels):
        raise AddressError(
            _("the host {host} is no name: write letters, digits, '-', '_' and single dots").format(host=_shown(host))
        )
    if _is_number(labels[-1]) and not _is_ipv4(host):
        raise AddressError(
            _("the host {host} is neither a name nor IPv4: write four numbers, as in 192.168.1.7").format(
                host=_shown(host)
            )
        )


def _check_local(address: Address) -> None:
    if address.host or address.port:
        raise AddressError(
            _("a {scheme} address has neither host nor port: write {scheme}://name").format(scheme=address.scheme)
        )
    path = address.path
    if address.scheme == "mem":
        if not _is_name(path):
            raise AddressError(
                _("the name {path} is no mem name: write letters, digits, '.', '_', '-', mem://hub").format(
                    path=_shown(path)
                )
            )
    elif path in ("", "@"):
        raise AddressError(
            _("unix://{path} has an empty path: write unix:///tmp/x.sock, unix://x.sock or unix://@x").format(path=path)
        )
    elif "\0" in path:
        raise AddressError(_("the path {path} holds a NUL character, which no path may").format(path=_shown(path)))


def _is_name(text: str) -> bool:
    """Letters and digits of any script (machines carry such names), `.`, `_` and `-`; at least one."""
    return bool(text) and text.translate(_NAME_MARKS).isalnum()


def _is_number(label: str) -> bool:
    """Whether a resolver would take this last label for a number: decimal, octal or hexadecimal."""
    return label.isdigit() or (label[:2].lower() == "0x" and label[2:].isalnum())


def _is_ipv4(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and all(
        part.isascii() and part.isdigit() and len(part) <= 3 and int(part) <= 255 and str(int(part)) == part
        for part in parts
    )


def _shown(text: str) -> str:
    """The mistaken text, quoted, control characters escaped, and not longer than an error should be."""
    if len(text) > _MAX_SHOWN_CHARACTERS:
        text = text[:_MAX_SHOWN_CHARACTERS] + "..."
    return repr(text)


_NAME_MARKS = str.maketrans("._-", "aaa")
