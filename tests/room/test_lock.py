"""One running node per state folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lanline.errors import NodeAlreadyRunning, StateNotSaved, StateUnsafe
from lanline.room.lock import NodeLock, is_held_by, is_locked, last_holder


def test_a_second_node_is_refused_and_told_who_runs(tmp_path: Path) -> None:
    with NodeLock(tmp_path / "node.lock"), pytest.raises(NodeAlreadyRunning, match=f"process {os.getpid()}"):
        NodeLock(tmp_path / "node.lock")


def test_a_released_lock_can_be_had_again(tmp_path: Path) -> None:
    lock = NodeLock(tmp_path / "node.lock")
    lock.release()
    lock.release()
    with NodeLock(tmp_path / "node.lock") as again:
        assert "held" in repr(again)
    assert "released" in repr(again)


def test_whether_it_is_held_can_be_asked(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "node.lock")
    assert last_holder(tmp_path / "node.lock") == 0
    with NodeLock(tmp_path / "node.lock"):
        assert is_locked(tmp_path / "node.lock")
        assert last_holder(tmp_path / "node.lock") == os.getpid()
    assert not is_locked(tmp_path / "node.lock")


def test_a_killed_node_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib\nfrom lanline.room.lock import NodeLock\n"
        "lock = NodeLock(pathlib.Path(sys.argv[1]))\nprint(os.getpid(), flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "node.lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        pid = child.stdout.readline().strip()
        with pytest.raises(NodeAlreadyRunning, match=f"process {pid}"):
            NodeLock(tmp_path / "node.lock")
        child.kill()
        child.wait()
        NodeLock(tmp_path / "node.lock").release()


def test_a_program_the_node_starts_does_not_hold_the_lock(tmp_path: Path) -> None:
    lock = NodeLock(tmp_path / "node.lock")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False) as child:
        lock.release()
        NodeLock(tmp_path / "node.lock").release()
        assert child.poll() is None
        assert child.stdin is not None
        child.stdin.close()


def test_a_link_in_the_locks_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "node.lock").symlink_to(tmp_path / "other")
    with pytest.raises(StateUnsafe, match="symbolic link"):
        NodeLock(tmp_path / "node.lock")


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(StateNotSaved, match="cannot be made"):
        NodeLock(tmp_path / "none" / "node.lock")


def test_who_holds_it_is_seen_by_the_file_it_has_open(tmp_path: Path) -> None:
    path = tmp_path / "node.lock"
    assert not is_held_by(path, os.getpid())
    with NodeLock(path):
        assert is_held_by(path, os.getpid())
        assert not is_held_by(path, os.getppid())
        assert not is_held_by(path, 2**22 + 1), "there is no such process"
    assert not is_held_by(path, os.getpid())
