"""Every link between pages leads to a page and a heading that are there, and every page can be found by its folder."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator

from tests.docs.pages import Page, anchor, pages
from tests.rules.source import ROOT, check_nothing


def dead_links(all_pages: Collection[Page], others: Collection[str]) -> Iterator[str]:
    """One line for each link that leads nowhere.

    Args:
        all_pages: the pages.
        others: paths of all other files and folders that may be linked to.
    """
    by_path = {page.path: page for page in all_pages}
    for page in all_pages:
        for link in page.links:
            path, _, name = link.partition("#")
            where = posixpath.normpath(posixpath.join(posixpath.dirname(page.path), path)) if path else page.path
            if where not in by_path and where not in others:
                yield f"{page.path} links to {link}: there is no {where}"
            elif name and name not in (by_path[where].anchors if where in by_path else ()):
                yield f"{page.path} links to {link}: {where} has no heading #{name}"


def unlisted(all_pages: Collection[Page]) -> Iterator[str]:
    """One line for each page below docs that the README beside it does not link to."""
    for page in all_pages:
        folder, _, name = page.path.rpartition("/")
        if folder.startswith("docs") and name != "README.md":
            index = next((one for one in all_pages if one.path == f"{folder}/README.md"), None)
            if index is None or name not in index.links:
                yield f"{page.path} is not listed in {folder}/README.md"


def _exists(path: str) -> bool:
    return not path.startswith("..") and (ROOT / path).exists()


def test_every_link_leads_to_a_page_and_a_heading_that_are_there() -> None:
    targets = {
        posixpath.normpath(posixpath.join(posixpath.dirname(page.path), link.partition("#")[0]))
        for page in pages()
        for link in page.links
    }
    check_nothing(dead_links(pages(), {path for path in targets if _exists(path)}))


def test_every_page_is_listed_in_the_readme_of_its_folder() -> None:
    check_nothing(unlisted(pages()))


def test_every_folder_of_pages_is_listed_in_the_readme_of_docs() -> None:
    index = next(page for page in pages() if page.path == "docs/README.md")
    folders = {page.path.split("/")[1] for page in pages() if page.path.count("/") == 2 and page.path[:5] == "docs/"}
    check_nothing(f"docs/{name} is not listed" for name in sorted(folders) if f"{name}/README.md" not in index.links)


def test_a_page_opens_with_one_title() -> None:
    titles = {
        page.path: [line for line in page.without_blocks.splitlines() if line.startswith("# ")] for page in pages()
    }
    check_nothing(f"{path}: {len(found)} titles" for path, found in titles.items() if len(found) != 1)


def test_planted_dead_links_are_found() -> None:
    there = Page("docs/a.md", "# A\n## What, and `why`?\n```\n## not a heading\n[x](gone.md)\n```\n")
    asking = Page("docs/b.md", "# B\n[1](a.md#what-and-why) [2](a.md#gone) [3](c.md) [4](../x.py) [5](https://a.b)\n")
    assert [line.partition(": ")[0] for line in dead_links([there, asking], ["x.py"])] == [
        "docs/b.md links to a.md#gone",
        "docs/b.md links to c.md",
    ]


def test_a_planted_unlisted_page_is_found() -> None:
    planted = [Page("docs/x/README.md", "# X\n[a](a.md)"), Page("docs/x/a.md", "# A"), Page("docs/x/b.md", "# B")]
    assert list(unlisted(planted)) == ["docs/x/b.md is not listed in docs/x/README.md"]


def test_headings_are_named_as_renderers_name_them() -> None:
    assert anchor("What is *not* promised?") == "what-is-not-promised"
    assert anchor("`lanline run`: exit codes") == "lanline-run-exit-codes"
    assert Page("a.md", "# A\n## B\n## B\n").anchors == {"a", "b", "b-1"}
