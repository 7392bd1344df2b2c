"""Control groups, where this process may make them (the kernel's own, none made up)."""

from __future__ import annotations

import os
import subprocess

import pytest
from tests.services.run.watching import child, python, watching

from lanline.services.run import cgroup


@pytest.fixture
def parent() -> str:
    """The folder in which this process can make groups."""
    folder = cgroup.own_group()
    if folder is None:
        pytest.skip("no cgroup v2 folder that this user may write")
    return folder


def test_looking_for_the_own_group_leaves_nothing(parent: str) -> None:
    assert os.path.exists(f"{parent}/cgroup.procs")
    assert not [name for name in os.listdir(parent) if name.endswith("-probe")]


def test_a_group_holds_what_was_moved_in_and_what_that_forks(parent: str) -> None:
    group = cgroup.make(parent, 1)
    assert group is not None
    with child("sh", "-c", "read go; sleep 60 & echo up; wait", stdin=subprocess.PIPE) as popen:
        assert popen.stdin is not None and popen.stdout is not None
        assert cgroup.move(group, popen.pid)
        popen.stdin.write(b"\n")
        popen.stdin.flush()
        assert popen.stdout.readline() == b"up\n"
        found = cgroup.processes(group)
        assert popen.pid in found
        assert len(found) == 2
        assert not cgroup.remove(group)
        with watching(found) as watch:
            assert cgroup.kill(group)
            popen.wait()
            assert watch.wait_gone() == set()
    assert cgroup.processes(group) == []
    assert cgroup.remove(group)


def test_a_group_made_inside_a_group_goes_with_it(parent: str) -> None:
    group = cgroup.make(parent, 1)
    assert group is not None
    os.mkdir(f"{group}/inner")
    with child("sleep", "60") as popen:
        assert cgroup.move(f"{group}/inner", popen.pid)
        assert cgroup.processes(group) == [popen.pid]
        assert cgroup.kill(group)
        popen.wait()
    assert cgroup.remove(group)
    assert not os.path.exists(group)


def test_a_group_that_another_job_still_lives_in_is_not_shared(parent: str) -> None:
    group = cgroup.make(parent, 1)
    assert group is not None
    with child("sleep", "60") as popen:
        assert cgroup.move(group, popen.pid)
        assert cgroup.make(parent, 1) is None
        assert cgroup.kill(group)
        popen.wait()
    assert cgroup.make(parent, 1) == group
    assert cgroup.remove(group)


def test_sweeping_removes_what_is_empty_and_nothing_else(parent: str) -> None:
    empty, full = cgroup.make(parent, 1), cgroup.make(parent, 2)
    assert empty is not None and full is not None
    with child("sleep", "60") as popen:
        assert cgroup.move(full, popen.pid)
        assert cgroup.sweep(parent) >= 1
        assert not os.path.exists(empty)
        assert os.path.exists(full)
        assert cgroup.kill(full)
        popen.wait()
    assert cgroup.remove(full)


def test_the_empty_group_of_another_living_node_is_let_be(parent: str) -> None:
    with child("sleep", "60") as other:
        group = f"{parent}/lanline-{other.pid}-1"
        os.mkdir(group)
        cgroup.sweep(parent)
        assert os.path.exists(group)
    cgroup.sweep(parent)
    assert not os.path.exists(group)


def test_what_is_not_there_is_answered_with_no() -> None:
    nowhere = "/sys/fs/cgroup/nowhere-at-all"
    assert cgroup.make(nowhere, 1) is None
    assert not cgroup.move(nowhere, 1)
    assert not cgroup.kill(nowhere)
    assert cgroup.remove(nowhere)
    assert cgroup.processes(nowhere) == []
    assert cgroup.sweep(nowhere) == 0


def test_a_user_without_rights_has_no_group() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become a user without rights")
    code = """
import os
from lanline.services.run import cgroup
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(cgroup.own_group())
"""
    done = subprocess.run(python(code), capture_output=True, text=True, timeout=15, check=True)
    assert done.stdout == "None\n"
