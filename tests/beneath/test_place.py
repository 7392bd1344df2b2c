"""Claims about an open folder for changing: by descriptor and by path alike, and through no link."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanline.beneath.place import Place, sync


@pytest.fixture(params=["descriptor", "path"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An open empty folder."""
    found = Place(path=str(tmp_path)) if request.param == "path" else Place(os.open(tmp_path, os.O_RDONLY))
    yield found
    found.close()
    found.close()


def test_entries_are_made_renamed_and_removed(place: Place, tmp_path: Path) -> None:
    os.close(place.create("a"))
    place.make_folder("f")
    place.replace("a", "b")
    assert sorted(os.listdir(tmp_path)) == ["b", "f"]
    assert place.has("b")
    assert not place.has("a")
    place.remove_file("b")
    place.remove_folder("f")
    assert os.listdir(tmp_path) == []
    assert os.path.samestat(place.status(), tmp_path.stat())


def test_nothing_is_made_or_opened_through_a_link(place: Place, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    assert place.has("link")
    with pytest.raises(FileExistsError):
        place.create("link")
    with pytest.raises(OSError, match="symbolic links"):
        place.reopen("link")
    assert os.listdir(tmp_path) == ["link"]


@pytest.mark.timeout(120)  # waits for all that this disk still has to write, whoever wrote it
def test_what_is_written_can_be_waited_for(place: Place, tmp_path: Path) -> None:
    fd = place.create("a")
    os.write(fd, b"x")
    sync(fd)
    place.sync()
    place.sync_disk()
    assert os.pread(fd, 9, 0) == b"x"
    os.close(fd)


def test_what_knows_no_sync_is_left_alone() -> None:
    read, write = os.pipe()
    sync(write)
    os.close(read)
    os.close(write)
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync(write)
