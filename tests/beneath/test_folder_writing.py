"""Claims about making and removing beneath a held folder, kept in every way of holding it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lanline.beneath.folder import Folder
from lanline.errors import FileMissing, NameRefused, NoAccess, NotEmpty, ParentMissing, TakenAlready


def test_a_folder_is_made_with_those_above_it_where_that_was_asked(folder: Folder, shared: Path) -> None:
    folder.make_folder(("a",))
    with pytest.raises(ParentMissing, match="there is no folder x/y"):
        folder.make_folder(("x", "y", "z"))
    folder.make_folder(("a", "b", "c"), makes_parents=True)
    assert (shared / "a" / "b" / "c").is_dir()
    assert not (shared / "x").exists()


@pytest.mark.parametrize("makes_parents", [False, True])
def test_what_is_there_already_is_not_made_again(folder: Folder, shared: Path, makes_parents: bool) -> None:
    (shared / "a").mkdir()
    (shared / "file").write_bytes(b"x")
    (shared / "dangling").symlink_to("nothing")
    for names in (("a",), ("file",), ("dangling",), ()):
        with pytest.raises(TakenAlready, match="already"):
            folder.make_folder(names, makes_parents=makes_parents)
    with pytest.raises(ParentMissing, match="there is no folder file"):
        folder.make_folder(("file", "b"), makes_parents=makes_parents)


def test_a_new_folder_gets_no_name_that_windows_cannot_hold(folder: Folder, shared: Path) -> None:
    for name in ("con", "a:b", "x.", "a\n", ".lanline-part-1"):
        with pytest.raises(NameRefused, match="is refused"):
            folder.make_folder((name,))
        with pytest.raises(NameRefused, match="is refused"):
            folder.make_folder((name, "below"), makes_parents=True)
    assert os.listdir(shared) == []


def test_an_old_folder_with_such_a_name_can_be_written_into(folder: Folder, shared: Path) -> None:
    (shared / "a:b").mkdir()
    folder.make_folder(("a:b", "new"), makes_parents=True)
    with folder.draft(("a:b",)) as draft:
        draft.commit("file")
    assert sorted(os.listdir(shared / "a:b")) == ["file", "new"]
    with pytest.raises(TakenAlready, match="already"):
        folder.make_folder(("a:b",))


def test_files_and_empty_folders_are_removed(folder: Folder, shared: Path) -> None:
    (shared / "a").mkdir()
    (shared / "a" / "file").write_bytes(b"x")
    with pytest.raises(NotEmpty, match="the folder a is not empty"):
        folder.remove(("a",))
    folder.remove(("a", "file"))
    folder.remove(("a",))
    assert os.listdir(shared) == []


def test_what_is_not_there_is_not_removed(folder: Folder, shared: Path) -> None:
    (shared / "file").write_bytes(b"x")
    for names in (("x",), ("x", "y"), ("file", "y")):
        with pytest.raises(FileMissing, match="there is no"):
            folder.remove(names)


def test_the_held_folder_itself_is_not_removed(folder: Folder, shared: Path) -> None:
    with pytest.raises(NoAccess, match="itself"):
        folder.remove(())
    assert shared.is_dir()


def test_unfinished_files_are_reached_by_no_name(folder: Folder, shared: Path) -> None:
    with folder.draft() as draft:
        for act in (folder.open, folder.remove):
            with pytest.raises(NameRefused, match="unfinished"):
                act((draft.name,))
        assert folder.entries() == []
        assert folder.entries().left_out == 0
        assert [*folder.walk()] == []
