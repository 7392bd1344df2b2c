"""Claims about a secret or a code in a file of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from lanline.errors import StateUnsafe, UsageError
from lanline.room.firstline import read_line_of


def test_a_file_is_read_to_the_end_of_its_first_line(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes("öffne dich \r\nrest\n".encode())
    file.chmod(0o600)
    assert read_line_of(str(file), what="passphrase", is_secret=True) == "öffne dich "


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "first line is empty"),
        (b"\nx", "first line is empty"),
        (b"\xff\n", "no UTF-8"),
        (b"x" * 5000, "4096 bytes"),
    ],
)
def test_a_file_that_holds_none_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "f"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=says):
        read_line_of(str(file), what="code")


def test_a_secret_in_a_file_for_all_is_refused_and_a_code_is_not(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("K7-QM4T-9XWB\n")
    file.chmod(0o644)
    assert read_line_of(str(file), what="code")
    with pytest.raises(StateUnsafe, match="others can read"):
        read_line_of(str(file), what="passphrase", is_secret=True)
    with pytest.raises(UsageError, match="No such file"):
        read_line_of(str(tmp_path / "missing"), what="code")
