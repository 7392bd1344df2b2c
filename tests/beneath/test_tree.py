"""Claims about walking all that is beneath a folder, in every way of holding it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.beneath.holding import Hold

from lanline.beneath.folder import Folder
from lanline.beneath.names import Names
from lanline.errors import FileError, FileMissing, FolderGone, LeadsOutside, NameRefused, NotAFile


def _planted(shared: Path) -> None:
    for path in ("b/2", "b/10", "b/c/d/deep", "a", "z"):
        (shared / path).parent.mkdir(parents=True, exist_ok=True)
        (shared / path).write_bytes(path.encode())


def test_the_walk_is_depth_first_and_sorted_with_folders_before_what_they_hold(folder: Folder, shared: Path) -> None:
    _planted(shared)
    found = [("/".join(names), opened.is_folder) for names, opened in folder.walk()]
    assert found == [
        ("a", False),
        ("b", True),
        ("b/10", False),
        ("b/2", False),
        ("b/c", True),
        ("b/c/d", True),
        ("b/c/d/deep", False),
        ("z", False),
    ]


def test_each_is_open_until_the_next_is_asked_for(folder: Folder, shared: Path) -> None:
    _planted(shared)
    before = len(os.listdir("/dev/fd"))
    texts = {}
    for names, opened in folder.walk(("b",)):
        if not opened.is_folder:
            texts[names] = os.read(opened.fd, 100)
        assert len(os.listdir("/dev/fd")) <= before + 1
    assert texts == {("10",): b"b/10", ("2",): b"b/2", ("c", "d", "deep"): b"b/c/d/deep"}
    walk = folder.walk()
    next(walk)
    walk.close()
    assert len(os.listdir("/dev/fd")) == before


def test_what_is_not_wanted_is_not_entered(folder: Folder, shared: Path) -> None:
    _planted(shared)
    asked: list[Names] = []

    def wants(names: Names) -> bool:
        asked.append(names)
        return names != ("b", "c")

    assert ("b", "c", "d", "deep") not in [names for names, _ in folder.walk(wants=wants)]
    assert ("b", "c", "d") not in asked


def test_what_cannot_be_opened_is_told_and_the_walk_goes_on(folder: Folder, shared: Path) -> None:
    (shared / "1 out").symlink_to("../marker")
    (shared / "2 nowhere").symlink_to("nothing")
    os.mkfifo(shared / "3 pipe")
    (shared / "4\\").write_bytes(b"")
    (shared / "5 fine").write_bytes(b"")
    told: list[tuple[str, type[FileError]]] = []
    found = [names for names, _ in folder.walk(left_out=lambda names, error: told.append((names[0], type(error))))]
    assert found == [("5 fine",)]
    assert told == [
        ("1 out", LeadsOutside),
        ("2 nowhere", FileMissing),
        ("3 pipe", NotAFile),
        ("4\\", NameRefused),
    ]
    assert [names for names, _ in folder.walk()] == [("5 fine",)]


def test_files_are_read_through_links_and_folders_are_not_entered_by_them(folder: Folder, shared: Path) -> None:
    _planted(shared)
    (shared / "file").symlink_to("b/2")
    (shared / "again").symlink_to("b")
    (shared / "b" / "up").symlink_to("..")
    told: list[tuple[str, ...]] = []
    found = {"/".join(names) for names, _ in folder.walk(left_out=lambda names, _: told.append(names))}
    assert found == {"a", "b", "b/10", "b/2", "b/c", "b/c/d", "b/c/d/deep", "file", "z"}
    assert told == [("again",), ("b", "up")]


def test_with_follow_links_a_folder_is_entered_by_a_link_once(shared: Path, hold: Hold) -> None:
    (shared / "far").symlink_to("../outside")
    (shared / "far2").symlink_to("../outside")
    (shared / "loop").symlink_to(".")
    (shared.parent / "outside" / "back").symlink_to("../shared")
    with Folder(shared, follows_links=True, way=hold) as folder:
        found = ["/".join(names) for names, _ in folder.walk()]
    assert found == ["far", "far/marker"]


def test_a_walk_begins_in_a_folder(folder: Folder, shared: Path) -> None:
    _planted(shared)
    with pytest.raises(NotAFile, match="a is not a folder"):
        next(folder.walk(("a",)))
    with pytest.raises(FileMissing, match="there is no x"):
        next(folder.walk(("x",)))


def test_a_walk_ends_with_the_folder(folder: Folder, shared: Path) -> None:
    _planted(shared)
    walk = folder.walk()
    next(walk)
    shared.rename(shared.with_name("moved"))
    with pytest.raises(FolderGone, match="no longer"):
        next(walk)
