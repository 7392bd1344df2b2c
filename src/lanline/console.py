"""What a command word may do with the person in front of it: a contract, without a terminal.

Words (`services/*/words.py`, `ui/words/`) print through a `Console` and through nothing else; `ui/output.py`
is the one that knows of terminals, and tests bring their own.

Rules: every text is made harmless with `lanline.clean` by the console, so a word cannot forget it; colours
are asked for by name and never written as escape sequences into a text. Results go to standard output,
everything said about them (notes, progress, errors, questions) does not, so that a pipe holds results alone.
With `wants_json` a word gives its result to `json` in place of `line` and `table`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple, Protocol

from lanline.errors import LanlineError

Stream = Literal["stdout", "stderr"]
Style = Literal["bold", "dim", "red", "green", "yellow", "blue", "magenta", "cyan", "on black"]
"""`on black` is white on black, whatever the terminal's own colours are: for pictures made of blocks."""


class Painted(NamedTuple):
    """A text with a colour, for where a plain text would do as well. Colour never carries the meaning
    alone."""

    text: str
    style: Style


class Console(Protocol):
    """The only way from a command word to a person. One thread at a time."""

    @property
    def is_terminal(self) -> bool:
        """Whether standard output is a terminal: a person is watching."""

    @property
    def wants_json(self) -> bool:
        """Whether results are wanted as JSON, one document per line."""

    @property
    def colour(self) -> bool:
        """Whether results are coloured. A word hardly needs to ask: `Painted` is plain where colours are
        off."""

    def line(self, *parts: str | Painted) -> None:
        """One line of the result, on standard output; the parts follow each other without a space.

        A newline inside a part stays a newline; other controls become visible.
        """

    def note(self, *parts: str | Painted) -> None:
        """One line about the result, on standard error: what was left out, what was assumed."""

    def error(self, error: LanlineError) -> None:
        """The sentence of an error and its advice, on standard error. The exit code is the caller's
        matter."""

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str | Painted]], *, right: Collection[str] = ()
    ) -> None:
        """A table with a heading, aligned whatever script its cells are in, on standard output.

        Args:
            columns: the headings.
            rows: as many cells in each as there are columns; newlines in a cell become visible.
            right: the columns that are aligned at their right side: numbers.
        """

    def json(self, value: object) -> None:
        """One value as one line of JSON on standard output.

        Args:
            value: dicts with text as keys, lists, tuples, text, numbers, booleans, None.

        Raises:
            TypeError: for anything else.
            ValueError: for a number that JSON does not have, such as NaN.
        """

    def raw(self, data: bytes | memoryview, stream: Stream = "stdout") -> None:
        """A peer's bytes as they are.

        Raises:
            UsageError: the stream is a terminal: what a peer sends must not reach one uncleaned.
        """

    def prefixed(self, prefix: str, text: str, stream: Stream = "stdout") -> None:
        """The lines of a peer's text, each with whose it is before it: `pc7: text`.

        Args:
            prefix: who said it.
            text: any number of lines; one that has not ended is ended. None at all for an empty text.
            stream: where the peer said it. On a terminal lines from its standard error have a red prefix.
        """

    def progress(self, text: str) -> None:
        """What is under way, on one line that the next call replaces and any other output removes.

        Shown only where standard error is a terminal. An empty text removes the line.
        """

    def confirm(self, question: str) -> bool:
        """Whether the person says yes; anything but `y` or `yes` is a no.

        Raises:
            UsageError: there is no terminal to ask at.
        """

    def ask(self, prompt: str) -> str:
        """What the person types, shown while it is typed; without blanks around it.

        Raises:
            UsageError: there is no terminal to ask at, or its end came before an answer.
        """

    def secret(self, prompt: str) -> str:
        """What the person types, unseen; without its newline.

        Raises:
            UsageError: there is no terminal to ask at, or its end came before an answer.
        """

    def flush(self) -> None:
        """Hands everything printed so far to the system.

        For a word that is about to wait: on a terminal each line is out at once, in a pipe not before this.
        """
