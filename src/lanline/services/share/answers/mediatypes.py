"""From a file's name to its media type, which types a browser would obey, and the headers that keep it from doing so.

A table of our own, then that of Python's library without the files of this machine, so that every machine answers
alike. The content is never looked at, and `nosniff` keeps browsers from doing so. Whatever is not known to be passive
goes out sandboxed (decision 92): scripts of somebody's upload do not run with the rights of this site.

Sources: the IANA registry of media types; WHATWG MIME Sniffing, section 4.6 (scriptable types); CSP 3, section 6.3.2.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

UNKNOWN: Final = "application/octet-stream"

SANDBOX: Final = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Content-Security-Policy of a file that a browser might obey: no script, no form, an origin of its own."""

_FILE_HEADERS: Final = {
    "Cache-Control": "no-cache",  # keep it, and ask each time: a tag costs one short answer
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_ACTIVE_HEADERS: Final = {**_FILE_HEADERS, "Content-Security-Policy": SANDBOX}

_OURS: Final = {
    # text, which is shown as it is
    "txt text log out err": "text/plain",
    "md markdown": "text/markdown",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "css": "text/css",
    "js mjs": "text/javascript",
    "htm html": "text/html",
    "vtt": "text/vtt",
    "ics": "text/calendar",
    "vcf": "text/vcard",
    "py pyi sh bash zsh fish rb pl lua go rs c h cc cpp hpp cs java kt swift m r sql tex bib": "text/plain",
    "ini cfg conf toml properties env bat cmd ps1 diff patch srt nfo rst adoc tsx jsx vue": "text/plain",
    # data
    "json": "application/json",
    "jsonl ndjson": "application/x-ndjson",
    "yaml yml": "application/yaml",
    "xml xsd xsl xslt": "application/xml",
    "xhtml xht": "application/xhtml+xml",
    "wasm": "application/wasm",
    "sqlite sqlite3 db": "application/vnd.sqlite3",
    # documents
    "pdf": "application/pdf",
    "epub": "application/epub+zip",
    "rtf": "application/rtf",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "ipynb": "application/x-ipynb+json",
    # images
    "jpg jpeg jpe jfif": "image/jpeg",
    "png": "image/png",
    "apng": "image/apng",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "heic": "image/heic",
    "heif": "image/heif",
    "jxl": "image/jxl",
    "bmp": "image/bmp",
    "ico": "image/vnd.microsoft.icon",
    "tif tiff": "image/tiff",
    "svg": "image/svg+xml",
    # sound
    "mp3": "audio/mpeg",
    "m4a m4b": "audio/mp4",
    "aac": "audio/aac",
    "ogg oga opus": "audio/ogg",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "mid midi": "audio/midi",
    # moving pictures
    "mp4 m4v": "video/mp4",
    "webm": "video/webm",
    "ogv": "video/ogg",
    "mov qt": "video/quicktime",
    "mkv": "video/matroska",
    "avi": "video/x-msvideo",
    "mpg mpeg": "video/mpeg",
    "3gp": "video/3gpp",
    # fonts
    "woff": "font/woff",
    "woff2": "font/woff2",
    "ttf": "font/ttf",
    "otf": "font/otf",
    # what is packed: never a Content-Encoding, or clients would unpack it on the way
    "zip": "application/zip",
    "gz tgz": "application/gzip",
    "bz2 tbz": "application/x-bzip2",
    "xz txz": "application/x-xz",
    "zst": "application/zstd",
    "7z": "application/x-7z-compressed",
    "rar": "application/vnd.rar",
    "tar": "application/x-tar",
    "jar": "application/java-archive",
    "apk": "application/vnd.android.package-archive",
    "deb": "application/vnd.debian.binary-package",
    "rpm": "application/x-rpm",
    "iso img bin exe dll so dmg msi": UNKNOWN,
}
_BY_ENDING: Final = {ending: kind for endings, kind in _OURS.items() for ending in endings.split()}

_PASSIVE: Final = frozenset({UNKNOWN, "text/plain", "text/csv", "application/pdf", "application/json"})
_PASSIVE_FAMILIES: Final = ("image/", "audio/", "video/", "font/")
_TEXT_BUT_FOR_ITS_NAME: Final = frozenset(
    {"application/json", "application/x-ndjson", "application/yaml", "application/x-ipynb+json"}
)


class MediaType:
    """What is sent about the type of a file.

    Attributes:
        name: such as `text/plain`, without parameters: for listings.
        content_type: the value of Content-Type: with `charset=utf-8` where it is text.
        is_active: a browser might obey what is in it.
    """

    __slots__ = ("name", "content_type", "is_active")

    def __init__(self, name: str) -> None:
        self.name = name
        is_text = name.startswith("text/") or name in _TEXT_BUT_FOR_ITS_NAME
        self.content_type = f"{name}; charset=utf-8" if is_text else name
        is_family = name.startswith(_PASSIVE_FAMILIES) and not name.endswith("+xml")
        self.is_active = not is_family and name not in _PASSIVE

    def __repr__(self) -> str:
        return f"<MediaType {self.content_type}{' active' if self.is_active else ''}>"


def media_type_of(name: str) -> MediaType:
    """The type of a file of this name. What no table knows is `application/octet-stream`.

    Args:
        name: the last component of its path, in any case of letters.
    """
    stem, dot, ending = name.rpartition(".")
    return _of_ending(ending.lower() if stem and dot and len(ending) <= 16 else "")


def headers_of(kind: MediaType) -> Mapping[str, str]:
    """What goes out with every file of a type: no guessing, no use by other sites, a sandbox where it is active."""
    return _ACTIVE_HEADERS if kind.is_active else _FILE_HEADERS


@lru_cache(maxsize=512)
def _of_ending(ending: str) -> MediaType:
    known = _BY_ENDING.get(ending)
    if known is None and ending:
        known = _library().types_map[1].get("." + ending)
    return MediaType(known or UNKNOWN)


@lru_cache(maxsize=1)
def _library() -> mimetypes.MimeTypes:
    """The library's own table: an object of its own holds none of /etc/mime.types."""
    return mimetypes.MimeTypes()
