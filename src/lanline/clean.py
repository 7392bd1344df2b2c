r"""Text from a peer, made harmless for a terminal and a log.

What could move the cursor, change colours, reorder or hide text, or pretend to be another line becomes
visible as an escape: `\x1b`, `\u202e`, `\U000e0041`. Everything else stays as it is. This is the one place
for it; a printer or a log that skips it is a mistake.

What becomes visible:

- control characters (C0, C1, DEL) but the tab, which is harmless, and the newline where the caller keeps it;
- everything that orders text (bidi) or has no width: zero-width, fillers, tags, separators of lines and
  paragraphs, interlinear and musical controls. So do ZWJ and ZWNJ: a family of emoji is shown as its members
  with `\u200d` between them. Names that look alike must not be different, and that is worth more than one
  glyph;
- lone surrogates, which no encoder takes;
- variation selectors, but one U+FE0E or U+FE0F behind a symbol that has an emoji form;
- the fifth combining mark on one character and those behind it. No language stacks as many.

Nothing is lost: each character taken out leaves its number behind. A peer can also write the text `\x1b`
itself; that is as harmless as it looks, and backslashes are left alone so that paths stay readable.

Does not judge words, and does not make a text safe for a shell, a file name or a regular expression.

Sources: Unicode 16 DerivedCoreProperties (Default_Ignorable_Code_Point), UTS #39; "Trojan Source" (Boucher
and Anderson 2021) for the bidi controls. Speed: `benchmarks/clean.py`.
"""

from __future__ import annotations

import codecs
import re
from functools import cache

MAX_COMBINING_MARKS = 4

_CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f"  # the tab is not in it; the newline is added where it is not kept
_INVISIBLE = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d"
    "\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SURROGATE = "\ud800-\udfff"
_PRESENTATION = "\ufe0e\ufe0f"
_HAS_EMOJI_FORM = (
    "\xa9\xae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf\u2934\u2935"
    "\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_MARK = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"

_NEWLINE = "\n"
_ALWAYS = _CONTROL + _INVISIBLE + _SURROGATE


# Compiled when first needed: ASCII without controls, which is most text, needs none of them.
@cache
def _suspicious(keep_newlines: bool) -> re.Pattern[str]:
    """Matches a character that has to be looked at. One class, which is searched several times as fast as a
    pattern that also judges what stands before the character."""
    return re.compile(f"[{_ALWAYS}{_PRESENTATION}{_MARK}{'' if keep_newlines else _NEWLINE}]")


@cache
def _emoji_form() -> re.Pattern[str]:
    """Matches a symbol with an emoji form and the selector of it."""
    return re.compile(f"[{_HAS_EMOJI_FORM}][{_PRESENTATION}]")


@cache
def _marks() -> re.Pattern[str]:
    """Matches combining marks, one more than may be stacked; or one alone."""
    return re.compile(f"[{_MARK}]{{{MAX_COMBINING_MARKS + 1}}}|[{_MARK}]")


_ASCII_CONTROL = bytes({*range(0x20), 0x7F} - {ord("\t")})
_ASCII_CONTROL_LINES = bytes({*_ASCII_CONTROL} - {ord("\n")})
_SHORT_FORMS = {"\n": r"\n", "\r": r"\r"}


def clean_text(text: str, *, keep_newlines: bool = False) -> str:
    r"""The text with everything that could deceive or disturb made visible.

    Cleaning twice is the same as cleaning once. About 1 GB/s for ASCII, 400 MB/s for Chinese.

    Args:
        text: anything, also lone surrogates.
        keep_newlines: whether `\n` stays. Only where several lines are expected and each is marked as the
            peer's; a carriage return never stays.
    """
    if text.isascii():
        controls = _ASCII_CONTROL_LINES if keep_newlines else _ASCII_CONTROL
        # Deleting by table and comparing lengths is five times as fast as searching.
        if len(text.encode("ascii").translate(None, controls)) == len(text):
            return text
    return _suspicious(keep_newlines).sub(_visible, text)


clean = clean_text
"""Its name inside the package. Outside, `lanline.clean` is this module, and could not be a function as well."""


def clean_bytes(data: bytes, encoding: str = "utf-8", *, keep_newlines: bool = False) -> str:
    r"""Bytes from a peer as harmless text. Bytes that are not text in this encoding are shown as `\xff`.

    Args:
        data: anything.
        encoding: one that programs write to terminals in, by any of its names: `gbk`, `cp936`; else UTF-8 is taken.
        keep_newlines: see `clean_text`.
    """
    return clean(data.decode(text_encoding(encoding), "backslashreplace"), keep_newlines=keep_newlines)


def clean_json(document: str) -> str:
    """A JSON document on one line, as harmless as `clean` makes text, and with the same value as before.

    Characters to be taken out can only stand inside strings, where JSON has its own escape for them.
    """
    if document.isascii() and document.isprintable():
        return document
    return _suspicious(keep_newlines=False).sub(_json_escape, document)


def _may_stay(match: re.Match[str]) -> bool:
    """Whether a suspicious character is an ordinary one where it stands."""
    text, position = match.string, match.start()
    if match[0] in _PRESENTATION:
        return position > 0 and _emoji_form().match(text, position - 1) is not None
    if not _marks().match(match[0]):
        return False
    earliest = position - MAX_COMBINING_MARKS
    stacked = _marks().match(text, earliest) if earliest >= 0 else None
    return stacked is None or stacked.end() <= position


def _visible(match: re.Match[str]) -> str:
    character = match[0]
    number = ord(character)
    if number < 0x100:
        return _SHORT_FORMS.get(character) or f"\\x{number:02x}"
    if _may_stay(match):
        return character
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_escape(match: re.Match[str]) -> str:
    if _may_stay(match):
        return match[0]
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


# Encodings that programs write to terminals in, by Python's own names for them. Each decodes any bytes
# whatever; UTF-16 and UTF-32 do not (they raise where a stream has no byte order mark) and are no terminal's
# encoding.
_ENCODINGS = frozenset(
    (
        "utf-8 gbk gb2312 gb18030 big5 big5hkscs cp950 shift_jis cp932 euc_jp euc_kr cp949 "
        "koi8-r koi8-u tis-620 "
        "iso8859-1 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 "
        "iso8859-9 iso8859-10 iso8859-11 iso8859-13 iso8859-14 iso8859-15 iso8859-16 "
        "cp437 cp737 cp850 cp852 cp855 cp857 cp858 cp862 cp866 cp874 "
        "cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258"
    ).split()
)
_MAX_ENCODING_CHARACTERS = 40


def text_encoding(name: str) -> str:
    """The encoding that a peer names, where it is a known one for text; else `utf-8`.

    A name chooses among what is listed here and nothing else: Python's registry also holds compressors and
    codecs that interpret escapes. ASCII, which programs name when no locale is set, is taken as its superset
    UTF-8.

    Args:
        name: as locales and programs write it: `GBK`, `cp936`, `ISO-8859-1`.
    """
    if len(name) > _MAX_ENCODING_CHARACTERS or not name.isascii():
        return "utf-8"
    if not name.replace("-", "a").replace("_", "a").isalnum():
        return "utf-8"
    try:
        known = codecs.lookup(name).name
    except LookupError:
        return "utf-8"
    return known if known in _ENCODINGS else "utf-8"


class DisplayDecoder:
    r"""A stream of bytes from a peer on its way to being shown: decoded, cleaned, its line ends made one.

    Any cut of the stream into chunks shows the same text. Nothing is held back but the bytes of an unfinished
    character, so a prompt without a newline appears at once.

    Carriage returns: `\r\n` becomes `\n`, and so does a lone `\r`, a run of them one `\n`. So a progress bar
    shows as one line per update, each with its machine's name before it. Left as it is, a `\r` would let one
    of a hundred machines overwrite the name in front of its line; made visible, a bar would be one endless
    line that appears when it is over; keeping only the last update would hide what a program has said.

    Args:
        encoding: as `text_encoding` takes it.
    """

    __slots__ = ("encoding", "_decoder", "_before", "_after_return")

    def __init__(self, encoding: str = "utf-8") -> None:
        self.encoding = text_encoding(encoding)
        """The encoding in use, by Python's name."""
        self._decoder = codecs.getincrementaldecoder(self.encoding)("backslashreplace")
        # The last characters, on which it depends whether a selector or a mark may follow.
        self._before = ""
        self._after_return = False

    @property
    def has_unfinished(self) -> bool:
        """Whether the bytes so far end inside a character."""
        return bool(self._decoder.getstate()[0])

    def decode(self, chunk: bytes) -> str:
        """The text that these bytes complete; often empty at the beginning of a long character."""
        return self._show(self._decoder.decode(chunk))

    def finish(self) -> str:
        """What an unfinished character at the end of the stream left behind. Then it is as new."""
        text = self._show(self._decoder.decode(b"", True))
        self._decoder.reset()
        self._before, self._after_return = "", False
        return text

    def _show(self, text: str) -> str:
        if self._after_return or "\r" in text:
            text = self._newlines(text)
        before = self._before
        self._before = (before + text)[-MAX_COMBINING_MARKS:]
        if before and not text.isascii():
            return clean(before + text, keep_newlines=True)[len(clean(before, keep_newlines=True)) :]
        return clean(text, keep_newlines=True)

    def _newlines(self, text: str) -> str:
        """Every run of carriage returns, with the newline that may follow it, as one newline."""
        if self._after_return:
            text = text.lstrip("\r")
            if not text:
                return ""
            text = text.removeprefix("\n")
        self._after_return = text.endswith("\r")
        return re.sub("\r+\n?", "\n", text)
