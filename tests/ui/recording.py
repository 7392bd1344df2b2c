"""A console that keeps what a word prints and answers what it asks, for tests within one process."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from lanline.console import Painted, Stream
from lanline.errors import LanlineError, UsageError


class Recording:
    """Keeps everything. `answers` are given to questions in turn; without one, there is no terminal to ask at."""

    def __init__(self, *answers: str, wants_json: bool = False, is_terminal: bool = False) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.out = ""
        self.err = ""
        self.values: list[object] = []
        self.errors: list[LanlineError] = []
        self._wants_json = wants_json
        self._is_terminal = is_terminal

    @property
    def is_terminal(self) -> bool:
        """As told."""
        return self._is_terminal

    @property
    def wants_json(self) -> bool:
        """As told."""
        return self._wants_json

    @property
    def colour(self) -> bool:
        """Never."""
        return False

    def line(self, *parts: str | Painted) -> None:
        """Keeps it in `out`."""
        self.out += "".join(map(_text, parts)) + "\n"

    def note(self, *parts: str | Painted) -> None:
        """Keeps it in `err`."""
        self.err += "".join(map(_text, parts)) + "\n"

    def error(self, error: LanlineError) -> None:
        """Keeps it in `errors`."""
        self.errors.append(error)

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str | Painted]], *, right: Collection[str] = ()
    ) -> None:
        """Keeps it in `out`, cells apart by tabs."""
        for row in (columns, *rows):
            self.line("\t".join(map(_text, row)))

    def json(self, value: object) -> None:
        """Keeps it in `values`."""
        self.values.append(json.loads(json.dumps(value, allow_nan=False)))

    def raw(self, data: bytes | memoryview, stream: Stream = "stdout") -> None:
        """Keeps it as text."""
        self.out += bytes(data).decode("latin-1")

    def prefixed(self, prefix: str, text: str, stream: Stream = "stdout") -> None:
        """Keeps it in `out`."""
        for one in text.splitlines():
            self.line(prefix, ": ", one)

    def progress(self, text: str) -> None:
        """Drops it."""

    def ask(self, question: str) -> str:
        """The next answer."""
        return self._answer(question)

    def confirm(self, question: str) -> bool:
        """Whether the next answer is yes."""
        return self._answer(question) == "yes"

    def secret(self, prompt: str) -> str:
        """The next answer."""
        return self._answer(prompt)

    def flush(self) -> None:
        """Nothing waits."""

    def _answer(self, question: str) -> str:
        self.asked.append(question)
        if not self.answers:
            raise UsageError(f"there is no terminal to ask at: {question!r}")
        return self.answers.pop(0)


def _text(part: str | Painted) -> str:
    return part.text if isinstance(part, Painted) else part
