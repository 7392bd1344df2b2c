"""State files are read without following links, and replaced whole."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lanline.errors import StateDamaged, StateNotSaved, StateUnsafe
from lanline.room.disk import (
    OTHERS_WRITE,
    check_facts,
    create_secret,
    read_secret,
    read_state,
    sweep_leftovers,
    write_atomic,
)


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_state(tmp_path / "x", max_bytes=10) is None


def test_what_was_written_is_read_and_only_the_owner_may(tmp_path: Path) -> None:
    write_atomic(tmp_path / "x", b"old")
    write_atomic(tmp_path / "x", b"new")
    assert read_state(tmp_path / "x", max_bytes=10) == b"new"
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["x"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"secret")
    (tmp_path / "x").symlink_to(tmp_path / "real")
    with pytest.raises(StateUnsafe, match="symbolic link"):
        read_state(tmp_path / "x", max_bytes=10)


def test_writing_replaces_a_link_and_not_its_target(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"mine")
    (tmp_path / "x").symlink_to(tmp_path / "real")
    write_atomic(tmp_path / "x", b"new")
    assert (tmp_path / "real").read_bytes() == b"mine"
    assert not (tmp_path / "x").is_symlink()


def test_a_fifo_is_refused_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x", 0o600)
    with pytest.raises(StateUnsafe, match="neither a file nor a folder"):
        read_state(tmp_path / "x", max_bytes=10)


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    write_atomic(tmp_path / "x", b"12345")
    assert read_state(tmp_path / "x", max_bytes=5) == b"12345"
    with pytest.raises(StateDamaged, match="5 bytes, limit 4 bytes"):
        read_state(tmp_path / "x", max_bytes=4)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o602, 0o620, 0o601])
def test_a_secret_that_others_can_reach_is_refused_with_the_mend(tmp_path: Path, mode: int) -> None:
    write_atomic(tmp_path / "a key", b"secret")
    (tmp_path / "a key").chmod(mode)
    with pytest.raises(StateUnsafe, match="others can read") as refused:
        read_secret(tmp_path / "a key")
    assert refused.value.advice == f"chmod 600 '{tmp_path}/a key'"


def test_what_others_may_read_but_not_write_is_good_enough_for_no_secret(tmp_path: Path) -> None:
    write_atomic(tmp_path / "x", b"1", mode=0o644)
    assert read_state(tmp_path / "x", max_bytes=9) == b"1"
    (tmp_path / "x").chmod(0o664)
    with pytest.raises(StateUnsafe, match="others can change"):
        read_state(tmp_path / "x", max_bytes=9)


def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    write_atomic(tmp_path / "x", b"1")
    facts = list((tmp_path / "x").stat())
    facts[stat.ST_UID] = os.geteuid() + 1
    with pytest.raises(StateUnsafe, match=f"belongs to user {os.geteuid() + 1}") as refused:
        check_facts(tmp_path / "x", os.stat_result(facts), forbidden_mode=OTHERS_WRITE)
    assert f"chown {os.geteuid()} {tmp_path}/x" in refused.value.advice


def test_a_secret_is_made_once_and_never_replaced(tmp_path: Path) -> None:
    create_secret(tmp_path / "x", b"first")
    with pytest.raises(StateUnsafe, match="exists already"):
        create_secret(tmp_path / "x", b"second")
    assert read_secret(tmp_path / "x") == b"first"
    assert os.listdir(tmp_path) == ["x"]


def test_a_secret_is_not_written_through_a_link_to_nowhere(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateUnsafe, match="exists already"):
        create_secret(tmp_path / "x", b"secret")
    assert not (tmp_path / "elsewhere").exists()


def test_a_secret_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        create_secret(tmp_path / "x", b"secret")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600


def test_a_write_that_fails_leaves_the_old_content_and_says_why(tmp_path: Path) -> None:
    with pytest.raises(StateNotSaved, match="No such file") as refused:
        write_atomic(tmp_path / "missing" / "x", b"1")
    assert "df -h" in refused.value.advice


def test_leftovers_of_a_crash_are_swept_and_nothing_else(tmp_path: Path) -> None:
    for name in (".roster.0123.tmp", "roster", "x.tmp", ".hidden"):
        (tmp_path / name).write_bytes(b"")
    assert sweep_leftovers(tmp_path) == 1
    assert sorted(os.listdir(tmp_path)) == [".hidden", "roster", "x.tmp"]
