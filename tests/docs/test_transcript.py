"""What a console block promises is compared as its reader would compare it."""

from __future__ import annotations

import pytest

from tests.docs.pages import Page
from tests.docs.transcript import is_as_expected, steps


def test_a_block_is_cut_into_commands_and_what_they_print() -> None:
    one, two = steps("$ echo a \\\n> b\na b\n$ true\n")
    assert (one.command, one.expected) == ("echo a \\\nb", ("a b",))
    assert (two.command, two.expected) == ("true", ())


def test_a_line_that_looks_like_a_continuation_is_output_behind_other_output() -> None:
    assert steps("$ cat mail\nhello\n> quoted\n")[0].expected == ("hello", "> quoted")


def test_a_block_that_begins_with_output_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with"):
        steps("a b\n$ echo a b\n")


@pytest.mark.parametrize(
    ("expected", "printed"),
    [
        (("a b",), "a    b\n"),
        (("pc1  ...  ms",), "pc1  online   0.31 ms\n"),
        (("first", "...", "last"), "first\nlast\n"),
        (("first", "...", "last"), "first\n1\n2\nlast\n"),
        (("...",), ""),
        (("a.b [x]",), "a.b [x]\n"),
    ],
)
def test_what_fits_is_accepted(expected: tuple[str, ...], printed: str) -> None:
    assert is_as_expected(expected, printed)


@pytest.mark.parametrize(
    ("expected", "printed"),
    [
        (("a",), "b\n"),
        (("a",), "a\nb\n"),
        (("a", "b"), "a\n"),
        (("a ... c",), "a\nc\n"),
        (("a.b",), "axb\n"),
    ],
)
def test_what_does_not_fit_is_refused(expected: tuple[str, ...], printed: str) -> None:
    assert not is_as_expected(expected, printed)


def test_words_behind_the_language_say_what_a_block_is_for() -> None:
    page = Page(
        "a.md", "<!-- own room: hub pc1 -->\n```toml file=p.toml\na = 1\n```\n- x\n  ```python run\n  b\n  ```\n"
    )
    written, run = page.blocks
    assert (written.file, written.text, written.is_run) == ("p.toml", "a = 1\n", False)
    assert (run.is_run, run.text, run.line) == (True, "b\n", 6)
    assert (page.room, page.changes_room) == (("hub", "pc1"), True)
