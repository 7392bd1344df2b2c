"""What visitors can see of a folder, a file or a source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from lanline.beneath import DRAFT_PREFIX, Folder
from lanline.errors import FileMissing, NameRefused
from lanline.services.share.shared import Permissions, Shared
from lanline.services.share.target import Target

ALL = Permissions(upload=True, overwrite=True, delete=True, shows_hidden=True)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """A folder with shown and hidden things in it."""
    for name in ("b.txt", "A.txt", ".env", DRAFT_PREFIX + "0123456789abcdef"):
        (tmp_path / name).write_text(name)
    for name in ("z", ".git", ".lanline"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config").write_text(name)
    with Folder(tmp_path) as held:
        yield held


def names(shared: Shared) -> list[str]:
    return [item.name for item in shared.contents(()).items]


def test_folders_come_first_then_names_in_any_case(folder: Folder) -> None:
    assert names(Shared(folder, Permissions(), name="x")) == ["z", "A.txt", "b.txt"]


def test_what_is_hidden_is_neither_listed_nor_served(folder: Folder) -> None:
    shared = Shared(folder, Permissions(), name="x")
    for hidden in ((".env",), (".git",), (".git", "config"), (".lanline", "config")):
        with pytest.raises(FileMissing):
            shared.open(hidden)
        with pytest.raises(FileMissing):
            shared.contents(hidden)
    with shared.open(("z", "config")) as opened:
        assert not opened.is_folder


def test_hidden_names_are_shown_to_all_where_the_owner_wants_it(folder: Folder) -> None:
    shared = Shared(folder, ALL, name="x")
    assert names(shared) == [".git", "z", ".env", "A.txt", "b.txt"]
    with shared.open((".git", "config")) as opened:
        assert opened.status.st_size == 4


def test_unfinished_uploads_and_the_servers_own_names_are_never_shown(folder: Folder) -> None:
    shared = Shared(folder, ALL, name="x")
    assert not shared.is_shown((DRAFT_PREFIX + "0123456789abcdef",))
    assert not shared.is_shown((DRAFT_PREFIX.upper() + "0123456789abcdef",))
    assert not shared.is_shown((".lanline",)) and not shared.is_shown((".lanline", "config"))
    assert shared.is_shown(("z", ".lanline")), "the name is reserved in the root alone"


def test_nothing_hidden_or_unportable_is_created(folder: Folder) -> None:
    shared = Shared(folder, Permissions(upload=True), name="x")
    for refused in ((".env",), ("z", ".x"), (".lanline", "x"), ("CON",), ("a:b",), (DRAFT_PREFIX + "x",), ()):
        with pytest.raises(NameRefused):
            shared.check_new(refused)
    with pytest.raises(NameRefused, match="names no file"):
        shared.check_new(("z", ".."))  # not for its dot
    shared.check_new(("z", "new.txt"))
    Shared(folder, ALL, name="x").check_new((".env",))


def test_of_one_shared_file_nothing_else_can_be_seen(folder: Folder) -> None:
    shared = Shared(folder, ALL, name="b.txt", only="b.txt")
    assert names(shared) == ["b.txt"]
    assert shared.contents(()).left_out == 0
    assert shared.permissions == Permissions(), "one file is read and no more"
    for other in (("A.txt",), ("z",), ("z", "config"), ("b.txt", "x")):
        with pytest.raises(FileMissing):
            shared.open(other)
    with shared.open(("b.txt",)) as opened:
        assert opened.status.st_size == 5


def test_one_hidden_file_that_was_named_is_shared(folder: Folder) -> None:
    shared = Shared(folder, Permissions(), name=".env", only=".env")
    assert names(shared) == [".env"]


class _Source:
    name = "big.tar"
    modified_ns = 5

    async def answer(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        return web.Response(text=self.name)


def test_a_source_is_one_entry_of_unknown_size() -> None:
    shared = Shared(None, ALL, name="big.tar", source=_Source())
    assert shared.contents(()).items == [("big.tar", False, None, 5)]
    assert shared.is_source(("big.tar",)) and not shared.is_source(())
    with pytest.raises(FileMissing):
        shared.open(("big.tar",))


def test_the_listing_of_one_file_is_that_file_through_a_link_too_and_empty_once_it_is_gone(
    folder: Folder, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to("b.txt")
    for name in ("b.txt", "link"):
        (item,) = Shared(folder, Permissions(), name=name, only=name).contents(()).items
        status = (tmp_path / "b.txt").stat()
        assert item == (name, False, status.st_size, status.st_mtime_ns)
    (tmp_path / "b.txt").unlink()
    assert Shared(folder, Permissions(), name="link", only="link").contents(()).items == []
