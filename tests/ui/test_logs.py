"""Claims about a node's log."""

from __future__ import annotations

import logging
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanline.ui import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Puts the logging of this process back."""
    root, own = logging.getLogger(), logging.getLogger("lanline")
    before = root.handlers[:], root.level, own.level, logging.raiseExceptions
    yield
    for handler in set(root.handlers) - set(before[0]):
        handler.close()
    root.handlers[:], _, _, logging.raiseExceptions = before
    root.setLevel(before[1])
    own.setLevel(before[2])
    logging.captureWarnings(False)


def test_lines_go_to_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    logs.log_to_file(path)
    logging.getLogger("lanline.room").info("%s has joined", "pc7")
    logging.getLogger("asyncio").info("not ours, and no warning")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} INFO    pc7 has joined\n", path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_peer_can_neither_move_the_cursor_nor_forge_a_line(tmp_path: Path) -> None:
    logs.log_to_file(tmp_path / "node.log")
    logging.getLogger("lanline.room").info("from %s", "pc7\x1b[2J\n2026-01-01 INFO pc8 has joined\u202e")
    text = (tmp_path / "node.log").read_text()
    assert text.count("\n") == 1
    assert r"pc7\x1b[2J\n2026" in text
    assert r"\u202e" in text


def test_a_traceback_stands_indented_below_its_line(tmp_path: Path) -> None:
    logs.log_to_file(tmp_path / "node.log")
    try:
        raise ValueError("bad \x1b[2J\n2026 forged")
    except ValueError:
        logging.getLogger("lanline.link").exception("echo.say failed")
    first, *rest = (tmp_path / "node.log").read_text().splitlines()
    assert first.endswith("ERROR   echo.say failed")
    assert rest
    assert all(line.startswith("    ") for line in rest)
    assert "\x1b" not in "".join(rest)


def test_the_file_is_rotated_and_the_oldest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOG_BYTES", 200)
    logs.log_to_file(tmp_path / "node.log")
    for number in range(200):
        logging.getLogger("lanline.room").info("line %d", number)
    files = list(tmp_path.iterdir())
    assert len(files) == logs.LOG_PIECES
    assert all(path.stat().st_size <= 200 for path in files)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert "line 199" in (tmp_path / "node.log").read_text()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "node.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"node\.log"):
        logs.log_to_file(tmp_path / "node.log")
    assert not (tmp_path / "elsewhere").exists()


def test_in_front_lines_have_the_time_of_day(capfd: pytest.CaptureFixture[str]) -> None:
    logs.log_to_terminal()
    logging.getLogger("lanline.room").warning("the hub %s is away", "desk")
    assert re.fullmatch(r"\d\d:\d\d:\d\d WARNING the hub desk is away\n", capfd.readouterr().err)
