"""Files that were changed since they were looked at."""

from __future__ import annotations

import os
from pathlib import Path

from lanline.ui.plain.edits import Edits


def test_a_changed_file_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("one")
    edits = Edits([str(path)])
    assert edits.take() == []
    path.write_text("other")
    assert edits.take() == [str(path)]
    assert edits.take() == []


def test_a_file_of_the_same_size_that_is_put_in_its_place_is_a_change(tmp_path: Path) -> None:
    path, new = tmp_path / "a.py", tmp_path / "new"
    path.write_text("one")
    edits = Edits([str(path)])
    new.write_text("two")
    stamp = path.stat()
    os.utime(new, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    new.replace(path)
    assert edits.take() == [str(path)]


def test_a_file_that_is_away_for_a_moment_is_no_change_until_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("one")
    edits = Edits([str(path)])
    path.unlink()
    assert edits.take() == []
    path.write_text("three")
    assert edits.take() == [str(path)]


def test_files_that_are_added_keep_what_was_known_of_them(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("one")
    edits = Edits([str(path)])
    path.write_text("other")
    edits.add([str(path), str(tmp_path / "not-there.py")])
    assert edits.take() == [str(path)]
