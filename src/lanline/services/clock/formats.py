r"""A question of the text dialect and its answer: a format as of strftime(3) in, the formatted time out.

Pure: the second is an argument. Nothing of the C library formats here: its names of days and months depend on the
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
MICROSECONDS: Final = b"\0"
"""Where they go in a template: no question may hold it."""

_MICROSECOND_DIGITS: Final = 6

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
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class NotAFormat(LanlineError):
    """The question cannot be answered. Its text is the reason, without a directive, of at most 40 characters."""


class NoDirective(NotAFormat):
    """The question is a text without anything to fill in, such as somebody else's answer."""

    def __init__(self) -> None:
        super().__init__("no directive in it")


def utc(second: int) -> struct_time:
    """A moment in UTC, and called so: the C library says GMT."""
    return struct_time((*gmtime(second)[:9], "UTC", 0))


class Second(dict[str, str]):
    """One second: what each directive is filled with, worked out when it is first asked for.

    Args:
        local: the time to tell, as `utc` or `time.localtime` give it, with its zone.
        number: the same, seconds since 1970.
    """

    def __init__(self, local: struct_time, number: int) -> None:
        super().__init__()
        self._local = local
        self._number = number

    def __missing__(self, letter: str) -> str:
        if letter in _COMPOSED:
            text = _expand(_COMPOSED[letter], self)
        elif letter in _FILLED:
            text = _FILLED[letter](self._local, self._number)
        else:
            raise NotAFormat("unknown directive")
        self[letter] = text
        return text


def template(question: bytes, second: Second) -> bytes:
    """The answer to one question as it is for the whole second, with a NUL for the microseconds that `%f` asks for:
    `fill_in` puts them there, and makes it 256 bytes long at most. An answer without a NUL is complete.

    Raises:
        NotAFormat: there is no answer; why.
    """
    if len(question) > MAX_QUESTION_BYTES:
        raise NotAFormat(f"over {MAX_QUESTION_BYTES} bytes")
    try:
        text = question.decode("utf-8")
    except UnicodeDecodeError:
        raise NotAFormat("not UTF-8 text") from None
    if not text.isprintable() and _CONTROL.search(text):
        raise NotAFormat("a control character in it")
    if "%" not in text:
        # A newline that a tool has put at its end comes back at the end of the answer.
        if text.rstrip("\r\n"):
            raise NoDirective
        text = DEFAULT_FORMAT + text
    # The name of a zone is whatever the variable TZ says.
    answer = _expand(text, second).encode("utf-8", "replace")
    if len(answer) + answer.count(MICROSECONDS) * (_MICROSECOND_DIGITS - 1) > MAX_ANSWER_BYTES:
        raise NotAFormat(f"answer over {MAX_ANSWER_BYTES} bytes")
    return answer


def fill_in(answer: bytes, now_ns: int) -> bytes:
    """A template with the microseconds of this moment."""
    return answer.replace(MICROSECONDS, b"%06d" % (now_ns // 1000 % 1_000_000))


def _expand(text: str, second: Second) -> str:
    """The text with every directive filled in. Splitting is three times as fast as a regular expression here."""
    first, *pieces = text.split("%")
    made = [first]
    rest = iter(pieces)
    for piece in rest:
        if piece:
            made += (second[piece[0]], piece[1:])
        else:  # two per cent signs: one of them, then text up to the next
            plain = next(rest, None)
            if plain is None:
                raise NotAFormat("unknown directive")
            made += ("%", plain)
    return "".join(made)


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
    "a": lambda at, number: _DAYS[at.tm_wday][:3],
    "A": lambda at, number: _DAYS[at.tm_wday],
    "b": lambda at, number: _MONTHS[at.tm_mon - 1][:3],
    "B": lambda at, number: _MONTHS[at.tm_mon - 1],
    "d": lambda at, number: f"{at.tm_mday:02}",
    "e": lambda at, number: f"{at.tm_mday:2}",
    "f": lambda at, number: MICROSECONDS.decode(),  # not of strftime(3): as in datetime
    "g": lambda at, number: f"{_iso(at)[0] % 100:02}",
    "G": lambda at, number: f"{_iso(at)[0]:04}",
    "H": lambda at, number: f"{at.tm_hour:02}",
    "I": lambda at, number: f"{_twelve(at.tm_hour):02}",
    "j": lambda at, number: f"{at.tm_yday:03}",
    "m": lambda at, number: f"{at.tm_mon:02}",
    "M": lambda at, number: f"{at.tm_min:02}",
    "n": lambda at, number: "\n",
    "p": lambda at, number: "AM" if at.tm_hour < 12 else "PM",
    "s": lambda at, number: str(number),
    "S": lambda at, number: f"{at.tm_sec:02}",
    "t": lambda at, number: "\t",
    "u": lambda at, number: str(at.tm_wday + 1),
    "U": lambda at, number: _week(at, 6),
    "V": lambda at, number: f"{_iso(at)[1]:02}",
    "w": lambda at, number: str((at.tm_wday + 1) % 7),
    "W": lambda at, number: _week(at, 0),
    "y": lambda at, number: f"{at.tm_year % 100:02}",
    "Y": lambda at, number: f"{at.tm_year:04}",
    "z": lambda at, number: _offset(at),
    "Z": lambda at, number: at.tm_zone,
}
"""What each directive is filled with, from the time to tell and its seconds since 1970."""

DIRECTIVES: Final = "".join(sorted({*_COMPOSED, *_FILLED, "%"}))
"""Every letter that may follow a per cent sign."""
