"""A process that dies at any step of a state write leaves the old content or the new one, whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lanline.room.disk import read_secret, read_state, sweep_leftovers

DYING = """
import json, os, pathlib, sys
from lanline.room import disk

path, what, die_at = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
steps = []


def dying(name):
    real = getattr(os, name)

    def step(*args, **kwargs):
        # Before this step, or in its middle where it has one: half of a write reaches the disk.
        steps.append(name)
        if len(steps) == die_at:
            if name == "write":
                real(args[0], bytes(args[1])[: len(args[1]) // 2])
            os._exit(9)
        return real(*args, **kwargs)

    return step


for name in ("open", "write", "fsync", "close", "replace", "link", "unlink"):
    setattr(os, name, dying(name))
if what == "replace":
    disk.write_atomic(path, b"new" * 1000)
else:
    disk.create_secret(path, b"new" * 1000)
os.write(1, json.dumps(steps).encode())
"""

OLD, NEW = b"old" * 1000, b"new" * 1000


def _run(path: Path, what: str, die_at: int) -> list[str]:
    """The steps of a write that was let live; nothing where it died."""
    done = subprocess.run(
        [sys.executable, "-c", DYING, path, what, str(die_at)], capture_output=True, timeout=15, check=False
    )
    assert done.returncode in (0, 9), done.stderr.decode()
    return list(json.loads(done.stdout)) if done.returncode == 0 else []


def _steps(path: Path, what: str) -> list[str]:
    steps = _run(path, what, 0)
    path.unlink()
    return steps[:-1]  # the last is the test's own answer


@pytest.mark.slow  # a process for each step
def test_a_replacement_is_old_or_new_whatever_step_dies(tmp_path: Path) -> None:
    path = tmp_path / "roster"
    steps = _steps(path, "replace")
    assert steps.index("fsync") < steps.index("replace") < len(steps) - 1 - steps[::-1].index("fsync")
    seen = set()
    for die_at in range(1, len(steps) + 1):
        path.write_bytes(OLD)
        path.chmod(0o600)
        _run(path, "replace", die_at)
        content = read_state(path, max_bytes=10_000)
        assert content == (OLD if die_at <= steps.index("replace") + 1 else NEW), steps[die_at - 1]
        seen.add(content)
        sweep_leftovers(tmp_path)
        assert os.listdir(tmp_path) == ["roster"]
    assert seen == {OLD, NEW}


@pytest.mark.slow  # a process for each step
def test_a_new_secret_is_whole_or_absent_whatever_step_dies(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    steps = _steps(path, "create")
    assert "link" in steps
    seen = set()
    for die_at in range(1, len(steps) + 1):
        _run(path, "create", die_at)
        content = read_secret(path)
        assert content in (None, NEW), steps[die_at - 1]
        seen.add(content)
        sweep_leftovers(tmp_path)
        path.unlink(missing_ok=True)
        assert os.listdir(tmp_path) == []
    assert seen == {None, NEW}
