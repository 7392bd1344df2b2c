"""Code and tests that the explanations name are there: a promise whose test is gone is no promise."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping

from tests.docs.pages import Page, pages
from tests.rules.source import check_nothing, texts

_TEST_LINK = re.compile(r"\[[^\]]+\]\(([^)]*tests/[^)]+\.py)\): ([^|·\n]+)")
_CODE = re.compile(r"`([a-z_]+(?:/[a-z_]+)*\.py)`")


def missing_tests(page: Page, files: Mapping[str, str]) -> Iterator[str]:
    """One line for each claim behind a link to a file of tests that no test there bears as its name."""
    for link, claims in _TEST_LINK.findall(page.text):
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page.path), link))
        for claim in claims.split(";"):
            name = "test_" + "_".join(claim.split())
            if f"def {name}(" not in files.get(path, ""):
                yield f"{page.path}: {path} has no {name}"


def missing_code(page: Page, paths: Collection[str]) -> Iterator[str]:
    """One line for each file of the package that a page names and that is not there."""
    for name in _CODE.findall(page.without_blocks):
        if f"src/lanline/{name}" not in paths and name not in paths:
            yield f"{page.path} names {name}, and there is no such file"


def _explanations() -> list[Page]:
    return [page for page in pages() if page.path.startswith(("docs/explanation/", "docs/reference/"))]


def test_every_test_that_a_promise_names_is_there() -> None:
    check_nothing(line for page in _explanations() for line in missing_tests(page, texts()))


def test_every_file_that_a_page_names_is_there() -> None:
    check_nothing(line for page in _explanations() for line in missing_code(page, texts()))


def test_planted_names_are_found() -> None:
    page = Page(
        "docs/explanation/x.md", "`room/gone.py` `room/door.py`\n| a | [t](../../tests/t.py): is there; is gone |\n"
    )
    assert list(missing_tests(page, {"tests/t.py": "def test_is_there() -> None:"})) == [
        "docs/explanation/x.md: tests/t.py has no test_is_gone"
    ]
    assert len(list(missing_code(page, {"src/lanline/room/door.py"}))) == 1
