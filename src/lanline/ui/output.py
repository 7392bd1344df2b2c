"""The only printer: a `Console` over standard output and standard error.

On a terminal: colours (plain ANSI sequences), a progress line, each line out at once. In a pipe: none of
these, and blocks in place of lines. Everything printed is cleaned here. Reads nothing; `asking.py` does.

A pipe that nobody reads any more (`lanline who | head -1`) ends the process quietly with exit code 141, which
is what a shell reports for SIGPIPE: `SystemExit(141)` is raised, so `finally` blocks run and jobs are
cancelled. Whoever makes the console calls `flush()` as the last thing, so that this also happens for the last
lines.

No library draws here: importing one costs more than the rest of a quick word. Sources: ECMA-48 (colours),
https://no-color.org, UAX #11 (widths).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import TextIO

from lanline.clean import clean, clean_json
from lanline.console import Painted, Stream, Style
from lanline.errors import LanlineError, UsageError
from lanline.translation import _
from lanline.ui.asking import ask_line, ask_secret, ask_yes

PIPE_CLOSED_EXIT_CODE = 141  # 128 + SIGPIPE

_CODES: dict[Style, str] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
    "on black": "97;40",
}
_ERASE_LINE = "\r\x1b[K"
_GAP = "  "
_COLUMNS = 80


class TerminalConsole:
    """See `lanline.console.Console`.

    Args:
        stdout, stderr: text streams over descriptors; None for the process's own.
        wants_json: what `--json` said.
        colour: whether to colour; None: where the stream is a terminal, NO_COLOR is not set and TERM is not
            dumb.
        environment: where NO_COLOR and TERM are looked up; None for the process's own.
    """

    def __init__(
        self,
        *,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        wants_json: bool = False,
        colour: bool | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        environment = os.environ if environment is None else environment
        may_colour = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
        self._out = _Sink(stdout or sys.stdout, colour, may_colour=may_colour)
        self._err = _Sink(stderr or sys.stderr, colour, may_colour=may_colour)
        self._wants_json = wants_json
        self._progress_shown = False

    @property
    def is_terminal(self) -> bool:
        """See `Console.is_terminal`."""
        return self._out.is_terminal

    @property
    def wants_json(self) -> bool:
        """See `Console.wants_json`."""
        return self._wants_json

    @property
    def colour(self) -> bool:
        """See `Console.colour`."""
        return self._out.colour

    def line(self, *parts: str | Painted) -> None:
        """See `Console.line`."""
        self._print(self._out, "".join(self._out.paint(part) for part in parts) + "\n")

    def note(self, *parts: str | Painted) -> None:
        """See `Console.note`."""
        self._print(self._err, "".join(self._err.paint(part) for part in parts) + "\n")

    def error(self, error: LanlineError) -> None:
        """See `Console.error`."""
        self.note(Painted("lanline: ", "red"), str(error))
        if error.advice:
            self.note(Painted(_("try: "), "dim"), error.advice)

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str | Painted]], *, right: Collection[str] = ()
    ) -> None:
        """See `Console.table`."""
        lines = [[Painted(column, "bold") for column in columns], *rows]
        cells = [[_one_line(part) for part in line] for line in lines]
        widths = [max(width_of(_text(cell)) for cell in column) for column in zip(*cells, strict=True)]
        at_right = [column in right for column in columns]
        self._print(self._out, "".join(self._row(line, widths, at_right) for line in cells))

    def json(self, value: object) -> None:
        """See `Console.json`."""
        import json  # here, not above: most words are not asked for it

        self._print(self._out, clean_json(json.dumps(value, ensure_ascii=False, allow_nan=False)) + "\n")

    def raw(self, data: bytes | memoryview, stream: Stream = "stdout") -> None:
        """See `Console.raw`."""
        sink = self._sink(stream)
        if sink.is_terminal:
            raise UsageError(
                _("raw output of a peer does not go to a terminal, and {stream} is one").format(stream=stream),
                advice=_("leave out --raw, or send the output to a file or a pipe."),
            )
        self._remove_progress()
        self._write(sink, data)

    def prefixed(self, prefix: str, text: str, stream: Stream = "stdout") -> None:
        """See `Console.prefixed`."""
        if not text:
            return
        sink = self._sink(stream)
        head = sink.paint(Painted(f"{prefix}:", "cyan" if stream == "stdout" else "red")) + " "
        body = clean(text, keep_newlines=True).removesuffix("\n").replace("\n", "\n" + head)
        self._print(sink, f"{head}{body}\n")

    def progress(self, text: str) -> None:
        """See `Console.progress`."""
        if not self._err.is_terminal:
            return
        if not text:
            self._remove_progress()
            return
        shown = _cut(clean(text), self._err.columns() - 1)
        self._write(self._err, (_ERASE_LINE + shown).encode(self._err.encoding, "backslashreplace"))
        self._progress_shown = True

    def confirm(self, question: str) -> bool:
        """See `Console.confirm`."""
        self._remove_progress()
        self.flush()
        return ask_yes(question)

    def ask(self, prompt: str) -> str:
        """See `Console.ask`."""
        self._remove_progress()
        self.flush()
        return ask_line(prompt)

    def secret(self, prompt: str) -> str:
        """See `Console.secret`."""
        self._remove_progress()
        self.flush()
        return ask_secret(prompt)

    def flush(self) -> None:
        """See `Console.flush`."""
        for sink in (self._out, self._err):
            self._write(sink, b"", flush=True)

    def _sink(self, stream: Stream) -> _Sink:
        return self._out if stream == "stdout" else self._err

    def _row(self, cells: Sequence[str | Painted], widths: Sequence[int], at_right: Sequence[bool]) -> str:
        parts = []
        for cell, width, right in zip(cells, widths, at_right, strict=True):
            space = " " * (width - width_of(_text(cell)))
            parts.append(space + self._out.paint(cell) if right else self._out.paint(cell) + space)
        return _GAP.join(parts).rstrip(" ") + "\n"

    def _print(self, sink: _Sink, text: str) -> None:
        self._remove_progress()
        self._write(sink, text.encode(sink.encoding, "backslashreplace"))

    def _remove_progress(self) -> None:
        if self._progress_shown:
            self._progress_shown = False
            self._write(self._err, _ERASE_LINE.encode())

    def _write(self, sink: _Sink, data: bytes | memoryview, *, flush: bool = False) -> None:
        try:
            sink.buffer.write(data)
            if flush or sink.is_terminal:
                sink.buffer.flush()
        except BrokenPipeError:
            sink.abandon()
            raise SystemExit(PIPE_CLOSED_EXIT_CODE) from None
        except OSError as error:
            sink.abandon()
            raise LanlineError(
                _("the output cannot be written: {reason}").format(reason=error.strerror),
                advice=_("look for a full disk, or a closed terminal."),
            ) from error


class _Sink:
    """One of the two streams: its bytes, and what it is fit for."""

    __slots__ = ("buffer", "encoding", "is_terminal", "colour", "_fd")

    def __init__(self, stream: TextIO, colour: bool | None, *, may_colour: bool) -> None:
        stream.flush()  # what somebody else printed comes before what we print below it
        self.buffer = stream.buffer
        self.encoding = stream.encoding or "utf-8"
        self.is_terminal = stream.isatty()
        self.colour = (self.is_terminal and may_colour) if colour is None else colour
        self._fd = stream.fileno()

    def paint(self, part: str | Painted) -> str:
        """The part, clean, between the sequences for its colour where colours are on."""
        text = clean(_text(part), keep_newlines=True)
        if self.colour and isinstance(part, Painted):
            return f"\x1b[{_CODES[part.style]}m{text}\x1b[0m"
        return text

    def columns(self) -> int:
        """Width of the terminal; 80 where it does not say."""
        try:
            return os.get_terminal_size(self._fd).columns or _COLUMNS
        except OSError:
            return _COLUMNS

    def abandon(self) -> None:
        """Sends what is still in the buffer nowhere, so that the interpreter's end does not fail on it."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._fd)
        os.close(nowhere)


def width_of(text: str) -> int:
    """Columns that a clean text takes on a terminal: 2 for wide and full-width characters, 0 for combining
    ones.

    Characters of ambiguous width count as one, as terminals draw them outside East Asian legacy settings.
    """
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    import unicodedata

    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _cut(text: str, columns: int) -> str:
    """As much of the beginning as fits."""
    if width_of(text) <= columns:
        return text
    used = 0
    for index, character in enumerate(text):
        used += _character_width(character)
        if used > columns:
            return text[:index]
    return text


def _text(part: str | Painted) -> str:
    return part.text if isinstance(part, Painted) else part


def _one_line(part: str | Painted) -> str | Painted:
    """A cell with its newlines made visible: a table's rows are lines."""
    return Painted(clean(part.text), part.style) if isinstance(part, Painted) else clean(part)
