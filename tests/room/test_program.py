"""Which file a program's name means, and who could have put it there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lanline.room.program import find_program, who_else_can_change


def _program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_bare_name_is_looked_for_in_the_search_path_in_order(tmp_path: Path) -> None:
    second = _program(tmp_path / "b" / "tool")
    assert find_program("tool", f"{tmp_path}/a:{tmp_path}/b").path == str(second)
    first = _program(tmp_path / "a" / "tool")
    assert find_program("tool", f"{tmp_path}/a:{tmp_path}/b").path == str(first)


def test_the_nodes_own_path_is_the_default() -> None:
    found = find_program("sh").path
    assert os.path.basename(found) == "sh"
    assert os.path.samefile(found, shutil.which("sh") or "")


def test_relative_folders_in_the_search_path_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path / "tool")
    monkeypatch.chdir(tmp_path)
    for search_path in ("", ".", ":", "./"):
        assert "there is no program 'tool'" in find_program("tool", search_path).fault


@pytest.mark.parametrize("name", ["./tool", "../tool", "a/tool", "~/tool"])
def test_a_relative_path_is_refused(name: str) -> None:
    assert "relative" in find_program(name).fault


@pytest.mark.parametrize("name", ["", "a\0b", "/", "/tmp/", "/nowhere/tool", "..", "/usr/bin/..", "x" * 9000, "\ud800"])
def test_what_is_no_program_is_said(name: str) -> None:
    found = find_program(name)
    assert found.fault
    assert not found.path


def test_a_file_that_may_not_be_executed_is_no_program(tmp_path: Path) -> None:
    _program(tmp_path / "tool").chmod(0o644)
    assert find_program(str(tmp_path / "tool")).fault


def test_folders_are_followed_and_the_last_step_is_kept(tmp_path: Path) -> None:
    real = _program(tmp_path / "usr" / "busybox")
    (tmp_path / "bin").symlink_to("usr")
    (tmp_path / "usr" / "df").symlink_to("busybox")
    assert find_program(f"{tmp_path}/bin/df").path == str(real.with_name("df"))
    assert find_program(f"{tmp_path}/bin/busybox").path == str(real)


def test_a_program_of_the_system_can_be_changed_by_root_only() -> None:
    assert who_else_can_change(find_program("sh").path, owner=12345) == ""


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_a_program_that_others_can_write_is_named(tmp_path: Path, mode: int) -> None:
    tool = _program(tmp_path / "tool")
    assert who_else_can_change(str(tool), owner=os.geteuid()) == ""
    tool.chmod(mode)
    assert who_else_can_change(str(tool), owner=os.geteuid()) == f"others can write {tool}: its mode is {mode:04o}"


def test_a_folder_on_the_way_that_others_can_write_is_named(tmp_path: Path) -> None:
    tool = _program(tmp_path / "open" / "deep" / "tool")
    (tmp_path / "open").chmod(0o777)
    assert f"others can write {tmp_path}/open:" in who_else_can_change(str(tool), owner=os.geteuid())


def test_a_shared_folder_with_the_sticky_bit_is_good_enough(tmp_path: Path) -> None:
    tool = _program(tmp_path / "shared" / "tool")
    (tmp_path / "shared").chmod(0o1777)
    assert who_else_can_change(str(tool), owner=os.geteuid()) == ""


def test_the_target_of_a_link_is_looked_at_too(tmp_path: Path) -> None:
    tool = _program(tmp_path / "open" / "tool")
    (tmp_path / "open").chmod(0o777)
    for name, target in (("absolute", str(tool)), ("relative", "./x/../open/tool")):
        (tmp_path / "x").mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(target)
        assert f"{tmp_path}/open:" in who_else_can_change(str(tmp_path / name), owner=os.geteuid())


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "more than 40 links" in who_else_can_change(str(tmp_path / "a"), owner=os.geteuid())


def test_what_is_gone_meanwhile_is_said(tmp_path: Path) -> None:
    assert "cannot be looked at" in who_else_can_change(str(tmp_path / "gone"), owner=os.geteuid())


def test_a_program_of_another_user_is_named(tmp_path: Path) -> None:
    tool = _program(tmp_path / "tool")
    if os.geteuid() == 0:
        os.chown(tool, 12345, -1)
        assert who_else_can_change(str(tool), owner=0) == f"{tool} belongs to user 12345"
    else:
        # Without the right to give a file away: it is the node that is somebody else.
        assert f"belongs to user {os.geteuid()}" in who_else_can_change(str(tool), owner=os.geteuid() + 1)
