"""Claims about races: while another thread swaps what the names lead to, nothing outside is ever opened or changed.

Only the ways that hold the folder by a descriptor promise this. The counts are bounded; which side wins each time is
left to the machine, and the claims hold whichever it is.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.beneath.holding import BY_DESCRIPTOR, MARKER, Hold

from lanline.beneath.folder import Folder
from lanline.errors import FileError, FileMissing, LeadsOutside, NotAFile, ParentMissing

ROUNDS = 400


@contextmanager
def swapping(one: Path, other: Path) -> Iterator[None]:
    """Exchanges two names again and again, in a thread, for as long as the block runs."""
    spare = one.with_name("spare")
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            one.rename(spare)
            other.rename(one)
            spare.rename(other)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.fixture(params=BY_DESCRIPTOR)
def racing(request: pytest.FixtureRequest, shared: Path) -> Iterator[Folder]:
    """A held folder with `a/marker`, a harmless file, and `bad`, a link to the folder outside."""
    hold: Hold = request.param
    (shared / "a" / "deep").mkdir(parents=True)
    (shared / "a" / "marker").write_bytes(b"harmless")
    (shared / "a" / "deep" / "marker").write_bytes(b"harmless")
    (shared / "bad").symlink_to("../outside")
    with Folder(shared, way=hold) as folder:
        yield folder


def test_a_folder_swapped_for_a_link_never_shows_what_is_outside(racing: Folder, shared: Path) -> None:
    outcomes = set()
    with swapping(shared / "a", shared / "bad"):
        for _ in range(ROUNDS):
            try:
                with racing.open(("a", "marker")) as opened:
                    outcomes.add(os.read(opened.fd, 100))
            except (LeadsOutside, FileMissing) as error:
                outcomes.add(type(error).__name__.encode())
    assert MARKER not in outcomes
    assert outcomes <= {b"harmless", b"LeadsOutside", b"FileMissing"}


def test_a_link_whose_target_is_swapped_never_shows_what_is_outside(racing: Folder, shared: Path) -> None:
    (shared / "link").symlink_to("a/deep/../marker")
    outcomes = set()
    with swapping(shared / "a", shared / "bad"):
        for _ in range(ROUNDS):
            try:
                with racing.open(("link",)) as opened:
                    outcomes.add(os.read(opened.fd, 100))
            except FileError as error:
                outcomes.add(type(error).__name__.encode())
    assert MARKER not in outcomes


def test_a_folder_moved_away_under_a_link_takes_nobody_along(racing: Folder, shared: Path) -> None:
    # `..` of the link would be the folder outside once `deep` stands there.
    (shared / "link").symlink_to("a/deep/../marker")
    (shared.parent / "outside" / "spot").mkdir()
    outcomes = set()
    with swapping(shared / "a" / "deep", shared.parent / "outside" / "spot"):
        for _ in range(ROUNDS):
            try:
                with racing.open(("link",)) as opened:
                    outcomes.add(os.read(opened.fd, 100))
            except FileError as error:
                outcomes.add(type(error).__name__.encode())
    assert MARKER not in outcomes


def test_nothing_is_written_or_removed_outside_while_a_folder_is_swapped(racing: Folder, shared: Path) -> None:
    outside = shared.parent / "outside"
    acts: list[Callable[[], object]] = [
        lambda: racing.remove(("a", "marker")),
        lambda: racing.make_folder(("a", "new")),
        lambda: _upload(racing),
        lambda: racing.entries(("a",)),
    ]
    with swapping(shared / "a", shared / "bad"):
        for number in range(ROUNDS):
            with suppress(FileError):
                acts[number % len(acts)]()
    assert os.listdir(outside) == ["marker"]
    assert (outside / "marker").read_bytes() == MARKER


def _upload(folder: Folder) -> None:
    with folder.draft(("a",)) as draft:
        draft.write(b"x", 0)
        draft.commit("uploaded", replaces=True, syncs=False)


def test_a_listing_never_shows_what_is_outside(racing: Folder, shared: Path) -> None:
    (shared.parent / "outside" / "secret name").write_bytes(MARKER)
    seen = set()
    with swapping(shared / "a", shared / "bad"):
        for _ in range(ROUNDS):
            with suppress(LeadsOutside, FileMissing, NotAFile, ParentMissing):
                seen |= {entry.name for entry in racing.entries(("a",))}
            seen |= {names[-1] for names, _ in racing.walk()}
    assert "secret name" not in seen
