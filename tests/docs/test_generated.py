"""What is generated in the pages is what the code says now."""

from __future__ import annotations

import pytest
from scripts import generate_docs

from tests.rules.source import ROOT


@pytest.mark.parametrize("path", generate_docs.PARTS)
def test_a_generated_page_is_current(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert generate_docs.current(path, text) == text, "renew it: python -m scripts.generate_docs"


def test_a_page_without_a_place_for_its_part_is_refused() -> None:
    with pytest.raises(ValueError, match="0 places for 'decisions'"):
        generate_docs.current("docs/decisions/README.md", "# Decisions\n")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1048576, "B", "1 MiB"),
        (1000, "B", "1,000 bytes"),
        (7200.0, "s", "2 h"),
        (0.02, "s", "20 ms"),
        (4096, "", "4,096"),
    ],
)
def test_numbers_are_shown_as_people_say_them(value: float, unit: str, text: str) -> None:
    assert generate_docs.shown(value, unit) == text
