"""Which methods an address answers: the truth that Allow tells.

Pure: from what is there and what visitors may do to a list of methods. The site refuses by the same list, so that no
answer and no OPTIONS tell different things. Source: RFC 9110, sections 9.3.7 (OPTIONS), 10.2.1 (Allow), 15.5.6 (405).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lanline.services.share.shared import Permissions

READ: Final = ("GET", "HEAD", "OPTIONS")


class Kind(Enum):
    """What an address leads to."""

    FILE = "file"
    FOLDER = "folder"
    ROOT = "root"
    """The shared folder itself, which nobody removes."""
    ARCHIVE = "archive"
    """A folder as one file: with `?zip` or `?tar` its address is another."""
    MISSING = "missing"
    """Nothing, and a file could be made there."""
    SERVER = "server"
    """`*`: the server as a whole."""


def allowed(kind: Kind, may: Permissions) -> tuple[str, ...]:
    """The methods that an address of this kind answers, sorted.

    Reading and removing are among them also where nothing is there: they are answered with 404, which may change. POST
    begins a resumable upload at the address of a file, whose file gets another name where that one is taken and nothing
    is replaced; it takes a form at the address of a folder.
    """
    methods = set(READ)
    match kind:
        case Kind.FILE:
            if may.upload:
                methods.add("POST")
            if may.upload and may.overwrite:
                methods.add("PUT")
            if may.delete:
                methods.add("DELETE")
        case Kind.FOLDER | Kind.ROOT:
            if may.upload:
                methods.add("POST")
            if may.delete and kind is Kind.FOLDER:
                methods.add("DELETE")
        case Kind.ARCHIVE:
            methods.add("POST")  # a selection too long for an address; it changes nothing
        case Kind.MISSING:
            if may.upload:
                methods |= {"PUT", "POST"}
            if may.delete:
                methods.add("DELETE")
        case Kind.SERVER:
            methods.add("POST")
            if may.upload:
                methods |= {"PUT", "PATCH"}
            if may.upload or may.delete:
                methods.add("DELETE")  # of a file, or of an upload that was begun
    return tuple(sorted(methods))


def why_not(method: str, kind: Kind, may: Permissions) -> str:
    """One sentence for the person whose method was refused."""
    if method in ("PUT", "POST", "PATCH") and not may.upload:
        return "Nothing can be added to this share."
    if method == "PUT" and kind is Kind.FILE:
        return "A file by this name is there already, and this share replaces none."
    if method == "PUT" and kind in (Kind.FOLDER, Kind.ROOT):
        return "A folder by this name is there already, and a folder is not replaced by a file."
    if method == "DELETE" and kind is Kind.ROOT:
        return "The shared folder itself cannot be removed."
    if method == "DELETE":
        return "Nothing can be removed from this share."
    return f"{method} is not among the methods that are answered here."
