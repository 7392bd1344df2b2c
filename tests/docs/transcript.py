"""Console blocks: commands behind `$ ` (and `> `) with what they print, and whether that is what they printed.

In what is expected `...` stands for anything within a line, and alone on a line for any number of lines. Blanks count
as one, so that a column may be wider on another machine. A command that says nothing here may print what it likes, but
must exit with 0; one that is meant to fail is written with `|| echo "exit $?"` or the like.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ANY_LINES = "..."


@dataclass(frozen=True)
class Step:
    """One command and what it is to print.

    Attributes:
        command: with its continuation lines, without the prompts.
        expected: the lines below it.
    """

    command: str
    expected: tuple[str, ...]


def steps(text: str) -> list[Step]:
    """The commands of a block. Lines before the first prompt are a mistake.

    Raises:
        ValueError: the block does not begin with a command.
    """
    found: list[tuple[list[str], list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif not found:
            raise ValueError(f"a console block begins with `$ ` and a command, not with {line!r}")
        elif line.startswith("> ") and not found[-1][1]:
            found[-1][0].append(line[2:])
        else:
            found[-1][1].append(line)
    return [Step("\n".join(command), tuple(expected)) for command, expected in found]


def is_as_expected(expected: tuple[str, ...], printed: str) -> bool:
    """Whether what was printed is what the page shows."""
    return re.fullmatch(_pattern(expected), _squeezed(printed), re.DOTALL) is not None


def _pattern(expected: tuple[str, ...]) -> str:
    lines = []
    for line in _squeezed("\n".join(expected)).splitlines():
        if line == _ANY_LINES:
            lines.append(r"(?:[^\n]*\n)*?")
        else:
            lines.append(r"[^\n]*?".join(map(re.escape, line.split("..."))) + r"\n")
    return "".join(lines)


def _squeezed(text: str) -> str:
    lines = [" ".join(line.split()) for line in text.strip("\n").splitlines()]
    return "".join(f"{line}\n" for line in lines)
