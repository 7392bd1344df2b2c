"""Every command line in a page, run or not, uses words and options that there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import cache

from scripts import generate_docs

from lanline.ui import cli
from lanline.ui.services import plain_faces
from tests.docs.pages import Page, pages
from tests.docs.transcript import steps
from tests.rules.source import check_nothing

_LINE = re.compile(r"(?<![\w./-])lanline (?:--home \S+ )?([a-z]+)\b([^\n`|;&>]*)")
_OPTION = re.compile(r"(?<!\S)(--?[a-z][a-z-]*)")
_FOR_EVERY_WORD = {"--home", "--json", "--no-colour", "--help", "--version", "-h", "-V"}
_NO_COMMAND_LINES = ("CHANGELOG.md", "docs/decisions/")
"""What was decided or changed once may speak of what is gone."""


def mistakes(page: Page, words: Collection[str], options_of: Callable[[str], Collection[str]]) -> Iterator[str]:
    """One line for each word or option in a page that there is not.

    Args:
        page: where to look: in console blocks and between backticks.
        words: all there are.
        options_of: what a word takes.
    """
    typed = [step.command for block in page.blocks if block.language == "console" for step in steps(block.text)]
    code = typed + [text for text in re.findall(r"`([^`\n]+)`", page.without_blocks) if text.startswith("lanline ")]
    for word, rest in (found for text in code for found in _LINE.findall(text)):
        if word not in words:
            if word != "help":
                yield f"{page.path} shows lanline {word}, and there is no such word"
            continue
        for option in _OPTION.findall(rest.partition(" -- ")[0]):
            if option not in _FOR_EVERY_WORD and option not in options_of(word):
                yield f"{page.path} shows lanline {word} {option}, and there is no such option"


@cache
def _options_of(word: str) -> frozenset[str]:
    found = set(generate_docs.parser_of(word)._option_string_actions)
    for face in plain_faces() if word == "serve" else ():  # each face has options of its own beside those of the word
        found |= set(generate_docs.parser_of(word, face)._option_string_actions)
    return frozenset(found)


def test_every_word_and_option_that_a_page_shows_is_there() -> None:
    words = cli.all_words()
    shown = [page for page in pages() if not page.path.startswith(_NO_COMMAND_LINES)]
    check_nothing(line for page in shown for line in mistakes(page, words, _options_of))


def test_every_word_has_help_with_an_example() -> None:
    check_nothing(
        f"lanline {word} --help shows no example"
        for word in cli.all_words()
        if "$ lanline " not in generate_docs.command(word)
    )


def test_planted_mistakes_are_found() -> None:
    text = "# A\n`lanline gone`\n```console\n$ lanline who --all @x -- --none\n```\nlanline is; `lanline who --json`\n"
    assert [*mistakes(Page("x.md", text), {"who"}, lambda _: {"--here"})] == [
        "x.md shows lanline who --all, and there is no such option",
        "x.md shows lanline gone, and there is no such word",
    ]
