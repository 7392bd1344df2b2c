"""The Markdown pages of this project: their headings, links and fenced blocks. Reads, and runs nothing.

What a block is for stands behind its language, as renderers ignore it there::

    ```python run             a whole program; it is run and must end well
    ```text output            what the program before it prints
    ```python background      a program that goes on; what follows is run once it has printed a line
    ```console run            commands behind `$ `, each followed by what it prints
    ```console background     one command that goes on; the same, until it has printed what is shown
    ```toml file=policy.toml  written to a file of this name in its turn (any language; `~/` is the home)

A page whose commands need a room says so in a comment that renderers hide: `<!-- room: hub pc1 pc2 -->`, or
`<!-- own room: hub pc1 -->` when it changes the room. `<!-- needs: openssl -->` names programs it cannot be run
without. Blocks without such words are for reading only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tests.rules.source import texts

_FENCE = re.compile(r"^(\s*)(`{3,})([^`\n]*)$")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(<?([^)\s>]+)>?\)")
_ROOM = re.compile(r"<!-- (own )?room: ([^>]*?) *-->")
_NEEDS = re.compile(r"<!-- needs: ([^>]*?) *-->")
_NOT_OURS = ("http://", "https://", "mailto:")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        language: the first word behind the fence.
        words: the others.
        text: what is in it, with its last newline.
        line: where it stands in its page, 1 for the first line.
    """

    language: str
    words: tuple[str, ...]
    text: str
    line: int

    @property
    def is_run(self) -> bool:
        """Whether it is a program or commands to be run."""
        return "run" in self.words or "background" in self.words

    @property
    def is_output(self) -> bool:
        """Whether it is what the program before it prints."""
        return "output" in self.words

    @property
    def file(self) -> str:
        """The name of the file it is written to; empty for none."""
        return next((word.removeprefix("file=") for word in self.words if word.startswith("file=")), "")


@dataclass(frozen=True)
class Page:
    """One page: its path below the root, with slashes, and its text."""

    path: str
    text: str

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Its fenced blocks, in order."""
        return tuple(_blocks(self.text))

    @cached_property
    def prose(self) -> str:
        """The text without fenced blocks and without code between backticks."""
        kept, is_inside = [], False
        for line in self.text.splitlines():
            if _FENCE.match(line):
                is_inside = not is_inside
            elif not is_inside:
                kept.append(re.sub(r"`[^`]*`", "``", line))
        return "\n".join(kept)

    @property
    def anchors(self) -> frozenset[str]:
        """What a link to a heading of this page may name."""
        found: list[str] = []
        for line in self.without_blocks.splitlines():
            if match := _HEADING.match(line):
                name = anchor(match.group(1))
                count = sum(1 for one in found if one == name or re.fullmatch(rf"{re.escape(name)}-\d+", one))
                found.append(f"{name}-{count}" if count else name)
        return frozenset(found)

    @cached_property
    def without_blocks(self) -> str:
        """The text without fenced blocks."""
        kept, is_inside = [], False
        for line in self.text.splitlines():
            if _FENCE.match(line):
                is_inside = not is_inside
            elif not is_inside:
                kept.append(line)
        return "\n".join(kept)

    @property
    def links(self) -> tuple[str, ...]:
        """Where it links to within this project, as written."""
        return tuple(link for link in _LINK.findall(self.prose) if not link.startswith(_NOT_OURS))

    @property
    def room(self) -> tuple[str, ...]:
        """Names of the machines its commands need; empty for none."""
        match = _ROOM.search(self.text)
        return tuple(match.group(2).split()) if match else ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Programs its commands need beside the usual ones."""
        match = _NEEDS.search(self.text)
        return tuple(match.group(1).split()) if match else ()

    @property
    def changes_room(self) -> bool:
        """Whether it wants a room of its own."""
        match = _ROOM.search(self.text)
        return bool(match and match.group(1))


def pages() -> tuple[Page, ...]:
    """Every Markdown page of the project."""
    return tuple(Page(path, text) for path, text in texts().items() if path.endswith(".md"))


def anchor(heading: str) -> str:
    """The name by which a link reaches a heading: small letters, hyphens for blanks, no punctuation."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def _blocks(text: str) -> Iterator[Block]:
    fence = indent = ""
    words: list[str] = []
    begun = 0
    inside: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _FENCE.match(line)
        if fence:
            if match and match.group(2) == fence and not match.group(3).strip():
                yield Block(words[0] if words else "", tuple(words[1:]), "".join(inside), begun)
                fence = ""
            else:
                inside.append(line.removeprefix(indent) + "\n")
        elif match:
            indent, fence, words = match.group(1), match.group(2), match.group(3).split()
            begun, inside = number, []
    assert not fence, f"the block begun in line {begun} has no end"
