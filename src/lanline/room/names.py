"""Names of machines and rooms: what is allowed, and how a host name becomes one.

A name is one DNS label (it stands in certificates as `<node>.<room>.lanline.internal`), one word of the
target syntax (`pc[1-40]!pc3`), and is printed on terminals; so it is lower-case letters, digits and hyphens
only. A name never identifies a member: the hash of its key does.

Rule: a name from outside is refused, never repaired; only this machine's own host name is folded into one.

Sources: RFC 1123 section 2.1 (letter-digit-hyphen labels, a first digit allowed), RFC 1035 section 2.3.4.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from lanline.errors import UsageError

MAX_NAME_CHARACTERS: Final = 40
"""DNS allows 63; 40 keeps a table of machines readable and leaves place for a suffix such as `-a1b2`."""

ROOM_DOMAIN: Final = "lanline.internal"
"""`.internal` is reserved for private use by ICANN (2024) and never resolves on the internet."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")

RESERVED_NAMES: Final = frozenset(
    {"all", "others", "online", "localhost"}
    | {word + plural for word in ("guest", "member", "operator", "owner") for plural in ("", "s")}
)
"""Words that mean something else: groups of a target, and every machine's name for itself."""


def check_name(name: str, *, what: str = "name") -> str:
    """The name itself, when it may name a machine or a room.

    Args:
        name: 1 to 40 characters of `a-z`, `0-9` and `-`, beginning and ending with a letter or digit.
        what: the noun for the error, such as `room name`.

    Raises:
        UsageError: for any other text and for the words in `RESERVED_NAMES`.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} cannot be a {what}: it takes 1 to {MAX_NAME_CHARACTERS} of a-z, 0-9 and -, "
            "beginning and ending with a letter or digit",
            advice="something like pc7 or lab-3-left.",
        )
    if name in RESERVED_NAMES:
        raise UsageError(
            f"{name!r} cannot be a {what}: the word means something else there",
            advice=f"{name}-1, or another word.",
        )
    return name


def name_from_hostname(hostname: str) -> str:
    """A valid name made from this machine's host name: its first label, folded.

    `Lab-PC_7.example.org` gives `lab-pc-7`; a host name without one usable character gives `machine`.
    Two machines may get the same one; the hub then refuses the second, which asks its owner.
    """
    label = unicodedata.normalize("NFKD", hostname).split(".", 1)[0].lower()
    folded = re.sub(r"[^a-z0-9]+", "-", label.encode("ascii", "ignore").decode("ascii"))
    folded = folded.strip("-")[:MAX_NAME_CHARACTERS].strip("-")
    if folded in ("", "localhost"):
        return "machine"
    return f"pc-{folded}" if folded in RESERVED_NAMES else folded


def certificate_name(node: str, room: str) -> str:
    """The DNS name that a node's certificate carries and that the connecting side checks."""
    return f"{node}.{room}.{ROOM_DOMAIN}"
