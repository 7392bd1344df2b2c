"""What a request asks for: the names between the slashes, and the fields behind the question mark.

Pure. A target is decoded once, from bytes: percent-encoding first, then UTF-8, where bytes that are none become
surrogates as everywhere in Python. A name that no file could have, `..`, an encoded separator or NUL, is refused by
`beneath.check_name`; nothing is resolved or tidied. Whether anything is there is not its matter.

Sources: RFC 9112, section 3.2 (forms of a target); RFC 3986, section 2.1 (percent-encoding).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl, quote_from_bytes, unquote_to_bytes

from lanline.beneath.names import check_name
from lanline.http.refusal import Refusal

if TYPE_CHECKING:
    from lanline.beneath.names import Names

_ABSOLUTE: Final = re.compile(r"https?://([^/?#]*)([^#]*)", re.IGNORECASE)
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SAFE: Final = "!$&'()*+,;=:@~"
"""Characters of a path segment that need no encoding (RFC 3986, 3.3), beside letters, digits and `-._`."""


_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))
"""What stays as it is in a query that was encoded by whoever sent it."""


class Target(NamedTuple):
    """What one request is about."""

    names: Names
    """The names from the root down; () is the root. Each passed `check_name`."""

    has_slash: bool = True
    """Whether it ends in a slash, as a folder's own address does. The root always does."""

    query: str = ""
    """What stands behind `?`, as it came."""

    authority: str | None = None
    """Host and port of a target in absolute form, which count in place of the field Host."""

    is_server: bool = False
    """True for `*`: the server itself and no file. The target of CONNECT, a host and a port, counts as this too."""

    def fields(self) -> list[tuple[str, str]]:
        """The fields of the query, decoded, in their order. Those without a value have an empty one."""
        return parse_qsl(self.query, keep_blank_values=True, errors="surrogateescape")

    def asks(self, name: str) -> bool:
        """Whether the query has a field of this name, whatever its value."""
        return bool(self.query) and any(key == name for key, _ in self.fields())


def target_of(raw: str) -> Target:
    """Reads a request's target.

    Args:
        raw: as it stands in the request line: `/a/b%20c?download`, `http://host/a`, or `*`.

    Raises:
        Refusal: 400, it is no target.
        NameRefused: a name in it is one that no file may be asked for by.
    """
    authority = None
    if not raw.startswith("/"):
        match = _ABSOLUTE.fullmatch(raw)
        if match is None:
            if "/" in raw or not raw:
                raise Refusal(400, "The target of the request is neither a path nor an address.")
            return Target((), is_server=True)
        authority = match.group(1)
        raw = match.group(2)
        raw = raw if raw.startswith("/") else "/" + raw
    path, _, query = raw.partition("?")
    if path == "/":
        return Target((), True, query, authority)
    segments = path[1:].split("/")
    has_slash = segments[-1] == ""
    if has_slash:
        segments.pop()
    names = tuple(map(decoded, segments)) if "%" in path else tuple(segments)
    for name in names:
        check_name(name)
    return Target(names, has_slash, query, authority)


def decoded(segment: str) -> str:
    """The name that one percent-encoded segment of a path stands for.

    Raises:
        Refusal: 400, there is a percent sign without two hexadecimal digits.
    """
    if _BAD_ESCAPE.search(segment):
        raise Refusal(400, "A percent sign in the target of the request is not followed by two hexadecimal digits.")
    # As bytes: a parser that lets bytes beyond ASCII pass has made surrogates of those that are no UTF-8.
    return unquote_to_bytes(segment.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def encoded(name: str) -> str:
    """A name as a segment of a path. The reverse of `decoded`."""
    return quote_from_bytes(name.encode("utf-8", "surrogateescape"), safe=_SAFE)


def query_of(target: Target) -> str:
    """The query with its `?`, as a part of an address: ASCII, whatever came. Empty where there is none."""
    if not target.query:
        return ""
    return "?" + quote_from_bytes(target.query.encode("utf-8", "surrogateescape"), safe=_ASCII)


def url_of(names: Names, *, is_folder: bool) -> str:
    """The address of a file or folder on this server, beginning with one slash; a folder's ends in one."""
    path = "".join("/" + encoded(name) for name in names)
    return path + "/" if is_folder else path
