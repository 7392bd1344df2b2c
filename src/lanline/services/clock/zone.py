"""Whether the variable TZ means anything. The C library takes what it cannot understand for UTC, and says nothing.

Judges a text; sets nothing. Rule: what names a file of the zone database is a zone, what is a POSIX rule is one
(`CST-8`, `CET-1CEST,M3.5.0,M10.5.0/3`), and so are the names of UTC itself.

Sources: tzset(3), POSIX.1-2017 chapter 8.3, RFC 9636 for the first bytes of a zone file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final

FOLDERS: Final = ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo")
"""Where systems keep the zone database; the variable TZDIR names another place."""

_NAME: Final = r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)"
_HOURS: Final = r"[+-]?\d{1,3}(?::[0-5]?\d){0,2}"
_DAY: Final = rf"(?:J?\d{{1,3}}|M1?\d\.[1-5]\.[0-6])(?:/{_HOURS})?"
_RULE: Final = re.compile(rf"{_NAME}{_HOURS}(?:{_NAME}(?:{_HOURS})?(?:,{_DAY},{_DAY})?)?", re.ASCII)
_UTC: Final = frozenset(("", "UTC", "GMT", "UCT", "Z", "Zulu", "Universal", "Greenwich"))


def is_zone(text: str, folders: Sequence[str] = FOLDERS) -> bool:
    """Whether a value of TZ means what its writer meant.

    Args:
        text: the value.
        folders: where the zone database may be.
    """
    name = text.removeprefix(":")
    if name in _UTC or _RULE.fullmatch(name):
        return True
    return any(_is_zone_file(os.path.join(folder, name)) for folder in folders)


def _is_zone_file(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"TZif"
    except (OSError, ValueError):  # not there, a folder, or a name that no file can have
        return False


def meaningless_zone() -> str | None:
    """The value of TZ in this process's environment where it means nothing; None when all is well."""
    text = os.environ.get("TZ")
    if text is None:
        return None
    folder = os.environ.get("TZDIR")
    return None if is_zone(text, (folder,) if folder else FOLDERS) else text
