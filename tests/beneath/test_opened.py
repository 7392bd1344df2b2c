"""Claims about what was opened: it stays what it was, and its descriptor has one owner."""

from __future__ import annotations

import os
from pathlib import Path

from lanline.beneath.opened import Opened


def _open(path: Path) -> Opened:
    fd = os.open(path, os.O_RDONLY)
    return Opened(fd, os.fstat(fd))


def test_it_is_closed_once(tmp_path: Path) -> None:
    with _open(tmp_path) as opened:
        fd = opened.fd
        assert opened.is_folder
        assert opened.listed == fd
    assert opened.fd == -1
    again = os.open(tmp_path, os.O_RDONLY)
    assert again == fd
    opened.close()
    os.fstat(again)
    os.close(again)


def test_it_stays_what_was_opened_whatever_becomes_of_the_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"first")
    with _open(tmp_path / "a") as opened:
        (tmp_path / "a").unlink()
        (tmp_path / "a").write_bytes(b"another")
        assert repr(opened) == f"Opened(fd={opened.fd}, file)"
        assert opened.status.st_size == 5
        assert os.read(opened.fd, 9) == b"first"
