"""Claims about holding a folder by its path, beyond the suite of all ways."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lanline.beneath.resolving import Resolving
from lanline.beneath.ways import Links


def test_a_folder_whose_name_begins_like_the_held_one_is_outside(shared: Path) -> None:
    neighbour = shared.with_name("shared2")
    neighbour.mkdir()
    (neighbour / "file").write_bytes(b"x")
    (shared / "link").symlink_to("../shared2/file")
    with pytest.raises(OSError) as caught:
        Resolving(str(shared)).open(("link",), Links.INSIDE)
    assert caught.value.errno == errno.EXDEV


def test_whether_something_is_there_outside_is_not_told(shared: Path) -> None:
    (shared / "there").symlink_to("../marker")
    (shared / "not there").symlink_to("../nothing")
    way = Resolving(str(shared))
    for name in ("there", "not there"):
        with pytest.raises(OSError) as caught:
            way.open((name,), Links.INSIDE)
        assert caught.value.errno == errno.EXDEV


def test_a_folder_has_a_path_in_place_of_a_descriptor(shared: Path) -> None:
    (shared / "a").mkdir()
    opened = Resolving(str(shared)).open(("a",), Links.INSIDE)
    assert (opened.fd, opened.listed) == (-1, str(shared / "a"))
