"""A translated page has the build of the English one, so that a translation left behind fails.

Compared are the levels of the headings, the code (comments and docstrings may be in the other language), the pages and
pictures that are linked to, the rows of tables and the items of lists. That the sentences say the same, people must
see to.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Collection, Iterator

from tests.docs.pages import Block, Page, pages
from tests.rules.source import check_nothing

_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(<?([^)\s>]+)>?\)")
_COMMENT = re.compile(r"\s+#\s.*$", re.MULTILINE)


def original_of(path: str) -> str:
    """The English page that a page of this path is a translation of; the path itself for an English page."""
    return path.replace("docs/zh/", "docs/", 1).replace(".zh-CN.md", ".md")


def build(page: Page) -> dict[str, list[str]]:
    """What a translation must not change, by what it is called."""
    lines = page.without_blocks.splitlines()
    return {
        "headings": [match.group() for line in lines if (match := re.match("#{1,6} ", line))],
        "code": [code(block) for block in page.blocks],
        "links": [_target(page, link) for link in _LINK.findall(page.prose)],
        "rows of tables": [str(line.count("|")) for line in lines if line.startswith("|")],
        "items of lists": [match.group() for line in lines if (match := re.match(r" *(?:-|\d+\.) ", line))],
    }


def code(block: Block) -> str:
    """A block without its comments, behind the words of its fence."""
    text = block.text
    if block.language == "python":
        tree = ast.parse(text)
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and len(body) > 1 and _is_docstring(body[0]):
                del body[0]
        text = ast.unparse(tree)
    elif block.language == "console":
        text = "\n".join(_COMMENT.sub("", line) if line.startswith("$ ") else line for line in text.splitlines())
    elif not block.is_output:
        text = _COMMENT.sub("", text)
    return " ".join([block.language, *block.words]) + "\n" + text


def stale(all_pages: Collection[Page]) -> Iterator[str]:
    """One line for each translated page that has no English one, or another build than that."""
    by_path = {page.path: page for page in all_pages}
    for path, page in by_path.items():
        if (original := original_of(path)) == path:
            continue
        if original not in by_path:
            yield f"{path} is a translation of {original}, which is not there"
            continue
        translated = build(page)
        for what, there in build(by_path[original]).items():
            here = translated[what]
            if here != there:
                first = next((pair for pair in zip(there, here, strict=False) if pair[0] != pair[1]), None)
                told = f"the first that differs: {first}" if first else f"{len(there)} there, {len(here)} here"
                yield f"{path} has other {what} than {original}; {told}"


def _target(page: Page, link: str) -> str:
    """Where a link leads, whichever the language; headings have other names in other languages."""
    if re.match(r"[a-z]+:", link):
        return link
    path = link.partition("#")[0]
    return original_of(posixpath.normpath(posixpath.join(posixpath.dirname(page.path), path)) if path else page.path)


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def test_a_translated_page_has_the_build_of_the_english_one() -> None:
    check_nothing(stale(pages()))


def test_every_page_of_the_tutorial_in_steps_is_translated() -> None:
    paths = {page.path for page in pages()}
    index = next(page for page in pages() if page.path == "docs/tutorial/README.md")
    steps = re.findall(r"^\| \d+ \| \[[^\]]+\]\(([^)]+)\)", index.text, re.MULTILINE)
    assert len(steps) >= 7, steps
    check_nothing(f"docs/zh/tutorial/{name} is missing" for name in steps if f"docs/zh/tutorial/{name}" not in paths)


_ENGLISH = Page(
    "docs/a.md",
    "# A\n[中文](zh/a.md) [b](b.md#x)\n## B\n- one\n```python run\nx = 1  # why\n```\n| a | b |\n![p](p/a.svg)\n"
    "```console\n$ true  # so\na # b\n```\n",
)


def test_other_words_in_the_same_build_are_a_translation() -> None:
    text = """# 甲\n[English](../a.md) [乙](../b.md)\n## 乙\n- 一\n```python run\n# 为什么\nx = 1\n```\n| 甲 | 乙 |
![图](p/a.svg)\n```console\n$ true  # 这样\na # b\n```\n"""
    assert list(stale([_ENGLISH, Page("docs/zh/a.md", text)])) == []


def test_planted_stale_translations_are_found() -> None:
    text = "# 甲\n[English](../a.md)\n```python run\nx = 2\n```\n| 甲 |\n![图](p/a.svg)\n"
    found = list(stale([_ENGLISH, Page("docs/zh/a.md", text), Page("docs/zh/gone.md", "# 无\n")]))
    assert [line.partition(" than")[0] for line in found[:5]] == [
        f"docs/zh/a.md has other {what}" for what in ("headings", "code", "links", "rows of tables", "items of lists")
    ]
    assert found[5:] == ["docs/zh/gone.md is a translation of docs/gone.md, which is not there"]
