"""Pictures of the pages: each is there, is used, says in words what it shows, and brings nothing along."""

from __future__ import annotations

import posixpath
import re
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator, Mapping

from tests.docs.pages import Page, pages
from tests.rules.source import ROOT, check_nothing, texts

_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
_SVG = "{http://www.w3.org/2000/svg}"
_WORDS = {f"{_SVG}title", f"{_SVG}desc", f"{_SVG}text"}
"""What a translator changes; all else is the picture itself."""

MAX_PHOTOGRAPH_BYTES = 150_000
"""Of a picture of a screen: a page with two of them still comes at once."""


def missing(all_pages: Collection[Page], pictures: Collection[str]) -> Iterator[str]:
    """One line for each picture that a page shows and that is not there, that has no words for those who cannot see
    it, or that no page shows."""
    shown = set()
    for page in all_pages:
        for words, link in _IMAGE.findall(page.without_blocks):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(page.path), link))
            shown.add(path)
            if path not in pictures:
                yield f"{page.path} shows {link}: there is no {path}"
            if not words:
                yield f"{page.path} shows {link} without words for those who cannot see it"
    yield from (f"no page shows {path}" for path in sorted(set(pictures) - shown))


def unfit(path: str, text: str) -> Iterator[str]:
    """One line for each thing a picture lacks or must not have."""
    root = ET.fromstring(text)
    for needed in ("title", "desc"):
        if not (root.findtext(f"{_SVG}{needed}") or "").strip():
            yield f"{path} has no <{needed}>"
    if "viewBox" not in root.attrib:
        yield f"{path} has no viewBox"
    if root.find(f"{_SVG}rect[@class='paper']") is None:
        yield f"{path} has no background of its own: a dark page would swallow it"
    for found in re.findall(r"<script|<image|<foreignObject|@import|href=|url\((?!#)", text):
        yield f"{path} holds {found}: a picture brings nothing along"


def shapes(text: str) -> list[tuple[str, ...]]:
    """A picture without its words: every element with its attributes, in order."""
    found = []
    for element in ET.fromstring(text).iter():
        attributes = [f"{name}={value}" for name, value in sorted(element.attrib.items())]
        found.append((element.tag, *attributes, "" if element.tag in _WORDS else (element.text or "").strip()))
    return found


def strays(pictures: Mapping[str, str]) -> Iterator[str]:
    """One line for each translated picture that is not the English one with other words."""
    for path, text in pictures.items():
        if path.startswith("docs/zh/"):
            original = pictures.get(path.replace("docs/zh/", "docs/", 1))
            if original is None:
                yield f"{path} has no English picture beside it"
            elif shapes(text) != shapes(original):
                yield f"{path} has other shapes than the English picture"


def _photographs() -> set[str]:
    """Pictures of screens: no text, so nothing is known of what they show but the words beside them."""
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.png")}


def _pictures() -> dict[str, str]:
    return {path: text for path, text in texts().items() if path.startswith("docs/") and path.endswith(".svg")}


def test_every_picture_that_a_page_shows_is_there_and_every_picture_is_shown() -> None:
    check_nothing(missing(pages(), {*_pictures(), *_photographs()}))


def test_a_picture_of_a_screen_is_small() -> None:
    assert [path for path in _photographs() if (ROOT / path).stat().st_size > MAX_PHOTOGRAPH_BYTES] == []


def test_a_picture_says_what_it_shows_and_brings_nothing_along() -> None:
    check_nothing(line for path, text in _pictures().items() for line in unfit(path, text))


def test_a_translated_picture_has_the_shapes_of_the_english_one() -> None:
    check_nothing(strays(_pictures()))


_PLANTED = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><title>T</title><desc>D</desc>
<rect class="paper" width="9" height="9"/><text x="1">{}</text></svg>"""


def test_planted_pictures_that_are_missing_or_unused_are_found() -> None:
    page = Page("docs/a.md", "# A\n![words](p/a.svg) ![](p/b.svg)\n```\n![no](p/c.svg)\n```\n")
    assert list(missing([page], ["docs/p/b.svg", "docs/p/d.svg"])) == [
        "docs/a.md shows p/a.svg: there is no docs/p/a.svg",
        "docs/a.md shows p/b.svg without words for those who cannot see it",
        "no page shows docs/p/d.svg",
    ]


def test_a_planted_picture_that_is_unfit_is_found() -> None:
    assert list(unfit("a.svg", _PLANTED.format("hello"))) == []
    bare = '<svg xmlns="http://www.w3.org/2000/svg"><title>T</title><script/></svg>'
    assert len(list(unfit("a.svg", bare))) == 4


def test_a_planted_stray_is_found() -> None:
    english = _PLANTED.format("hello")
    fine = {"docs/p/a.svg": english, "docs/zh/p/a.svg": _PLANTED.format("你好")}
    assert list(strays(fine)) == []
    moved = {**fine, "docs/zh/p/a.svg": english.replace('x="1"', 'x="2"'), "docs/zh/p/b.svg": english}
    assert len(list(strays(moved))) == 2
