"""What a person or a program sees of a fan-out while it runs: four ways to show the same reports.

It prints through the console and talks to nobody. Output goes where the command wrote it, standard output or standard
error; everything said about it goes to standard error. Rules: a line never holds the words of two machines; what a
peer wrote reaches a terminal only cleaned; raw bytes never reach one.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from lanline.clean import text_encoding
from lanline.console import Console, Painted, Stream
from lanline.errors import UsageError
from lanline.services.run.outcome import Ended, is_ok
from lanline.services.run.report import Plan, Verdict, word_for
from lanline.services.run.shownlines import ShownLines
from lanline.services.run.spec import OUT, Started
from lanline.translation import _

IDLE = 0.3
"""Seconds after which a line that has not ended is shown on a terminal: a prompt, or dots that tell of progress. Not in
a pipe, where a line that another program reads must not fall into two."""

_SHOWN_REASONS = 20


class Display(Protocol):
    """One way to show a fan-out. Machines go by the numbers of the plan."""

    def planned(self, plan: Plan) -> None:
        """Before anything else.

        Raises:
            UsageError: this plan cannot be shown in this way.
        """

    def started(self, index: int, started: Started) -> None:
        """The command runs there."""

    def wrote(self, index: int, stream: int, data: bytes | memoryview) -> None:
        """It wrote something."""

    def ended(self, index: int, ended: Ended) -> None:
        """It is over there."""

    def tick(self) -> float | None:
        """Shows what has waited long enough; the time at which to call again, on the monotonic clock, or None."""

    def decided(self, verdict: Verdict) -> None:
        """After everything else."""


class LineDisplay:
    """Whole lines, each with the name of its machine before it.

    Args:
        console: where they go.
        has_names: False leaves the names out; then there may be one machine only.
        is_quiet: nothing is said at the end when all is well.
        clock: seconds.
    """

    def __init__(
        self,
        console: Console,
        *,
        has_names: bool = True,
        is_quiet: bool = False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._console = console
        self._has_names = has_names
        self._is_quiet = is_quiet
        self._clock = clock
        self._names: list[str] = []
        self._lines: dict[tuple[int, int], ShownLines] = {}
        self._encodings: dict[int, str] = {}
        self._waiting: dict[tuple[int, int], float] = {}

    def planned(self, plan: Plan) -> None:
        """See Display."""
        if not self._has_names and len(plan.names) != 1:
            raise UsageError(
                _("{folded} are {count} machines, and their lines cannot be told apart without names").format(
                    folded=plan.folded, count=len(plan.names)
                ),
                advice=_("leave --no-prefix out, or name one machine."),
            )
        width = max(map(len, plan.names))
        self._names = [name.rjust(width) for name in plan.names]

    def started(self, index: int, started: Started) -> None:
        """See Display."""
        self._encodings[index] = started.encoding

    def wrote(self, index: int, stream: int, data: bytes | memoryview) -> None:
        """See Display."""
        key = index, stream
        lines = self._lines.get(key)
        if lines is None:
            lines = self._lines[key] = ShownLines(self._encodings.get(index, ""))
        self._show(key, lines.add(bytes(data)))
        if lines.has_unfinished:
            self._waiting[key] = self._clock() + IDLE
        else:
            self._waiting.pop(key, None)

    def ended(self, index: int, ended: Ended) -> None:
        """See Display."""
        for key in [key for key in self._lines if key[0] == index]:
            self._show(key, self._lines.pop(key).finish())
            self._waiting.pop(key, None)

    def tick(self) -> float | None:
        """See Display."""
        if not self._console.is_terminal or not self._waiting:
            return None
        now = self._clock()
        for key in [key for key, due in self._waiting.items() if due <= now]:
            self._show(key, self._lines[key].take_unfinished())
            del self._waiting[key]
        return min(self._waiting.values(), default=None)

    def decided(self, verdict: Verdict) -> None:
        """See Display."""
        for index in {index for index, _stream in self._lines}:  # where no end came: the node has gone
            for key in [key for key in self._lines if key[0] == index]:
                self._show(key, self._lines.pop(key).finish())
        say_verdict(self._console, verdict, is_quiet=self._is_quiet)

    def _show(self, key: tuple[int, int], text: str) -> None:
        if not text:
            return
        index, stream = key
        if self._has_names:
            self._console.prefixed(self._names[index], text, _stream(stream))
        elif stream == OUT:
            self._console.line(text.removesuffix("\n"))
        else:
            self._console.note(text.removesuffix("\n"))


class RawDisplay:
    """The bytes of one machine as they are, for a pipe or a file.

    Args:
        console: where they go.
        is_quiet: see LineDisplay.

    Raises:
        UsageError: standard output is a terminal.
    """

    def __init__(self, console: Console, *, is_quiet: bool = False) -> None:
        if console.is_terminal:
            console.raw(b"")  # raises: the one place that says why
        self._console = console
        # Standard error often is a terminal while standard output goes to a file: then it is shown as lines.
        self._errors: LineDisplay | None = None
        self._is_quiet = is_quiet
        self._plan: Plan
        self._started: tuple[int, Started]

    def planned(self, plan: Plan) -> None:
        """See Display."""
        if len(plan.names) != 1:
            raise UsageError(
                _("{folded} are {count} machines, and the bytes of several would run into each other").format(
                    folded=plan.folded, count=len(plan.names)
                ),
                advice=_("one machine with --raw, or --json, which carries the bytes of many."),
            )
        self._plan = plan

    def started(self, index: int, started: Started) -> None:
        """See Display."""
        self._started = index, started

    def wrote(self, index: int, stream: int, data: bytes | memoryview) -> None:
        """See Display."""
        if stream == OUT:
            self._console.raw(data)
            return
        if self._errors is None:
            try:
                self._console.raw(data, "stderr")
            except UsageError:
                self._errors = LineDisplay(self._console, has_names=False)
                self._errors.planned(self._plan)
                self._errors.started(*self._started)
            else:
                return
        self._errors.wrote(index, stream, data)

    def ended(self, index: int, ended: Ended) -> None:
        """See Display."""
        if self._errors is not None:
            self._errors.ended(index, ended)

    def tick(self) -> float | None:
        """See Display."""
        return None

    def decided(self, verdict: Verdict) -> None:
        """See Display."""
        say_verdict(self._console, verdict, is_quiet=self._is_quiet)


class JsonDisplay:
    """One JSON document for each report, one per line, all on standard output.

    Args:
        console: where they go.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._names: tuple[str, ...] = ()
        self._texts: dict[tuple[int, int], _JsonText] = {}
        self._encodings: dict[int, str] = {}

    def planned(self, plan: Plan) -> None:
        """See Display."""
        self._names = plan.names
        self._console.json({"event": "plan", "machines": list(plan.names)})

    def started(self, index: int, started: Started) -> None:
        """See Display."""
        self._encodings[index] = started.encoding
        self._tell("started", index, pid=started.pid, encoding=started.encoding, at_ns=started.at_ns)

    def wrote(self, index: int, stream: int, data: bytes | memoryview) -> None:
        """See Display."""
        key = index, stream
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = _JsonText(self._encodings.get(index, ""))
        self._output(key, *text.add(bytes(data)))

    def ended(self, index: int, ended: Ended) -> None:
        """See Display."""
        for key in [key for key in self._texts if key[0] == index]:
            self._output(key, *self._texts.pop(key).add(b"", is_last=True))
        outcome = ended.outcome
        details = {name: getattr(outcome, name) for name in outcome.__struct_fields__}
        details |= {name: getattr(ended, name) for name in ended.__struct_fields__ if name != "outcome"}
        self._tell("ended", index, outcome=word_for(outcome), ok=is_ok(outcome), **details)

    def tick(self) -> float | None:
        """See Display."""
        return None

    def decided(self, verdict: Verdict) -> None:
        """See Display."""
        self._console.json({"event": "verdict", "exit_code": verdict.exit_code, "text": verdict.text})

    def _output(self, key: tuple[int, int], text: str, data: bytes) -> None:
        if not data:
            return
        exact = {} if text.encode("utf-8", "surrogatepass") == data else {"base64": b64encode(data).decode("ascii")}
        self._tell("output", key[0], stream=_stream(key[1]), text=text, **exact)

    def _tell(self, event: str, index: int, **details: object) -> None:
        self._console.json({"event": event, "machine": self._names[index], **details})


class _JsonText:
    """The text of one stream, cut between characters, beside the bytes it stands for."""

    __slots__ = ("_encoding", "_kept")

    _LONGEST = 4  # bytes of one character, in all encodings that are known here

    def __init__(self, encoding: str) -> None:
        self._encoding = text_encoding(encoding)
        self._kept = b""

    def add(self, data: bytes, *, is_last: bool = False) -> tuple[str, bytes]:
        """The text of all bytes up to the last whole character, and these bytes; what is no text becomes `\\xff`."""
        data = self._kept + data
        self._kept = b""
        for cut in range(len(data), max(-1, len(data) - self._LONGEST), -1):
            try:
                text = data[:cut].decode(self._encoding)
            except UnicodeDecodeError as error:
                if is_last or error.end < cut:
                    break
                continue
            self._kept = data[cut:]
            return text, data[:cut]
        return data.decode(self._encoding, "backslashreplace"), data


def say_verdict(console: Console, verdict: Verdict, *, is_quiet: bool = False) -> None:
    """Why things went wrong, and the last line; all on standard error."""
    console.progress("")
    for reason in verdict.reasons[:_SHOWN_REASONS]:
        console.note(Painted(f"{reason.names} {reason.what}: ", "red"), reason.text)
        if reason.advice:
            console.note(Painted(_("try: "), "dim"), reason.advice)
    if len(verdict.reasons) > _SHOWN_REASONS:
        console.note(
            _("and {value} reasons more: --json has all of them").format(value=len(verdict.reasons) - _SHOWN_REASONS)
        )
    is_well = verdict.exit_code == 0
    if not (is_quiet and is_well):
        console.note(Painted(verdict.text, "green" if is_well else "red"))


def _stream(number: int) -> Stream:
    return "stdout" if number == OUT else "stderr"
