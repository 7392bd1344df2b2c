"""A multipart/form-data body, cut into its parts as it comes: bytes in, events out.

It holds at most one piece of what was fed and a line of headers, whatever the size of the body, and copies nothing but
the few bytes that may be the beginning of a boundary. It opens no file and judges no name. Bodies inside of bodies
are data like any other; an encoding of a part (`Content-Transfer-Encoding`) is not undone, as RFC 7578 wants it.

The boundary is looked for at the beginning of a line only. Headers of a part, the text before the first part and the
number of parts have limits; what is behind the last part is thrown away.

Sources: RFC 7578 (form-data), RFC 2046 section 5.1.1 (boundaries), RFC 8187 (`filename*`), and for what browsers write
into names the HTML standard, "multipart form data": `"`, CR and LF as %22, %0D and %0A, everything else as it is.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

MAX_HEADER_BYTES: Final = 8 * 1024
"""Of all headers of one part: a path of 4,096 bytes, each written as three, does not fit, and no file system has it."""

MAX_PREAMBLE_BYTES: Final = 1024
"""Before the first boundary. Browsers and curl write nothing there."""

_BLANKS: Final = re.compile(rb"[ \t]*")
_MAX_BLANKS: Final = 64
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_PARAMETER: Final = re.compile(
    r';[ \t]*([A-Za-z0-9!#$%&\'*+\-.^_`|~]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))[ \t]*', re.DOTALL
)


@dataclass(frozen=True)
class PartBegins:
    """A part: the name of its field, and the name of its file, None for a field that is none. Both hostile."""

    field: str
    filename: str | None


@dataclass(frozen=True)
class PartData:
    """The next bytes of the part that began last; never empty."""

    data: bytes


@dataclass(frozen=True)
class PartEnds:
    """The part that began last is whole."""


Event = PartBegins | PartData | PartEnds


class MalformedForm(ValueError):
    """The body is no multipart/form-data; the text says what is wrong. Never leaves the folder of the share."""


def boundary_of(content_type: str) -> bytes | None:
    """The boundary of a `multipart/form-data` content type; None where it is another type, or has no sound boundary."""
    kind, semicolon, rest = content_type.partition(";")
    if kind.strip().lower() != "multipart/form-data":
        return None
    boundary = _parameters(semicolon + rest).get("boundary", "")
    return boundary.encode("ascii") if _BOUNDARY.fullmatch(boundary) else None


class MultipartParser:
    """Cuts one body.

    Args:
        boundary: as `boundary_of` tells it.
        max_parts: how many parts are read; more are malformed.
    """

    def __init__(self, boundary: bytes, *, max_parts: int) -> None:
        self._delimiter = b"\r\n--" + boundary
        # The first boundary may stand at the very beginning, with no line before it that could end.
        self._held = b"\r\n"
        self._reads = self._preamble
        self._wants_more = False
        self._parts_left = max_parts
        self.is_over = False
        """Whether the last boundary has come. A body that ends before it was cut off."""

    def feed(self, data: bytes) -> Iterator[Event]:
        """What these bytes complete. The events must be taken before the next bytes are fed.

        Raises:
            MalformedForm: what came cannot be a form. Nothing more may be fed.
        """
        rest = self._held + data if self._held else data
        self._wants_more = False
        while not self._wants_more and not self.is_over:
            rest = yield from self._reads(rest)
        self._held = b"" if self.is_over else rest

    def _wait(self, data: bytes) -> bytes:
        """Keeps what is not enough yet."""
        self._wants_more = True
        return data

    def _preamble(self, data: bytes) -> Generator[Event, None, bytes]:
        at = data.find(self._delimiter)
        if at > MAX_PREAMBLE_BYTES or (at < 0 and len(data) > MAX_PREAMBLE_BYTES + len(self._delimiter)):
            raise MalformedForm("the body does not begin with the boundary that the Content-Type names")
        if at < 0:
            return self._wait(data)
        self._reads = self._boundary_line
        yield from ()
        return data[at + len(self._delimiter) :]

    def _boundary_line(self, data: bytes) -> Generator[Event, None, bytes]:
        """What stands behind a boundary in its line: `--` behind the last one, else nothing but blanks."""
        if data.startswith(b"--"):
            self.is_over = True
            return b""
        blanks = _BLANKS.match(data)
        end = blanks.end() if blanks else 0
        if end > _MAX_BLANKS or data[end : end + 2] not in (b"\r\n", b"\r", b"", b"-"):
            raise MalformedForm("a boundary is followed by other text in its line")
        if data[end : end + 2] != b"\r\n":
            return self._wait(data)
        if self._parts_left == 0:
            raise MalformedForm("the form has more parts than are read at once")
        self._parts_left -= 1
        self._reads = self._headers
        yield from ()
        # The line end stays: a part without any header has its empty line at once.
        return data[end:]

    def _headers(self, data: bytes) -> Generator[Event, None, bytes]:
        end = data.find(b"\r\n\r\n")
        if end > MAX_HEADER_BYTES or (end < 0 and len(data) > MAX_HEADER_BYTES + 4):
            raise MalformedForm(f"the headers of a part are over {MAX_HEADER_BYTES} bytes")
        if end < 0:
            return self._wait(data)
        yield _part_of(data[2:end])
        self._reads = self._content
        return data[end + 4 :]

    def _content(self, data: bytes) -> Generator[Event, None, bytes]:
        at = data.find(self._delimiter)
        if at >= 0:
            if at:
                yield PartData(data[:at])
            yield PartEnds()
            self._reads = self._boundary_line
            return data[at + len(self._delimiter) :]
        kept = self._begun_at(data)
        if kept:
            yield PartData(data if kept == len(data) else data[:kept])
        return self._wait(data[kept:])

    def _begun_at(self, data: bytes) -> int:
        """Where at the end a delimiter may have begun; the length of the data where none has."""
        at = data.find(b"\r", max(0, len(data) - len(self._delimiter) + 1))
        while at >= 0:
            if self._delimiter.startswith(data[at:]):
                return at
            at = data.find(b"\r", at + 1)
        return len(data)


def _part_of(headers: bytes) -> PartBegins:
    """What a part's headers say. Bytes that are no UTF-8 become surrogates, which no new name may hold."""
    for line in headers.split(b"\r\n"):
        key, colon, value = line.decode("utf-8", "surrogateescape").partition(":")
        if colon and key.strip().lower() == "content-disposition":
            kind, semicolon, rest = value.partition(";")
            values = _parameters(semicolon + rest)
            if kind.strip().lower() != "form-data" or "name" not in values:
                break
            return PartBegins(values["name"], values.get("filename*", values.get("filename")))
    raise MalformedForm("a part has no Content-Disposition: form-data with a name")


def _parameters(text: str) -> dict[str, str]:
    """The parameters behind a header's first word, their keys in small letters; the first one of a key counts."""
    found: dict[str, str] = {}
    position = 0
    while match := _PARAMETER.match(text, position):
        key, quoted, bare = match.group(1).lower(), match.group(2), match.group(3)
        value = bare if quoted is None else _unquoted(quoted)
        if key.endswith("*"):
            value = _extended(value)
        if value is not None:
            found.setdefault(key, value)
        position = match.end()
    return found


def _unquoted(text: str) -> str:
    r"""A quoted value. Browsers write a quote in it as %22, curl before 7.81 as \", and a backslash as two."""
    text = re.sub(r'\\(["\\])', r"\1", text)
    return re.sub("%(22|0[AaDd])", lambda match: chr(int(match.group(1), 16)), text)


def _extended(text: str) -> str | None:
    """A value of RFC 8187, `UTF-8''na%C3%AFve`; None where it is in another charset."""
    charset, _, rest = text.partition("'")
    if charset.lower() != "utf-8" or "'" not in rest:
        return None
    return unquote_to_bytes(rest.partition("'")[2]).decode("utf-8", "surrogateescape")
