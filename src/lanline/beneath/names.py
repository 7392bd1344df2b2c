"""Which names may be asked for beneath a held folder, and which may be given to something new.

A path comes as its names, each checked alone: what a separator, `..` or a device name would do on any system is
refused before a system sees it. What exists already may be read by any name that cannot mislead; what is new gets only
a name that every common system can hold, so that a folder can be copied to any of them.

A name is text as `os.fsdecode` gives it: bytes that are no UTF-8 are lone surrogates. Overlong UTF-8, which hides a
separator from whoever looks at bytes, is refused; other bytes that are no UTF-8 (names of old disks) can be read.

Sources: RFC 3629 section 3 (overlong forms), PEP 383, "Naming Files, Paths, and Namespaces" (Microsoft Learn),
path_resolution(7).
"""

from __future__ import annotations

import os
import re
import sys
from typing import Final, TypeAlias

from lanline.clean import clean
from lanline.errors import NameRefused

Names: TypeAlias = tuple[str, ...]
"""The names from a held folder down to something beneath it; `()` is the folder itself."""

DRAFT_PREFIX: Final = ".lanline-part-"
"""What the names of unfinished files begin with. Nobody asks for them by name, and listings leave them out."""

MAX_NAME_BYTES: Final = 255
"""NAME_MAX of every common file system on Linux; NTFS and APFS count 255 units of their own, which is no less."""

_IS_WINDOWS: Final = sys.platform == "win32"

_PLAIN: Final = re.compile(r"[^./\\\x00\ud800-\udfff][^/\\\x00\ud800-\udfff]{0,62}")
"""Names that need no closer look for reading: 63 characters are at most 252 bytes."""

_OVERLONG: Final = re.compile(rb"[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f]|\xf0[\x80-\x8f]|\xf8[\x80-\x87]|\xfc[\x80-\x83]")
_NO_UTF8: Final = re.compile("[\ud800-\udfff]")
_UNPORTABLE: Final = re.compile(r'[<>:"|?*]')
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DEVICE: Final = re.compile(r"(?:CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³]) *(?:\..*)?", re.I | re.S)


def check_name(name: str, *, is_new: bool = False) -> None:
    """Passes if a name may be used for one thing beneath a held folder.

    Args:
        name: one name, without separators.
        is_new: True where something new gets this name; the rules are stricter then. On Windows they always are.

    Raises:
        NameRefused: it is empty, `.` or `..`, holds a separator (`/` and, on every system, `\\`) or NUL, is longer than
            255 bytes, holds overlong UTF-8, or is that of an unfinished file. A new name also: it holds control
            characters, one of `<>:"|?*` or bytes that are no UTF-8, ends in a dot or a space, or is a device of
            Windows.
    """
    if not is_new and not _IS_WINDOWS and _PLAIN.fullmatch(name):
        return
    why = _objection(name) or (_objection_to_new(name) if is_new or _IS_WINDOWS else "")
    if why:
        raise NameRefused(f'the name "{_shown(name[:80])}" is refused: {why}')


def _objection(name: str) -> str:
    """Why nothing may be asked for by this name; empty where it may."""
    if name in ("", ".", ".."):
        return "it names no file"
    if "/" in name or "\\" in name:
        return "it holds a separator"
    if "\0" in name:
        return "it holds NUL"
    if is_draft(name):
        return "names like that are for unfinished files"
    try:
        data = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return "it is no text that a file system can hold"
    if _OVERLONG.search(data):
        return "it holds overlong UTF-8"
    if len(data) > MAX_NAME_BYTES:
        return f"it is {len(data)} bytes long, limit {MAX_NAME_BYTES} bytes"
    return ""


def _objection_to_new(name: str) -> str:
    """Why nothing new may get this name, which passed for reading; empty where it may."""
    if _CONTROL.search(name):
        return "it holds a control character"
    if _UNPORTABLE.search(name):
        return 'it holds one of <>:"|?*, which Windows cannot hold'
    if name[-1] in ". ":
        return "it ends in a dot or a space, which Windows drops"
    if _DEVICE.fullmatch(name):
        return "it is the name of a device on Windows"
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        return "it is not UTF-8"
    return ""


def is_draft(name: str) -> bool:
    """Whether this is the name of an unfinished file. Case does not count, as some systems have none."""
    return name[: len(DRAFT_PREFIX)].lower() == DRAFT_PREFIX


def as_text(names: Names) -> str:
    """The names as people write a path, for sentences: `photos/2024`, and `.` for the folder itself."""
    return _shown("/".join(names)) or os.curdir


def _shown(name: str) -> str:
    """As people write it, made harmless. Bytes that are no UTF-8, which nobody writes, are U+FFFD, as in listings."""
    return clean(_NO_UTF8.sub("\ufffd", name))
