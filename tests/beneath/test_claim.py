"""Claims about taking a name: each way takes a free one, none takes it from anybody, and one of two wins."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lanline.beneath.claim import WAYS, by_linking, by_placeholder, by_renaming, claim
from lanline.beneath.place import Place

Claim = Callable[[Place, str, str], None]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """An open empty folder."""
    found = Place(os.open(tmp_path, os.O_RDONLY))
    yield found
    found.close()


@pytest.mark.parametrize("way", [*WAYS, claim])
def test_a_free_name_is_taken(way: Claim, place: Place, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"x")
    way(place, "old", "new")
    assert os.listdir(tmp_path) == ["new"]
    assert (tmp_path / "new").read_bytes() == b"x"


@pytest.mark.parametrize("way", [*WAYS, claim])
def test_a_name_in_use_is_left_alone(way: Claim, place: Place, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"x")
    (tmp_path / "file").write_bytes(b"theirs")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nothing")
    for name in ("file", "folder", "link"):
        with pytest.raises(FileExistsError):
            way(place, "old", name)
    assert (tmp_path / "file").read_bytes() == b"theirs"
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "link", "old"]


@pytest.mark.parametrize("way", [*WAYS, claim])
def test_of_many_at_once_exactly_one_gets_the_name(way: Claim, place: Place, tmp_path: Path) -> None:
    count, wins = 8, []
    start = threading.Barrier(count)
    for number in range(count):
        (tmp_path / f"old{number}").write_bytes(str(number).encode())

    def take(number: int) -> None:
        start.wait()
        try:
            way(place, f"old{number}", "new")
        except FileExistsError:
            return
        wins.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    assert (tmp_path / "new").read_bytes() == str(wins[0]).encode()
    assert len(os.listdir(tmp_path)) == count


def test_the_next_way_is_taken_where_one_does_not_work(tmp_path: Path) -> None:
    # A place without a descriptor has no renameat2, as a system without it.
    place = Place(path=str(tmp_path))
    (tmp_path / "old").write_bytes(b"x")
    with pytest.raises(OSError) as caught:
        by_renaming(place, "old", "new")
    assert caught.value.errno == errno.ENOSYS
    claim(place, "old", "new")
    assert os.listdir(tmp_path) == ["new"]


@pytest.mark.parametrize("way", [by_linking, by_placeholder])
def test_the_ways_of_old_systems_work_by_path_too(way: Claim, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"x")
    way(Place(path=str(tmp_path)), "old", "new")
    assert os.listdir(tmp_path) == ["new"]


def test_a_failure_that_no_other_way_would_mend_is_told(place: Place) -> None:
    with pytest.raises(FileNotFoundError):
        claim(place, "nothing", "new")


@pytest.mark.parametrize("way", WAYS)
def test_a_draft_that_was_taken_away_leaves_nothing_under_the_name(way: Claim, place: Place, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        way(place, "old", "new")
    assert os.listdir(tmp_path) == []
