"""Claims about links: those that stay inside are read through, nothing outside ever is, in every way of holding."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.beneath.holding import ALL, BY_DESCRIPTOR, MARKER, NO_OPENAT2, Hold, content

from lanline.beneath.folder import Folder
from lanline.beneath.openat2 import OpenAt2
from lanline.beneath.walk import Walk
from lanline.errors import FileError, FileMissing, LeadsOutside


@pytest.fixture
def tree(shared: Path) -> Path:
    """A folder with a file at `a/b/file`."""
    (shared / "a" / "b").mkdir(parents=True)
    (shared / "a" / "b" / "file").write_bytes(b"inside")
    return shared


@pytest.mark.parametrize(
    ("where", "target", "asked"),
    [
        ("link", "a/b/file", ("link",)),
        ("link", "a/b", ("link", "file")),
        ("link", "./a//b/.", ("link", "file")),
        ("link", "a/b/", ("link", "file")),
        ("a/b/up", "..", ("a", "b", "up", "b", "file")),
        ("a/b/up", "../..", ("a", "b", "up", "a", "b", "file")),
        ("a/b/up", "../../a/b/file", ("a", "b", "up")),
        ("a/up", "../a/../a/b", ("a", "up", "file")),
        ("here", ".", ("here", "here", "a", "b", "file")),
    ],
)
def test_a_link_that_stays_inside_is_read_through(
    folder: Folder, tree: Path, where: str, target: str, asked: tuple[str, ...]
) -> None:
    (tree / where).symlink_to(target)
    assert content(folder, *asked) == b"inside"


@pytest.mark.parametrize(
    ("target", "below"),
    [
        ("../marker", ()),
        ("../outside", ("marker",)),
        ("..", ("marker",)),
        ("../..", ("etc",)),
        ("a/../../marker", ()),
        ("a/b/../../../outside/marker", ()),
        ("/", ("etc", "passwd")),
        ("/etc/passwd", ()),
        ("out2", ()),
        ("a/out3", ()),
    ],
)
def test_a_link_that_leads_outside_is_not_followed(
    folder: Folder, tree: Path, target: str, below: tuple[str, ...]
) -> None:
    (tree / "out2").symlink_to("../marker")
    (tree / "a" / "out3").symlink_to("../../marker")
    (tree / "link").symlink_to(target)
    with pytest.raises(LeadsOutside, match="out of the folder by a link"):
        folder.open(("link", *below))


@pytest.mark.parametrize("hold", BY_DESCRIPTOR)
@pytest.mark.parametrize("target", ["../shared/a/b/file", "{shared}/a/b/file"])
def test_a_link_that_leaves_and_comes_back_leads_outside(tree: Path, hold: Hold, target: str) -> None:
    (tree / "link").symlink_to(target.format(shared=tree))
    with Folder(tree, way=hold) as folder, pytest.raises(LeadsOutside, match="out of the folder"):
        folder.open(("link",))


@pytest.mark.parametrize("hold", BY_DESCRIPTOR)
def test_forty_links_are_followed_and_no_more(tree: Path, hold: Hold) -> None:
    (tree / "l1").symlink_to("a/b/file")
    for number in range(2, 42):
        (tree / f"l{number}").symlink_to(f"l{number - 1}")
    with Folder(tree, way=hold) as folder:
        assert content(folder, "l40") == b"inside"
        with pytest.raises(FileMissing, match="links"):
            folder.open(("l41",))


def test_a_circle_of_links_leads_nowhere(folder: Folder, tree: Path) -> None:
    (tree / "x").symlink_to("y")
    (tree / "y").symlink_to("a/../x")
    with pytest.raises(FileMissing, match="links"):
        folder.open(("x",))
    with pytest.raises(FileMissing, match="links"):
        folder.open(("x", "file"))


def test_a_link_to_a_file_with_a_slash_behind_leads_nowhere(folder: Folder, tree: Path) -> None:
    (tree / "link").symlink_to("a/b/file/")
    with pytest.raises(FileMissing, match="there is no link"):
        folder.open(("link",))


def test_with_follow_links_lead_anywhere_and_names_still_do_not(tree: Path, hold: Hold) -> None:
    (tree / "up").symlink_to("..")
    (tree / "far").symlink_to(tree.parent / "outside")
    with Folder(tree, follows_links=True, way=hold) as folder:
        assert content(folder, "up", "marker") == MARKER
        assert content(folder, "far", "marker") == MARKER
        assert [entry.name for entry in folder.entries(("far",))] == ["marker"]
        with pytest.raises(FileError, match="is refused"):
            folder.open(("..", "marker"))


@pytest.mark.parametrize("follows_links", [False, True])
def test_what_a_folder_is_without_is_reached_by_no_link(tree: Path, hold: Hold, follows_links: bool) -> None:
    (tree / "a" / "b" / "deep").mkdir()
    (tree / "a" / "bc").write_bytes(b"beside")
    for name, target in (("to", "a/b"), ("into", "a/b/deep"), ("file", "a/b/file"), ("above", "a")):
        (tree / name).symlink_to(target)
    without = [f"{tree}/above/b", f"{tree}/later", f"{tree.parent}"]
    with Folder(tree, follows_links=follows_links, without=without, way=hold) as folder:
        for names in (("to",), ("into",), ("file",), ("to", "file"), ("above", "b", "deep"), ("a", "b", "file")):
            with pytest.raises(LeadsOutside):
                folder.open(names)
        assert [entry.name for entry in folder.entries()] == ["a", "above"]
        assert content(folder, "above", "bc") == b"beside"
        assert "b/file" not in {"/".join(names[1:]) for names, _ in folder.walk()}
        (tree / "later").mkdir()
        with pytest.raises(LeadsOutside):
            folder.open(("later",))


@pytest.mark.parametrize("follows_links", [False, True])
def test_nothing_is_written_or_removed_through_a_link(tree: Path, hold: Hold, follows_links: bool) -> None:
    (tree / "inner").symlink_to("a")
    (tree / "outer").symlink_to("../outside")
    with Folder(tree, follows_links=follows_links, way=hold) as folder:
        for link in ("inner", "outer"):
            calls: list[Callable[[], object]] = [
                lambda link=link: folder.draft((link,)),  # type: ignore[misc]
                lambda link=link: folder.make_folder((link, "new")),  # type: ignore[misc]
                lambda link=link: folder.make_folder((link, "new", "er"), makes_parents=True),  # type: ignore[misc]
                lambda link=link: folder.remove((link, "marker")),  # type: ignore[misc]
                lambda link=link: folder.remove((link, "b")),  # type: ignore[misc]
            ]
            for call in calls:
                with pytest.raises(LeadsOutside, match="nothing is written through links"):
                    call()
    assert os.listdir(tree.parent / "outside") == ["marker"]
    assert os.listdir(tree / "a") == ["b"]


def test_removing_a_link_leaves_what_it_leads_to(folder: Folder, tree: Path) -> None:
    for name, target in (("file", "a/b/file"), ("folder", "a"), ("out", "../outside"), ("nowhere", "x")):
        (tree / name).symlink_to(target)
        folder.remove((name,))
    assert sorted(os.listdir(tree)) == ["a"]
    assert (tree.parent / "outside" / "marker").read_bytes() == MARKER


NAME = some.sampled_from(["a", "b", "c", "marker", "outside", "shared"])
STEP = some.one_of(NAME, some.just(".."), some.just("."), some.just(""))
TARGET = some.lists(STEP, min_size=1, max_size=6).map("/".join).filter(bool)
PLACES = ["a", "b", "c", "d/a", "d/b", "d/e/a", "d/e/b", "d/e/c"]


@pytest.mark.parametrize("hold", ALL)
@given(
    links=some.dictionaries(some.sampled_from(PLACES), TARGET, min_size=1, max_size=8),
    asked=some.lists(some.lists(some.one_of(NAME, some.sampled_from(["d", "e"])), min_size=1, max_size=5), max_size=8),
)
@settings(max_examples=60)
def test_no_tangle_of_links_leads_to_the_marker(
    hold: Hold, tmp_path_factory: pytest.TempPathFactory, links: dict[str, str], asked: list[list[str]]
) -> None:
    ground = tmp_path_factory.mktemp("g")
    shared = _tangled(ground, links)
    with Folder(shared, way=hold) as folder:
        for names in [*asked, *(place.split("/") for place in links)]:
            outcome = _outcome(folder, tuple(names))
            assert outcome != MARKER
            for _entry in folder.entries(("d", "e")):
                assert MARKER not in (_outcome(folder, ("d", "e", _entry.name)),)


def _tangled(ground: Path, links: dict[str, str]) -> Path:
    shared = ground / "shared"
    (shared / "d" / "e").mkdir(parents=True)
    (ground / "outside").mkdir()
    for path in (ground / "marker", ground / "outside" / "marker"):
        path.write_bytes(MARKER)
    (shared / "d" / "file").write_bytes(b"inside")
    for place, target in links.items():
        (shared / place).symlink_to(target)
    return shared


def _outcome(folder: Folder, names: tuple[str, ...]) -> bytes | type[FileError]:
    try:
        with folder.open(names) as opened:
            return b"a folder" + str(opened.status.st_ino).encode() if opened.is_folder else os.read(opened.fd, 100)
    except FileError as error:
        return type(error)


@given(
    links=some.dictionaries(some.sampled_from(PLACES), TARGET, min_size=1, max_size=8),
    asked=some.lists(some.lists(some.one_of(NAME, some.sampled_from(["d", "e", "file"])), min_size=1, max_size=5)),
)
@settings(max_examples=100)
@NO_OPENAT2
def test_both_ways_come_to_the_same_in_every_tangle(
    tmp_path_factory: pytest.TempPathFactory, links: dict[str, str], asked: list[list[str]]
) -> None:
    shared = _tangled(tmp_path_factory.mktemp("g"), links)
    with Folder(shared, way=OpenAt2) as one, Folder(shared, way=Walk) as other:
        for names in [*asked, *(place.split("/") for place in links)]:
            assert _outcome(one, tuple(names)) == _outcome(other, tuple(names)), names
        assert one.entries() == other.entries()
        assert one.entries(("d", "e")).left_out == other.entries(("d", "e")).left_out
