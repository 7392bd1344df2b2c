r"""A question of the text dialect and its answer: a format as of strftime(3) in, the formatted time out.

Pure: the moment is an argument. Nothing of the C library formats here: its names of days and months depend on the
locale of the process, its widths (`%1535d` is 1,535 digits) make one small datagram a large answer, and each system
has directives of its own. The table below is all there is, without widths and flags, and in English on every machine.

Rules:

- An empty question is `%Y-%m-%d %X`. Text between directives passes through: `time is %H:%M`.
- A question has at most 128 bytes of UTF-8, an answer at most 256: enough for a date in any script, and too little to
  be used as an amplifier.
- What is no question is refused with a reason of a few words that begins with `?`. Neither a reason nor an answer holds
  a directive of its own making, and a text without a directive is no question (`NoDirective`, which a datagram gets no
  answer to): so two time servers that a forged sender address sets on each other fall silent at once.

Sources: strftime(3) and POSIX.1-2017 in the locale C; ISO 8601 weeks; CA-1996-01 for services that answer each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from time import gmtime, struct_time
from typing import Final

from lanline.errors import LanlineError

DEFAULT_FORMAT: Final = "%Y-%m-%d %X"
MAX_QUESTION_BYTES: Final = 128
MAX_ANSWER_BYTES: Final = 256

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DIRECTIVE: Final = re.compile("%(.?)", re.DOTALL)
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class NotAFormat(LanlineError):
    """The question cannot be answered. Its text is the reason, without a directive, of at most 40 characters."""


class NoDirective(NotAFormat):
    """The question is a text without anything to fill in, such as somebody else's answer."""

    def __init__(self) -> None:
        super().__init__("no directive in it")


def is_fleeting(question: bytes) -> bool:
    """Whether the answer may be another one before the second is over, so that it must not be kept."""
    return b"%f" in question.replace(b"%%", b"")


def utc(second: int) -> struct_time:
    """A moment in UTC, and called so: the C library says GMT."""
    return struct_time((*gmtime(second)[:9], "UTC", 0))


def answer_text(question: bytes, moment: struct_time, now_ns: int) -> bytes:
    """The answer to one question.

    Args:
        question: the format, UTF-8.
        moment: the time to tell, as `utc` or `time.localtime` give it, with its zone.
        now_ns: the same moment in nanoseconds since 1970, for `%f` and `%s`.

    Raises:
        NotAFormat: there is no answer; why.
    """
    if len(question) > MAX_QUESTION_BYTES:
        raise NotAFormat(f"over {MAX_QUESTION_BYTES} bytes")
    try:
        text = question.decode("utf-8")
    except UnicodeDecodeError:
        raise NotAFormat("not UTF-8 text") from None
    if _CONTROL.search(text):
        raise NotAFormat("a control character in it")
    # A newline that a tool has put at its end comes back at the end of the answer.
    if not text.rstrip("\r\n"):
        text = DEFAULT_FORMAT + text
    elif "%" not in text:
        raise NoDirective
    # The name of a zone is whatever the variable TZ says.
    answer = _expand(text, moment, now_ns).encode("utf-8", "replace")
    if len(answer) > MAX_ANSWER_BYTES:
        raise NotAFormat(f"answer over {MAX_ANSWER_BYTES} bytes")
    return answer


def _expand(text: str, moment: struct_time, now_ns: int) -> str:
    def fill(match: re.Match[str]) -> str:
        letter = match[1]
        if letter in _COMPOSED:
            return _expand(_COMPOSED[letter], moment, now_ns)
        try:
            return _FILLED[letter](moment, now_ns)
        except KeyError:
            raise NotAFormat("unknown directive") from None

    return _DIRECTIVE.sub(fill, text)


def _twelve(hour: int) -> int:
    return (hour + 11) % 12 + 1


def _week(moment: struct_time, first_day: int) -> str:
    """Weeks since the first `first_day` (0 is Monday) of the year; the days before it are week 00."""
    return f"{(moment.tm_yday + 6 - (moment.tm_wday - first_day) % 7) // 7:02}"


def _iso(moment: struct_time) -> tuple[int, int]:
    """Year and week of ISO 8601."""
    found = date(moment.tm_year, moment.tm_mon, moment.tm_mday).isocalendar()
    return found.year, found.week


def _offset(moment: struct_time) -> str:
    minutes = abs(moment.tm_gmtoff) // 60
    return f"{'-' if moment.tm_gmtoff < 0 else '+'}{minutes // 60:02}{minutes % 60:02}"


_COMPOSED: Final[dict[str, str]] = {
    "c": "%a %b %e %H:%M:%S %Y",
    "D": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "r": "%I:%M:%S %p",
    "R": "%H:%M",
    "T": "%H:%M:%S",
    "x": "%m/%d/%y",
    "X": "%H:%M:%S",
}
"""Directives that stand for several."""

_FILLED: Final[dict[str, Callable[[struct_time, int], str]]] = {
    "a": lambda at, ns: _DAYS[at.tm_wday][:3],
    "A": lambda at, ns: _DAYS[at.tm_wday],
    "b": lambda at, ns: _MONTHS[at.tm_mon - 1][:3],
    "B": lambda at, ns: _MONTHS[at.tm_mon - 1],
    "d": lambda at, ns: f"{at.tm_mday:02}",
    "e": lambda at, ns: f"{at.tm_mday:2}",
    "f": lambda at, ns: f"{ns // 1000 % 1_000_000:06}",  # microseconds: not of strftime(3), as in datetime
    "g": lambda at, ns: f"{_iso(at)[0] % 100:02}",
    "G": lambda at, ns: f"{_iso(at)[0]:04}",
    "H": lambda at, ns: f"{at.tm_hour:02}",
    "I": lambda at, ns: f"{_twelve(at.tm_hour):02}",
    "j": lambda at, ns: f"{at.tm_yday:03}",
    "m": lambda at, ns: f"{at.tm_mon:02}",
    "M": lambda at, ns: f"{at.tm_min:02}",
    "n": lambda at, ns: "\n",
    "p": lambda at, ns: "AM" if at.tm_hour < 12 else "PM",
    "s": lambda at, ns: str(ns // 1_000_000_000),
    "S": lambda at, ns: f"{at.tm_sec:02}",
    "t": lambda at, ns: "\t",
    "u": lambda at, ns: str(at.tm_wday + 1),
    "U": lambda at, ns: _week(at, 6),
    "V": lambda at, ns: f"{_iso(at)[1]:02}",
    "w": lambda at, ns: str((at.tm_wday + 1) % 7),
    "W": lambda at, ns: _week(at, 0),
    "y": lambda at, ns: f"{at.tm_year % 100:02}",
    "Y": lambda at, ns: f"{at.tm_year:04}",
    "z": lambda at, ns: _offset(at),
    "Z": lambda at, ns: at.tm_zone,
    "%": lambda at, ns: "%",
}
"""What each directive is filled with, from the moment and its nanoseconds since 1970."""

DIRECTIVES: Final = "".join(sorted({*_COMPOSED, *_FILLED}))
"""Every letter that may follow a per cent sign."""
