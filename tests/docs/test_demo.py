"""Claims about `make demo`: it walks to its end, says the truth in its exit code, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.rules.source import ROOT

DEMO = ROOT / "scripts" / "demo.sh"


@pytest.fixture
def settings(tmp_path: Path) -> Mapping[str, str]:
    """An environment in which `lanline` is this checkout's."""
    command = tmp_path / "lanline"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m lanline "$@"\n')
    command.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    return {"PATH": path, "PYTHONPATH": str(ROOT / "src"), "HOME": str(tmp_path), "PYTHONUTF8": "1"}


def _left_behind() -> set[Path]:
    return set(Path("/tmp").glob("lldemo.*"))


@pytest.mark.slow
def test_it_shows_each_word_before_what_it_says(settings: Mapping[str, str]) -> None:
    before = _left_behind()
    done = subprocess.run(["bash", DEMO], env=settings, capture_output=True, text=True, timeout=19, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("init", "invite", "join", "who", "run", "members role", "audit verify", "status", "members remove"):
        assert f" $ lanline {word} " in done.stdout.replace("\n", " "), word
    assert "Traceback" not in done.stderr
    assert _left_behind() <= before


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_interrupted_it_cleans_up_and_says_so(settings: Mapping[str, str], number: signal.Signals) -> None:
    before = _left_behind()
    with subprocess.Popen(
        ["bash", DEMO],
        env=settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as demo:
        assert demo.stdout is not None
        while "pc2 is up" not in demo.stdout.readline():
            pass
        os.killpg(demo.pid, number)
        rest = demo.stdout.read()
    assert demo.returncode == 128 + number
    assert "its nodes are stopped" in rest
    assert _left_behind() <= before


def test_without_lanline_it_says_how_to_begin(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/bash", DEMO], env={"PATH": "/nowhere"}, capture_output=True, text=True, timeout=15, check=False
    )
    assert done.returncode == 1
    assert "make demo" in done.stderr
