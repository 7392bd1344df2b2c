"""Framings as people write them on a command line: `raw`, `lines`, `lines:END`, `length`, `netstring`.

END is the terminator, with the escapes that shells and people know: `lines:\\r\\n`, `lines:;`, `lines:\\0`. Programs
name the classes instead.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lanline.errors import UsageError
from lanline.translation import _

if TYPE_CHECKING:
    from lanline.framing.base import Framing

FRAMINGS: Final = "raw, lines, lines:END, length or netstring"

_ESCAPES: Final = {b"\\n": b"\n", b"\\r": b"\r", b"\\t": b"\t", b"\\0": b"\0", b"\\\\": b"\\"}
_ESCAPE: Final = re.compile(rb"\\(?:x[0-9a-fA-F]{2}|.?)", re.DOTALL)


def framing_named(text: str) -> Framing:
    """The framing that a person named. `lines` also takes lines that end in CR LF.

    Raises:
        UsageError: there is no such framing, or its terminator is empty or holds an unknown escape.
    """
    name, colon, end = text.partition(":")
    if name == "lines":
        from lanline.framing.lines import Lines

        return Lines(_terminator(end)) if colon else Lines(strip_cr=True)
    if not colon:
        if name == "raw":
            from lanline.framing.raw import Raw

            return Raw()
        if name == "length":
            from lanline.framing.length import LengthPrefixed

            return LengthPrefixed()
        if name == "netstring":
            from lanline.framing.netstring import Netstring

            return Netstring()
    raise UsageError(
        _("there is no framing {text!r}").format(text=text[:40]),
        advice=_("write {framings}.").format(framings=FRAMINGS),
    )


def _terminator(text: str) -> bytes:
    if not text:
        raise UsageError(_("the terminator after lines: is empty"), advice=_(r"write lines for \n, or lines:\r\n."))
    return _ESCAPE.sub(_unescaped, text.encode("utf-8", "surrogateescape"))


def _unescaped(match: re.Match[bytes]) -> bytes:
    written = match[0]
    if written[1:2] == b"x" and len(written) == 4:
        return bytes.fromhex(written[2:].decode("ascii"))
    if written not in _ESCAPES:
        raise UsageError(
            _("the terminator holds the unknown escape {decode!r}").format(
                decode=written.decode(errors="backslashreplace")
            ),
            advice=_(r"\n, \r, \t, \0, \\ and \xHH are known."),
        )
    return _ESCAPES[written]
