"""Claims about the walk itself, below a held folder: what it answers with, and what it costs."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanline.beneath.walk import MAX_LINKS, open_by_walk
from lanline.beneath.ways import LIST, READ, Links


@pytest.fixture
def root(shared: Path) -> Iterator[int]:
    """A descriptor of the folder to walk in, which has a file at `a/b`."""
    (shared / "a").mkdir()
    (shared / "a" / "b").write_bytes(b"x")
    fd = os.open(shared, os.O_RDONLY)
    yield fd
    os.close(fd)


def _errno(root: int, names: tuple[str, ...], flags: int = READ, links: Links = Links.INSIDE) -> int:
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(OSError) as caught:
        open_by_walk(root, names, flags, links)
    assert len(os.listdir("/dev/fd")) == before
    return caught.value.errno or 0


def test_the_end_of_the_walk_is_open_and_nothing_else(root: int, shared: Path) -> None:
    (shared / "l").symlink_to("a/../a")
    for names, path in (((), ""), (("a",), "a"), (("a", "b"), "a/b"), (("l", "b"), "a/b"), (("l",), "a")):
        before = len(os.listdir("/dev/fd"))
        fd = open_by_walk(root, names, READ, Links.INSIDE)
        assert os.path.samestat(os.fstat(fd), (shared / path).stat())
        assert len(os.listdir("/dev/fd")) == before + 1
        os.close(fd)


def test_the_numbers_of_its_errors_are_those_of_the_kernel(root: int, shared: Path) -> None:
    (shared / "out").symlink_to("../marker")
    (shared / "in").symlink_to("a")
    assert _errno(root, ("x",)) == errno.ENOENT
    assert _errno(root, ("a", "b", "c")) == errno.ENOTDIR
    assert _errno(root, ("a", "b"), LIST) == errno.ENOTDIR
    assert _errno(root, ("out",)) == errno.EXDEV
    assert _errno(root, ("in",), READ, Links.NONE) == errno.ELOOP
    assert _errno(root, ("in", "b"), READ, Links.NONE) == errno.ELOOP
    assert MAX_LINKS == 40


def test_a_deep_path_takes_no_more_descriptors_than_a_short_one(root: int) -> None:
    depth = 60
    above = os.dup(root)
    for _ in range(depth):
        os.mkdir("d", dir_fd=above)
        below = os.open("d", os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below
    os.symlink("/".join([".."] * depth + ["a", "b"]), "back", dir_fd=above)
    os.close(above)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = os.open("/", os.O_RDONLY)
    os.close(highest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 4, hard))
    try:
        fd = open_by_walk(root, (*["d"] * depth, "back"), READ, Links.INSIDE)
        assert os.read(fd, 9) == b"x"
        os.close(fd)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
