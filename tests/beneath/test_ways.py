"""Claims about taking hold of a folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from tests.beneath.holding import Hold

from lanline.beneath.ways import HOLD, READ, Links, hold


def test_every_way_says_what_it_holds(hold: Hold, shared: Path) -> None:
    way = hold(str(shared))
    assert os.path.samestat(way.status(), shared.stat())
    assert way.free_bytes() > 0
    place = way.place(())
    assert os.path.samestat(place.status(), shared.stat())
    place.close()
    way.close()
    way.close()


def test_a_folder_is_held_without_the_right_to_list_it() -> None:
    assert not sys.platform.startswith("linux") or HOLD & os.O_PATH
    assert READ & os.O_NONBLOCK


def test_only_a_folder_is_taken_hold_of(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        hold(str(tmp_path / "file"))
    with pytest.raises(FileNotFoundError):
        hold(str(tmp_path / "nothing"))
    assert [one.value for one in Links] == ["none", "inside", "all"]
