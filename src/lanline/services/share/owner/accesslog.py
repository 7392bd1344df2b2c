"""One line for each request, for the person who shares: as text, or as JSON for programs. On standard error. What else
is to be said while it serves goes the same way.

Rules: what a visitor sends is made harmless and cut; a password never stands in it, not even one in an address; and no
visitor waits for a person's terminal (decision 79): lines are gathered, written when the output takes them, and beyond
a number of them counted in place of written.
"""

from __future__ import annotations

import asyncio
import json
import re
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from lanline.clean import clean
from lanline.console import Painted
from lanline.errors import LanlineError
from lanline.sizes import show_size
from lanline.translation import _

if TYPE_CHECKING:
    from lanline.console import Console
    from lanline.http.exchange import Exchange

MAX_WAITING: Final = 10_000
"""Lines that wait for the output: a few megabytes at most."""

_GATHERED: Final = 0.05
"""Seconds for which lines are gathered before they are written: one write for hundreds of small files."""
_TRIED_AGAIN: Final = 0.5
"""Seconds after which an output that took no more is tried again."""
_WRITE_BYTES: Final = 4096
"""Written at once: as much as a pipe that says it takes something takes at least (pipe(7), PIPE_BUF)."""
_MAX_TARGET: Final = 400
_MAX_NAME: Final = 100
_MAX_SAID: Final = 320
"""Characters of a line of a note: as JSON never more than `_WRITE_BYTES`."""
_BRINGS_NOTHING: Final = ("GET", "HEAD", "OPTIONS", "DELETE")
"""Methods whose bodies mean nothing (RFC 9110, section 9.3)."""
_BAD_BYTES: Final = re.compile("[\ud800-\udfff]")
"""How bytes that are no UTF-8 stand in a text. As JSON each would be half a pair, which strict readers refuse."""
_USER_IN_TARGET: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@")


class AccessLog:
    """Hears of requests, writes lines, and counts.

    Args:
        console: where its `note` goes.
        style: `text`, `json` or `none`.
        takes_more: whether the output would take a few lines now without waiting.
    """

    def __init__(self, console: Console, style: str, *, takes_more: Callable[[], bool] | None = None) -> None:
        self._console = console
        self._style = style
        self._line = {"text": text_of, "json": json_of, "none": None}[style]
        self._takes_more = takes_more or _stderr_takes_more
        self._waiting: deque[str | Painted] = deque()
        self._unshown = 0
        self._timer: asyncio.TimerHandle | None = None
        self._end: SystemExit | LanlineError | None = None
        """Why nothing can be written any more."""
        self.requests = self.files = self.sent_bytes = self.received_bytes = 0

    def heard(self, exchange: Exchange) -> None:
        """Takes one request; for `HttpServer`."""
        self.requests += 1
        self.sent_bytes += exchange.sent_bytes
        self.received_bytes += exchange.received_bytes
        self.files += is_file(exchange)
        if self._line is not None and self._has_room():
            self._add(self._line(exchange, time.time_ns()))

    def say(self, text: str) -> None:
        """Takes a warning or a traceback, which is shown in turn, requests or not; each line of it as one of its own.
        Within the loop."""
        for line in text.splitlines():
            if self._has_room():
                cut = _cut(line, _MAX_SAID)
                self._add(_as_object(cut) if self._style == "json" else Painted(cut, "yellow"))

    def _has_room(self) -> bool:
        """Whether another line can wait; counts the one that cannot."""
        if self._end is not None:
            return False
        if len(self._waiting) >= MAX_WAITING:
            self._unshown += 1
            return False
        return True

    def _add(self, line: str | Painted) -> None:
        self._waiting.append(line)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_GATHERED, self._write)

    def close(self) -> None:
        """Writes what the output still takes.

        Raises:
            SystemExit: nobody reads the output any more. LanlineError: it cannot be written.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._end is not None:
            raise self._end
        self._write_some()

    def _write(self) -> None:
        self._timer = None
        try:
            self._write_some()
        except (SystemExit, LanlineError) as end:
            # Nobody reads any more, or the disk is full: the server stops as if it was told to, and says so then.
            self._end = end
            self._waiting.clear()
            signal.raise_signal(signal.SIGTERM)
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(_TRIED_AGAIN, self._write)

    def _write_some(self) -> None:
        while self._waiting and self._takes_more():
            lines: list[str | Painted] = []
            size = 0
            while self._waiting and (not lines or size + 4 * len(_plain(self._waiting[0])) < _WRITE_BYTES):
                line = self._waiting.popleft()
                lines += ["\n", line] if lines else [line]
                size += len(_plain(line).encode("utf-8", "backslashreplace")) + 1
            self._console.note(*lines)
            self._console.flush()
        if self._unshown and not self._waiting:
            text = _("{count} lines were not shown: the output takes them too slowly").format(count=self._unshown)
            self._unshown = 0
            tell(self._console, self._style, text)


def is_file(exchange: Exchange) -> bool:
    """Whether a whole file, or a folder as an archive, was sent: the page, listings and parts do not count."""
    path, _, query = exchange.target.partition("?")
    if exchange.method != "GET" or exchange.status != 200 or path.startswith("/.lanline/"):
        return False
    return not path.endswith("/") or "zip" in query or "tar" in query


def text_of(exchange: Exchange, now_ns: int) -> str:
    """The line for a person: time of day, who, what became of it, how much, how long, what, with what program."""
    moment = time.strftime("%H:%M:%S", time.localtime(now_ns // 1_000_000_000))
    host = _host(exchange.peer)
    who = f"{_cut(exchange.user, _MAX_NAME)}@{host}" if exchange.user else host
    # What came is the matter of a request that brings something, however long the answer that thanks for it.
    has_come = exchange.received_bytes > 0 and exchange.method not in _BRINGS_NOTHING
    arrow, count = ("<-", exchange.received_bytes) if has_come else ("->", exchange.sent_bytes)
    size = show_size(count)
    program = _cut(exchange.user_agent, _MAX_NAME)
    line = (
        f"{moment} {who:<15} {exchange.method[:16]:<4} {exchange.status} {arrow} {size:>8} {exchange.seconds:6.2f} s"
        f"  {_target(exchange)}"
    )
    return clean(f"{line}  ({program})" if program else line)


def json_of(exchange: Exchange, now_ns: int) -> str:
    """The same for a program: one JSON object, all ASCII."""
    return json.dumps(
        {
            "time": _moment(now_ns),
            "peer": exchange.peer,
            "user": _exact(exchange.user, _MAX_NAME),
            "method": _exact(exchange.method, 16),
            "target": _exact(_target(exchange), _MAX_TARGET + 3),
            "status": exchange.status,
            "sent_bytes": exchange.sent_bytes,
            "received_bytes": exchange.received_bytes,
            "seconds": round(exchange.seconds, 4),
            "program": _exact(exchange.user_agent, _MAX_NAME),
        }
    )


def tell(console: Console, style: str, *parts: str | Painted) -> None:
    """What is to be said beside the requests, where they are shown: among JSON it is an object as well, so that a
    program can read every line.

    Args:
        console: where its `note` goes.
        style: as of `AccessLog`.
        parts: as for `Console.note`.
    """
    if style != "json":
        console.note(*parts)
        return
    console.note(_as_object("".join(map(_plain, parts))))


def _as_object(text: str) -> str:
    return json.dumps({"time": _moment(time.time_ns()), "note": _BAD_BYTES.sub("\ufffd", text)})


def _plain(part: str | Painted) -> str:
    return part.text if isinstance(part, Painted) else part


def _moment(now_ns: int) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_ns // 1_000_000_000))
    return f"{moment}.{now_ns // 1_000_000 % 1000:03}Z"


def _exact(text: str, most: int) -> str:
    return _BAD_BYTES.sub("\ufffd", _cut(text, most))


def _target(exchange: Exchange) -> str:
    return _cut(_USER_IN_TARGET.sub(r"\1", exchange.target), _MAX_TARGET)


def _host(peer: str) -> str:
    """The address in `tcp://192.168.1.9:51234`, without the port, which tells a person nothing."""
    return peer.rpartition("://")[2].rpartition(":")[0] or peer


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "..."


def _stderr_takes_more() -> bool:
    """Whether standard error would take a few lines now."""
    if sys.stderr is None or not hasattr(select, "poll"):
        return True
    waiting = select.poll()
    waiting.register(sys.stderr.fileno(), select.POLLOUT)
    return bool(waiting.poll(0))
