"""What tests/conftest.py promises for every test, seen on planted tests that break it.

pytest runs in a process of its own on one file outside of the project, with our conftest as a plugin.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.rules.source import ROOT


def _outcome(folder: Path, text: str, **environment: str) -> str:
    """What pytest prints about a planted test file."""
    (folder / "empty.ini").write_text("")
    planted = folder / "test_planted.py"
    planted.write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-c", str(folder / "empty.ini"), "--rootdir", str(folder), str(planted)],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_skip_fails_where_skips_are_forbidden(tmp_path: Path) -> None:
    text = "import pytest\ndef test_a():\n    pytest.skip('no sshd')\n"
    assert "1 skipped" in _outcome(tmp_path, text, LANLINE_NO_SKIPS="0")
    forbidden = _outcome(tmp_path, text, LANLINE_NO_SKIPS="1")
    assert "1 failed" in forbidden
    assert "no sshd" in forbidden


def test_a_file_that_skips_itself_fails_where_skips_are_forbidden(tmp_path: Path) -> None:
    text = "import pytest\npytest.importorskip('no_such_module')\ndef test_a(): assert True\n"
    assert "1 error" in _outcome(tmp_path, text, LANLINE_NO_SKIPS="1")


def test_a_test_that_leaves_a_process_behind_fails(tmp_path: Path) -> None:
    text = "import subprocess\nkept = []\ndef test_a():\n    kept.append(subprocess.Popen(['sleep', '60']))\n"
    assert "left behind: process" in _outcome(tmp_path, text)


def test_a_test_that_leaves_a_thread_behind_fails(tmp_path: Path) -> None:
    text = "from threading import *\ndef test_a():\n    Thread(target=Event().wait, daemon=True).start()\n"
    assert "left behind: thread" in _outcome(tmp_path, text)


def test_the_seed_is_printed_and_gives_the_same_run(tmp_path: Path) -> None:
    text = "import random\ndef test_a(seed):\n    assert random.random() == random.Random(7).random()\n"
    same = _outcome(tmp_path, text, LANLINE_SEED="7")
    assert "LANLINE_SEED=7" in same
    assert "1 passed" in same


def test_each_test_has_a_short_empty_home_of_its_own(home: Path) -> None:
    assert Path.home() == home
    assert not list(home.iterdir())
    assert len(str(home)) < 20
    assert Path(os.environ["LANLINE_HOME"]).parent == home
