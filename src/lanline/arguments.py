"""The options of one command word: argparse, with our errors and our printer.

It parses and explains, and does nothing else. Rules: a mistake is a UsageError (exit code 2) and never an exit from
inside; help goes through the console, so that what prints is in one place; an option is written out in full, so that a
new one never changes what an abbreviation meant. argparse because it starts in 1 ms, where others take 20.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from lanline.errors import LanlineError, UsageError
from lanline.translation import _

if TYPE_CHECKING:
    from lanline.address import Address
    from lanline.console import Console

T = TypeVar("T")


ALL = "*"
"""In a list of words: every one."""


class WordParser(argparse.ArgumentParser):
    """The parser of one word.

    Args:
        word: as it is typed after `lanline`.
        console: where help is printed.
        summary: what the word does, in one or a few sentences.
        examples: whole command lines that work as they stand, one per line.
    """

    def __init__(self, word: str, console: Console, summary: str, *, examples: str) -> None:
        lines = "\n".join(f"  {line}" for line in examples.strip().split("\n"))
        super().__init__(
            prog=f"lanline {word}",
            description=summary,
            epilog=_(
                "examples:\n{lines}\n\nalso for every word: --home DIR, --json, --no-colour (lanline --help)"
            ).format(lines=lines),
            formatter_class=_Layout,
            allow_abbrev=False,
        )
        self._console = console
        self._bare: list[str] = []

    def add_flag_or_words(self, option: str, **details: Any) -> None:
        """Adds an option that is off, on (`--allow-run`), or on for some (`--allow-run=df,uptime`).

        Its value is None, an empty tuple, or the words. Words need the `=`: the option never takes the next argument.
        """
        self._bare.append(option)
        self.add_argument(option, type=_words_of, **details)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's, with an option of `add_flag_or_words` that stands alone made complete."""
        return super().parse_known_args([f"{one}={ALL}" if one in self._bare else one for one in args], namespace)

    def format_help(self) -> str:
        """The help; an option of `add_flag_or_words` is shown as it is typed."""
        text = super().format_help()
        for action in self._actions:
            for option in set(action.option_strings) & set(self._bare):
                text = text.replace(f"{option} {action.metavar}", f"{option}[={action.metavar}]")
        return text

    def print_help(self, file: object = None) -> None:
        """Prints the help on the console."""
        self._console.line(self.format_help().rstrip("\n"))

    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        raise UsageError(message, advice=_("{prog} --help").format(prog=self.prog))


class _Layout(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal. argparse's own way to ask for that loads 2 ms of modules, for every word, help or
    not."""

    def __init__(self, prog: str) -> None:
        try:
            columns = os.get_terminal_size(1).columns
        except OSError:
            columns = 100
        super().__init__(prog, max_help_position=32, width=max(40, columns - 2))


def typed(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A `type=` for an option out of a function that raises our errors: keeps their sentence and their advice."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except LanlineError as error:
            words = f"{error} ({error.advice.rstrip('.')})" if error.advice else str(error)
            raise argparse.ArgumentTypeError(words) from error

    return convert


def number(low: int, high: int) -> Callable[[str], int]:
    """A `type=` for a whole number from `low` to `high`, both included."""

    def convert(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 12 and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(
                _("{text!r} is not a whole number from {low} to {high}").format(text=text[:40], low=low, high=high)
            )
        return int(text)

    return convert


def seconds(text: str) -> float:
    """A `type=` for a length of time that may be 0, where everybody means seconds: `5`, `0.5`, and also `1m`."""
    from lanline.durations import parse_duration  # here, not above: many words have no such option

    if not text.replace(".", "", 1).isdecimal() or not text.isascii():
        return typed(parse_duration)(text)
    return typed(parse_duration)(f"{text}s") if float(text) else 0.0


def refuse_port_zero(address: Address) -> None:
    """For words that connect.

    Raises:
        UsageError: the address has port 0, which nobody can listen at.
    """
    if address.scheme in ("tcp", "udp", "tls") and address.port == 0:
        raise UsageError(
            _("{address} cannot be reached: port 0 is for listening, where it takes any free port").format(
                address=address
            ),
            advice=_("the port that the other side shows."),
        )


def _words_of(text: str) -> tuple[str, ...]:
    words = tuple(part.strip() for part in text.split(","))
    if not all(words):
        # Never "all of them": in a script the list may be a variable that happens to be empty.
        raise argparse.ArgumentTypeError(_("the list after = is empty, or has an empty word in it"))
    return () if words == (ALL,) else words
