"""What an archive says about itself."""

from __future__ import annotations

from lanline.services.share.archives.notes import Notes


def test_notes_are_false_until_something_is_noted() -> None:
    notes = Notes()
    assert not notes
    notes.add("photos/pipe", "it is neither a file nor a folder")
    assert notes
    assert "photos/pipe: it is neither a file nor a folder\n" in notes.text().decode()


def test_a_name_can_neither_begin_a_line_of_its_own_nor_move_a_cursor() -> None:
    notes = Notes()
    notes.add("a\nb: all is well\x1b[2J", "refused")
    assert notes.text().decode().splitlines()[-1] == r"a\nb: all is well\x1b[2J: refused"


def test_a_million_lines_are_counted_and_not_kept() -> None:
    notes = Notes()
    for number in range(5000):
        notes.add(f"pipe{number}", "no file")
    lines = notes.text().decode().splitlines()
    assert len(lines) < 1010
    assert lines[-1] == "and 4000 more"
