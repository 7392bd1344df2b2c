"""Conditional requests: entity tags, dates, and which of 200, 206, 304 and 412 they lead to.

Pure but for `check_preconditions`, which raises the refusal. A condition that cannot be read counts as RFC 9110 says:
a date that is none is as if the field were missing; a list of tags without any tag matches nothing.

Sources: RFC 9110, sections 8.8 (validators), 13.1 (the five fields), 13.2.2 (their order), 5.6.7 (dates).
"""

from __future__ import annotations

import calendar
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from lanline.http.refusal import Refusal

if TYPE_CHECKING:
    import os

    from aiohttp import web
    from multidict import MultiMapping

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_TAG: Final = re.compile(r'(W/)?("[!#-~\x80-\U0010ffff]*")')
_LIST_OF_TAGS: Final = re.compile(rf"[ \t,]*(?:{_TAG.pattern}[ \t]*(?:,[ \t,]*|$))*")

_TIME: Final = r"([0-9]{2}):([0-9]{2}):([0-9]{2})"
_IMF_FIXDATE: Final = re.compile(rf"[A-Z][a-z]{{2}}, ([0-9]{{2}}) ([A-Z][a-z]{{2}}) ([0-9]{{4}}) {_TIME} GMT")
_RFC_850: Final = re.compile(rf"[A-Z][a-z]{{5,8}}, ([0-9]{{2}})-([A-Z][a-z]{{2}})-([0-9]{{2}}) {_TIME} GMT")
_ASCTIME: Final = re.compile(rf"[A-Z][a-z]{{2}} ([A-Z][a-z]{{2}}) ([0-9 ][0-9]) {_TIME} ([0-9]{{4}})")

_CONDITIONS: Final = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")

SETTLED_SECONDS: Final = 1
"""How old a change must be for its date to tell two contents apart (RFC 9110, 8.8.2.2): within one second a file may
change twice."""


def etag_of(status: os.stat_result) -> str:
    """The strong entity tag of a file, with its quotes: another after each change of content that moves size or time
    of modification, and after each replacement."""
    return f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"'


@lru_cache(maxsize=1024)
def http_date(seconds: int) -> str:
    """An instant as IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`.

    Args:
        seconds: since 1970, UTC. What lies outside the years 1 to 9999 is moved to their edge.
    """
    year, month, day, hour, minute, second, weekday, *_ = time.gmtime(min(max(seconds, -62135596800), 253402300799))
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


def seconds_of(text: str | None) -> int | None:
    """The instant of an HTTP date in any of its three forms, in seconds since 1970; None where it is none."""
    if not text:
        return None
    if match := _IMF_FIXDATE.fullmatch(text):
        day, month, year, *clock = match.groups()
    elif match := _RFC_850.fullmatch(text):
        day, month, year, *clock = match.groups()
        year = str(_full_year(int(year)))
    elif match := _ASCTIME.fullmatch(text):
        month, day, *clock, year = match.groups()
    else:
        return None
    hour, minute, second = map(int, clock)
    if month not in _MONTHS or hour > 23 or minute > 59 or second > 60:
        return None
    month_number = _MONTHS.index(month) + 1
    if not 1 <= int(year) or not 1 <= int(day) <= calendar.monthrange(int(year), month_number)[1]:
        return None
    return calendar.timegm((int(year), month_number, int(day), hour, minute, second))


def _full_year(two_digits: int) -> int:
    """RFC 9110, 5.6.7: a year that seems more than 50 years ahead is the last one in the past with these digits."""
    this_year = time.gmtime().tm_year
    year = this_year - this_year % 100 + two_digits
    return year - 100 if year > this_year + 50 else year


def tags_in(text: str) -> list[tuple[bool, str]] | None:
    """The entity tags of an If-Match or If-None-Match.

    Returns:
        for each whether it is weak, and the tag with its quotes; nothing where the text is no list of tags; None for
        `*`, which stands for any.
    """
    if text.strip(" \t") == "*":
        return None
    if _LIST_OF_TAGS.fullmatch(text) is None:
        return []
    return [(bool(weak), tag) for weak, tag in _TAG.findall(text)]


def judge(method: str, headers: MultiMapping[str], etag: str | None, modified: int | None) -> int:
    """What the conditions of a request lead to, in the order of RFC 9110, section 13.2.2.

    Args:
        method: of the request.
        headers: of the request, looked up without regard to case. Lists may stand in several lines (RFC 9110, 5.3).
        etag: strong, with quotes, of what is there now; None where nothing is there.
        modified: when that was last changed, in whole seconds since 1970; None where nothing is there.

    Returns:
        200 to go on, 304 where the caller has it already, 412 where a condition fails.
    """
    reads = method in ("GET", "HEAD")
    if (wanted := _list_in(headers, "If-Match")) is not None:
        if not _is_any(wanted, etag, is_strong=True):
            return 412
    elif modified is not None and (since := seconds_of(headers.get("If-Unmodified-Since"))) is not None:
        if modified > since:
            return 412
    if (known := _list_in(headers, "If-None-Match")) is not None:
        if _is_any(known, etag, is_strong=False):
            return 304 if reads else 412
    elif reads and modified is not None and (since := seconds_of(headers.get("If-Modified-Since"))) is not None:
        if modified <= since:
            return 304
    return 200


def _list_in(headers: MultiMapping[str], name: str) -> str | None:
    lines = headers.getall(name, None)
    return None if lines is None else ", ".join(lines)


def _is_any(text: str, etag: str | None, *, is_strong: bool) -> bool:
    if etag is None:
        return False
    tags = tags_in(text)
    if tags is None:
        return True
    return any(tag == etag and not (is_strong and weak) for weak, tag in tags)


def range_holds(text: str | None, etag: str, modified: int, *, now: int) -> bool:
    """Whether an If-Range lets the Range beside it count; where it does not, the whole file answers.

    Args:
        text: its value; None where the request has none, which lets every Range count.
        etag: strong, with quotes, of the file.
        modified: seconds since 1970.
        now: the same. A date counts only once the change it names is settled, as within a second there may be two.
    """
    if text is None:
        return True
    if '"' in text:
        return text.strip(" \t") == etag
    return seconds_of(text) == modified and modified + SETTLED_SECONDS <= now


def check_preconditions(request: web.BaseRequest, etag: str | None, modified: int | None) -> None:
    """For methods that change something: raises what a failed condition leads to.

    Args:
        request: If-Match, If-None-Match and If-Unmodified-Since are looked at.
        etag: see `judge`; None where nothing is there, so that `If-None-Match: *` holds and `If-Match` fails.
        modified: whole seconds since 1970; None where nothing is there.

    Raises:
        Refusal: 412.
    """
    headers = request.headers
    if not any(name in headers for name in _CONDITIONS):
        return
    if judge(request.method, headers, etag, modified) == 412:
        raise failed_condition(etag)


def failed_condition(etag: str | None) -> Refusal:
    """The 412, with the tag of what is there."""
    if etag is None:
        return Refusal(412, "A condition of the request does not hold: nothing is there under this name.")
    return Refusal(
        412, f"A condition of the request does not hold: what is there has the tag {etag}.", headers={"ETag": etag}
    )
