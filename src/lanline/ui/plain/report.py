"""What a server that serves plain sockets tells the person who started it: one line for each event, and a last one.

Events come from this process or from its workers, and are shown in one place, so that lines never mix and the figures
at the end are of all. Rules: a peer's words are cleaned here, line ends too, so that no message looks like an event;
and no client ever waits for a person's terminal. Where the output takes no more (a pipe that nobody reads, Ctrl-S),
events wait, and beyond a number of them are counted in place of shown.
"""

from __future__ import annotations

import select
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from lanline.clean import clean
from lanline.console import Painted, Style
from lanline.durations import show_duration
from lanline.errors import LanlineError
from lanline.translation import _

if TYPE_CHECKING:
    from lanline.console import Console

Event = dict[str, Any]

_REFUSALS_EVERY: Final = 1.0
"""Seconds between two lines about refused clients: who connects a thousand times must not fill the screen."""


MAX_WAITING: Final = 10_000
"""Events that wait for the output: a few megabytes at most."""

_LAST_WAIT: Final = 1.0
"""Seconds for the output to take the last ones."""


class Report:
    """Shows events, and counts.

    Args:
        console: where.
        is_verbose: whether the traceback of a handler's mistake is shown.
        takes_more: whether the output would take a line now; waits so many seconds for it.
    """

    def __init__(
        self, console: Console, *, is_verbose: bool = False, takes_more: Callable[[float], bool] | None = None
    ) -> None:
        self._console = console
        self._takes_more = takes_more or _stdout_takes_more
        self._waiting: deque[tuple[time.struct_time, Event]] = deque()
        self._unshown = 0
        self._end: SystemExit | LanlineError | None = None
        """Why nothing can be shown any more."""
        self._at = time.localtime()
        """When the event happened that is being shown."""
        self._is_verbose = is_verbose
        self._began = time.monotonic()
        self._clients = self._received = self._sent = self._refused = 0
        self._refusals_due = 0.0
        self._refusals_unsaid = 0

    def tell(self, event: Event) -> None:
        """Shows one event, at once, and counts it."""
        kind = event["event"]
        if kind == "came":
            self._clients += 1
        elif kind == "left":
            self._received += event["received_messages"]
            self._sent += event["sent_messages"]
        elif kind == "refused":
            self._refused += 1
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append((time.localtime(), event))
        else:
            self._unshown += 1
        self.catch_up()

    @property
    def is_behind(self) -> bool:
        """Whether events wait to be shown: `catch_up` is to be called again soon."""
        return bool(self._waiting)

    def catch_up(self, seconds: float = 0.0) -> bool:
        """Shows what waits, as far as the output takes it without making anybody wait for longer than that; whether
        something still waits."""
        while self._waiting and self._end is None and self._takes_more(seconds):
            self._at, event = self._waiting.popleft()
            try:
                self._print(event)
            except (SystemExit, LanlineError) as end:
                # Nobody reads any more, or the disk is full: the server stops as if it was told to, and says so then.
                self._end = end
                signal.raise_signal(signal.SIGTERM)
        if self._unshown and not self._waiting:
            text = _("{count} events were not shown: the output takes them too slowly").format(count=self._unshown)
            event, self._unshown = {"event": "not_shown", "count": self._unshown, "text": text}, 0
            self.tell(event)
        return self.is_behind

    def summary(self) -> None:
        """The last line. Not shown where the output takes nothing any more.

        Raises:
            SystemExit: nobody reads the output any more. LanlineError: it cannot be written.
        """
        if self._end is not None:
            raise self._end
        self.catch_up(_LAST_WAIT)
        if self._waiting:
            return
        seconds = time.monotonic() - self._began
        if self._console.wants_json:
            self._console.json(
                {
                    "event": "stopped",
                    "clients": self._clients,
                    "refused": self._refused,
                    "received_messages": self._received,
                    "sent_messages": self._sent,
                    "seconds": round(seconds, 3),
                }
            )
            return
        if self._refusals_unsaid:
            self._say_refusals()
        clients = _("1 client") if self._clients == 1 else _("{count} clients").format(count=self._clients)
        text = _("stopped after {time}: {clients}, {received} in, {sent} out").format(
            time=show_duration(seconds), clients=clients, received=_messages(self._received), sent=self._sent
        )
        if self._refused:
            text += _(", {refused} refused").format(refused=self._refused)
        self._console.line(Painted(text, "bold"))

    def _print(self, event: Event) -> None:
        if self._console.wants_json:
            self._console.json({**event, "time": time.strftime("%Y-%m-%dT%H:%M:%S%z", self._at)})
        else:
            self._show(event["event"], event)
        self._console.flush()

    def _show(self, kind: str, event: Event) -> None:
        match kind:
            case "came":
                self._line(event["client"], Painted(_(" came"), "green"))
            case "left":
                self._left(event)
            case "answer_failed":
                self._line(event["client"], " ", Painted(clean(event["reason"]), "red"))
                self._trace(event)
            case "message":
                self._message(event)
            case "refused":
                self._refusal(event)
            case _other:
                self._line(Painted(event["text"], "yellow"))

    def _left(self, event: Event) -> None:
        figures = _("{received} in, {sent} out, {time}").format(
            received=_messages(event["received_messages"]), sent=event["sent_messages"], time=_lasting(event["seconds"])
        )
        style: Style = "red" if event["why"] == "failed" else "yellow"
        self._line(
            event["client"], Painted(_(" left: "), "yellow"), Painted(clean(event["reason"]), style),
            Painted(f" ({figures})", "dim"),
        )  # fmt: skip
        self._trace(event)

    def _trace(self, event: Event) -> None:
        if self._is_verbose and event.get("traceback"):
            self._console.line(Painted(event["traceback"].rstrip("\n"), "dim"))

    def _message(self, event: Event) -> None:
        arrow = "->" if event["direction"] == "in" else "<-"
        parts: list[str | Painted] = [event["client"], Painted(f" {arrow} ", "cyan"), _shown(event)]
        if event["is_cut"]:
            parts.append(Painted(_(" ... ({size} bytes in all)").format(size=event["size_bytes"]), "dim"))
        self._line(*parts)

    def _refusal(self, event: Event) -> None:
        self._refusals_unsaid += 1
        now = time.monotonic()
        if now >= self._refusals_due:
            self._refusals_due = now + _REFUSALS_EVERY
            limit = _("as many clients as allowed are here: {limit}").format(limit=event["limit"])
            self._line(event["client"], Painted(_(" refused: "), "red"), limit)
            self._refusals_unsaid -= 1
            if self._refusals_unsaid:
                self._say_refusals()

    def _say_refusals(self) -> None:
        self._line(Painted(_("{count} more were refused").format(count=self._refusals_unsaid), "red"))
        self._refusals_unsaid = 0

    def _line(self, *parts: str | Painted) -> None:
        self._console.line(Painted(time.strftime("%H:%M:%S ", self._at), "dim"), *parts)


def _stdout_takes_more(seconds: float) -> bool:
    """Whether standard output would take a line now: of a pipe the system says so when 4 KiB fit (pipe(7))."""
    if sys.stdout is None or not hasattr(select, "poll"):
        return True
    waiting = select.poll()
    waiting.register(sys.stdout.fileno(), select.POLLOUT)
    return bool(waiting.poll(seconds * 1000))


def _shown(event: Event) -> str:
    """The message as text on one line: line ends and controls visible, other bytes as escapes."""
    if event["encoding"] == "utf-8":
        return clean(event["message"])
    import base64

    return clean(base64.b64decode(event["message"]).decode("utf-8", "backslashreplace"))


def _messages(count: int) -> str:
    return _("1 message") if count == 1 else _("{count} messages").format(count=count)


def _lasting(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else show_duration(seconds)
