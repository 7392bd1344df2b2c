"""The listing of a folder as JSON for programs and as plain HTML for people, in blocks.

Pure: what is in the folder goes in, bytes come out, a few hundred lines at a time, so that a folder of 100,000 entries
holds nobody up. The HTML is a table of links that works without scripts; it stands within the page's shell, which is
not its matter. Names are shown cleaned in HTML, and exact in JSON, whose readers must not obey them; bytes that are no
UTF-8 are shown as U+FFFD, and the address beside the name is always the right one.

Source of the shape: docs/reference/share-http.md.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lanline.clean import clean
from lanline.services.share.answers.mediatypes import media_type_of
from lanline.services.share.target import url_of
from lanline.sizes import show_size

if TYPE_CHECKING:
    from lanline.beneath.names import Names
    from lanline.services.share.shared import Contents, Item, Permissions

BLOCK_ENTRIES: Final = 256
"""Entries of one block: about 3 ms of work and 40 KiB."""

_FORM: Final = (
    b'<form method="post" enctype="multipart/form-data"><label>Add files: '
    b'<input type="file" name="file" multiple required></label> <button>Upload</button></form>\n'
)
"""For browsers without scripts; the page has better."""


class Listing(NamedTuple):
    """One folder, as visitors see it."""

    names: Names
    """Where it is; () is the root."""
    contents: Contents
    may: Permissions
    share: str
    """What the share is called."""
    has_archives: bool = True
    """Whether it can be had as an archive, too."""

    @property
    def title(self) -> str:
        """The path for people: `photos/2026`."""
        return clean("/".join((self.share, *self.names)))


def shown(name: str) -> str:
    """A name as text that can be encoded: bytes that are no UTF-8 become U+FFFD."""
    return name if name.isascii() else name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def date_text(modified_ns: int) -> str:
    """An instant as RFC 3339 in UTC, to the second: `2026-11-20T10:55:00Z`."""
    seconds = min(max(modified_ns // 1_000_000_000, -62135596800), 253402300799)
    year, month, day, hour, minute, second, *_ = time.gmtime(seconds)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"


def json_of(listing: Listing) -> Iterator[bytes]:
    """The listing as one JSON object, in blocks."""
    may = listing.may
    head = {
        "path": [shown(name) for name in listing.names],
        "url": url_of(listing.names, is_folder=True),
        "share": shown(listing.share),
        "may": {"upload": may.upload, "overwrite": may.upload and may.overwrite, "delete": may.delete},
        "archives": listing.has_archives,
        "max_upload_bytes": may.max_upload_bytes,
        "left_out": listing.contents.left_out,
    }
    yield _dumps(head)[:-1] + b', "entries": ['
    base = url_of(listing.names, is_folder=True)
    between = b""
    for block in _blocks(listing.contents.items):
        yield between + b",\n".join(_dumps(_entry(item, base)) for item in block)
        between = b",\n"
    yield b"]}\n"


def _entry(item: Item, base: str) -> dict[str, Any]:
    return {
        "name": shown(item.name),
        "kind": "folder" if item.is_folder else "file",
        "size": item.size,
        "modified": date_text(item.modified_ns),
        "type": None if item.is_folder else media_type_of(item.name).name,
        "url": base + url_of((item.name,), is_folder=item.is_folder)[1:],
    }


def _dumps(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def html_of(listing: Listing, shell: tuple[bytes, bytes, bytes]) -> Iterator[bytes]:
    """The listing as a page, in blocks.

    Args:
        listing: the folder.
        shell: the page around it: what comes before the title, between title and listing, and behind it.
    """
    title = escape(listing.title).encode()
    yield shell[0] + title + shell[1] + b"<h1>" + title + b"</h1>\n"
    yield b"<table>\n<thead><tr><th>Name</th><th>Size</th><th>Changed (UTC)</th></tr></thead>\n<tbody>\n"
    base = url_of(listing.names, is_folder=True)
    if listing.names:
        yield b'<tr><td><a href="' + escape(url_of(listing.names[:-1], is_folder=True)).encode() + b'">../</a></td>'
        yield b"<td></td><td></td></tr>\n"
    for block in _blocks(listing.contents.items):
        yield "".join(_row(item, base) for item in block).encode()
    yield b"</tbody>\n</table>\n"
    if listing.contents.left_out:
        yield b"<p>Left out: %d whose names or kinds cannot be asked for.</p>\n" % listing.contents.left_out
    if listing.may.upload:
        yield _FORM
    yield shell[2]


def _row(item: Item, base: str) -> str:
    url = escape(base + url_of((item.name,), is_folder=item.is_folder)[1:])
    name = escape(clean(shown(item.name))) + ("/" if item.is_folder else "")
    size = "" if item.size is None else show_size(item.size)
    date = date_text(item.modified_ns)
    return (
        f'<tr><td><a href="{url}">{name}</a></td><td>{size}</td>'
        f'<td><time datetime="{date}">{date[:10]} {date[11:16]}</time></td></tr>\n'
    )


def _blocks(items: list[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while block := list(islice(rest, BLOCK_ENTRIES)):
        yield block
