"""The code blocks of the pages do what the pages say."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.docs.pages import Page, pages
from tests.docs.play import Stage, set_up_room
from tests.rules.source import check_nothing

RUN = [page for page in pages() if any(block.is_run for block in page.blocks)]


@pytest.fixture(scope="module")
def stage_for() -> Iterator[Callable[[Page], Stage]]:
    """Where a page is played: in the room that pages share, in one of its own, or in an empty home."""
    shared: dict[tuple[str, ...], Stage] = {}
    with ExitStack() as open_stages:

        def find(page: Page) -> Stage:
            is_shared = bool(page.room) and not page.changes_room
            if is_shared and page.room in shared:
                return shared[page.room]
            # Below /tmp, and short: the path of a Unix socket ends at 107 bytes.
            home = Path(tempfile.mkdtemp(prefix="lld", dir="/tmp"))
            open_stages.callback(shutil.rmtree, home, ignore_errors=True)
            stage = Stage(home)
            open_stages.enter_context(stage.curtain())
            if page.room:
                set_up_room(stage, page.room)
            if is_shared:
                shared[page.room] = stage
            return stage

        yield find


@pytest.mark.slow
@pytest.mark.timeout(90)  # a room of several processes, on a machine that may be busy
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.path)
def test_what_a_page_shows_is_what_happens(page: Page, stage_for: Callable[[Page], Stage]) -> None:
    if missing := [program for program in page.needs if shutil.which(program) is None]:
        pytest.skip(f"this machine has no {', '.join(missing)}")
    stage = stage_for(page)
    folder = stage.home / "page" / Path(page.path).stem
    folder.mkdir(parents=True)
    variables = {"LANLINE_HOME": str(stage.home / page.room[0])} if page.room else {}
    check_nothing(stage.play(page, folder, variables))


def test_a_planted_untruth_is_found(tmp_path: Path) -> None:
    text = """# A\n```console run\n$ echo a\nb\n$ false\n$ echo c\nc\n```
```python run\nprint(1)\n```\n```text output\n2\n```\n"""
    stage = Stage(tmp_path)
    folder = tmp_path / "page"
    folder.mkdir()
    found = stage.play(Page("x.md", text), folder)
    assert [one.partition("$ ")[2].partition("\n")[0] for one in found] == ["echo a", "false", "python .line-9.py"]


def test_a_command_in_the_background_goes_on_until_the_page_ends(tmp_path: Path) -> None:
    text = """# A\n```console background\n$ sh -c 'echo one; echo two; exec tail -f /dev/null'\none\ntwo\n```
```console run\n$ kill -0 $_left && echo there\nthere\n```\n```console background\n$ echo one\ntwo\n```\n"""
    (tmp_path / "page").mkdir()
    found = Stage(tmp_path).play(Page("x.md", text), tmp_path / "page")
    assert [one.partition("\n")[2].partition("\nand")[0] for one in found] == ["should print:\ntwo"]


def test_a_page_may_use_its_own_files_and_any_port_of_its_own_network(tmp_path: Path) -> None:
    text = """# A\n```toml file=a/b.toml\nx = 1\n```
```console run\n$ cat a/b.toml; echo 127.0.0.1:9000\nx = 1\n127.0.0.1:9000\n```\n"""
    stage = Stage(tmp_path)
    (tmp_path / "page").mkdir()
    assert stage.play(Page("x.md", text), tmp_path / "page") == []


def test_every_page_to_be_run_says_so_in_words_that_are_known() -> None:
    known = {"run", "output", "background"}
    check_nothing(
        f"{page.path}:{block.line} has the word {word!r} behind its language"
        for page in pages()
        for block in page.blocks
        for word in block.words
        if word not in known and not word.startswith("file=")
    )
