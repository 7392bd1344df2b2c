"""What goes into an archive, what stays out, and what is said about that."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.services.share.archives.packing import contents_of, held, tree

from lanline.errors import FileMissing, FolderGone
from lanline.services.share.archives.contents import Contents, shown_name


def paths(contents: Contents) -> list[str]:
    return [member.path + ("/" if member.opened.is_folder else "") for member in contents]


def test_everything_stands_below_the_name_of_the_folder_in_order(tmp_path: Path) -> None:
    root = tree(tmp_path / "photos", b=b"", a__z=b"", a__y=b"", c=b"")
    with contents_of(root) as contents:
        assert paths(contents) == ["photos/", "photos/a/", "photos/a/y", "photos/a/z", "photos/b", "photos/c"]
        assert not contents.notes


def test_a_folder_within_the_share_gives_its_own_name(tmp_path: Path) -> None:
    root = tree(tmp_path / "photos", y2024__a=b"", b=b"")
    with contents_of(root, names=("y2024",)) as contents:
        assert paths(contents) == ["y2024/", "y2024/a"]


def test_empty_folders_are_kept(tmp_path: Path) -> None:
    (tmp_path / "s" / "empty").mkdir(parents=True)
    with contents_of(tmp_path / "s") as contents:
        assert paths(contents) == ["s/", "s/empty/"]


def test_only_what_is_chosen_is_packed_once_and_whole(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", a=b"", b__x=b"", b__y=b"", c=b"")
    with contents_of(root, ["b", "a", "b"]) as contents:
        assert paths(contents) == ["s/a", "s/b/", "s/b/x", "s/b/y"]


def test_hidden_names_stay_out_unless_they_are_shown_and_unfinished_ones_always(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", a=b"")
    for name in (".env", ".git/config", "a2/.env", ".lanline-part-1", "a2/.lanline-part-2", ".lanline/x"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"secret")
    with contents_of(root) as contents:
        assert paths(contents) == ["s/", "s/a", "s/a2/"]
        assert not contents.notes
    with contents_of(root, shows_hidden=True) as contents:
        assert paths(contents) == ["s/", "s/.env", "s/.git/", "s/.git/config", "s/a", "s/a2/", "s/a2/.env"]


def test_a_hidden_name_cannot_be_chosen(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", a=b"")
    (root / ".env").write_bytes(b"secret")
    with contents_of(root, [".env", "a"]) as contents:
        assert paths(contents) == ["s/a"]
        assert b"s/.env: " in contents.note()[1]


def test_pipes_and_links_outside_are_left_out_and_named(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", a=b"")
    os.mkfifo(root / "pipe")
    (tmp_path / "outside").write_bytes(b"secret")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "nowhere").symlink_to("missing")
    with contents_of(root) as contents:
        assert paths(contents) == ["s/", "s/a"]
        path, text = contents.note()
    assert path == "s/LEFT-OUT.txt"
    for name in ("s/pipe: ", "s/out: ", "s/nowhere: "):
        assert name in text.decode()


def test_links_inside_are_files_and_links_to_folders_are_not_entered(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", a=b"hello", b__x=b"")
    (root / "link").symlink_to("a")
    (root / "b" / "loop").symlink_to("..")
    with contents_of(root) as contents:
        assert paths(contents) == ["s/", "s/a", "s/b/", "s/b/x", "s/link"]
        assert b"s/b/loop: " in contents.note()[1]


def test_a_link_to_a_folder_that_is_chosen_is_entered(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", b__x=b"")
    (root / "link").symlink_to("b")
    with contents_of(root, ["link"]) as contents:
        assert paths(contents) == ["s/link/", "s/link/x"]


def test_what_vanishes_before_its_turn_is_left_out_and_named(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", a=b"", b=b"")
    with contents_of(root) as contents:
        members = iter(contents)
        next(members), next(members)
        (root / "b").unlink()
        assert list(members) == []
        assert b"s/b: " in contents.note()[1]


def test_a_shared_folder_that_is_replaced_ends_it(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", a=b"", b=b"")
    with contents_of(root) as contents:
        members = iter(contents)
        next(members), next(members)
        root.rename(tmp_path / "old")
        tree(tmp_path / "s", a=b"", b=b"not this one")
        with pytest.raises(FolderGone):
            list(members)


def test_the_note_takes_no_name_that_is_taken(tmp_path: Path) -> None:
    root = tree(tmp_path / "s")
    (root / "LEFT-OUT.txt").write_bytes(b"mine")
    (root / "LEFT-OUT (2).txt").write_bytes(b"mine, too")
    os.mkfifo(root / "pipe")
    with contents_of(root) as contents:
        list(contents)
        assert contents.note()[0] == "s/LEFT-OUT (3).txt"


def test_one_shared_file_is_all_there_is(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", a=b"", b=b"")
    with held(root, only="b") as shared:
        assert paths(Contents(shared, ())) == ["s/", "s/b"]


def test_a_folder_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    root = tree(tmp_path / "s")
    with contents_of(root, names=("missing",)) as contents, pytest.raises(FileMissing):
        list(contents)


def test_names_that_are_no_text_are_shown_by_their_bytes(tmp_path: Path) -> None:
    root = tree(tmp_path / "s")
    (root / os.fsdecode(b"caf\xe9 100%")).write_bytes(b"")
    (root / "café").write_bytes(b"")
    with contents_of(root) as contents:
        assert paths(contents) == ["s/", "s/café", "s/caf%E9 100%25"]
    assert shown_name("100%") == "100%"


def test_no_descriptor_is_left_open_when_it_is_broken_off(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", a__b__c=b"", d=b"")
    with contents_of(root) as contents:
        members = iter(contents)
        for _ in range(4):
            next(members)
        members.close()  # type: ignore[attr-defined]  # it is a generator
        opened = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd)]
    assert [path for path in opened if path.startswith(f"{root}/")] == []


def _is_open(fd: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{fd}")
