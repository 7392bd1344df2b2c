"""Every trap has a page that names its error, is short, and shows both sides of it; and the error names the page."""

from __future__ import annotations

import re

from lanline import errors
from tests.docs.pages import Page, pages
from tests.rules.source import check_nothing

WITHOUT_ERROR = "docs/howto/trap-sticky-packets.md"
"""Nothing can notice that messages stuck together where nothing says where they end."""


def _traps() -> dict[str, Page]:
    return {page.path: page for page in pages() if page.path.startswith("docs/howto/trap-")}


def _named_by_errors() -> dict[str, str]:
    """Each page that the docstring of an error leads to, with the error's name."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    found = {kind.__name__: re.search(r"See (docs/\S+\.md)\.", vars(kind).get("__doc__") or "") for kind in kinds}
    return {match.group(1): name for name, match in found.items() if match}


def test_every_trap_but_the_sticky_one_has_an_error_whose_docstring_leads_to_its_page() -> None:
    assert {*_named_by_errors(), WITHOUT_ERROR} == {*_traps()}


def test_every_page_of_a_trap_shows_the_text_of_its_error() -> None:
    named = _named_by_errors()
    check_nothing(
        f"{path} shows no {named[path]}"
        for path, page in _traps().items()
        if path in named and not any(block.is_output and f"{named[path]}: " in block.text for block in page.blocks)
    )


def test_every_page_of_a_trap_is_short_and_begins_with_the_bare_socket() -> None:
    for path, page in _traps().items():
        programs = [block.text for block in page.blocks if block.is_run]
        assert "import socket" in programs[0], path
        assert "lanline" not in programs[0], path
        assert "from lanline import" in programs[1], path
        assert 40 <= page.text.count("\n") <= 70, path
