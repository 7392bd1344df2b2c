"""What is read of processes is true, and what cannot be read is said."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.services.run.watching import child, python

from lanline.services.run import process


def test_a_process_is_read_as_it_is() -> None:
    now = process.read(os.getpid())
    assert now is not None
    assert (now.pid, now.parent, now.session) == (os.getpid(), os.getppid(), os.getsid(0))
    assert 0 < now.start_ticks <= process.now_ticks()
    assert not now.is_dead


def test_a_name_made_to_confuse_the_reader_does_not(tmp_path: Path) -> None:
    trap = tmp_path / "x) Z 1 1 (1"
    shutil.copy("/bin/sleep", trap)
    with child(str(trap), "60") as popen:
        now = process.read(popen.pid)
        assert now is not None
        assert (now.parent, now.is_dead) == (os.getpid(), False)


def test_an_exited_child_that_nobody_waited_for_is_dead() -> None:
    with child("true") as popen:
        os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
        now = process.read(popen.pid)
        assert now is not None
        assert now.is_dead


def test_a_process_whose_first_thread_ended_is_not_dead() -> None:
    code = """
import ctypes, threading
def stay():
    print("up", flush=True)
    sys.stdin.read()
threading.Thread(target=stay).start()
ctypes.CDLL(None).pthread_exit(None)
"""
    with child(*python(code), stdin=subprocess.PIPE) as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == b"up\n"
        state = ""
        while state != "Z":  # the first thread ends on its own, a moment after the second has begun
            state = Path(f"/proc/{popen.pid}/stat").read_text().rpartition(") ")[2][0]
        now = process.read(popen.pid)
        assert now is not None
        assert not now.is_dead


def test_a_pid_nobody_has_is_nobody() -> None:
    with child("true") as popen:
        popen.wait()
        assert process.read(popen.pid) is None
        assert process.mark_of(popen.pid) == 0


def test_the_mark_is_the_soft_limit() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_MSGQUEUE)
    assert process.mark_of(os.getpid()) == max(soft, 0)


def test_a_scan_without_descriptors_is_an_error_and_not_an_empty_answer() -> None:
    code = """
import os, resource
from lanline.services.run import process
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
try:
    list(process.read_all())
except OSError as error:
    os.write(1, str(error.errno).encode())
"""
    done = subprocess.run(python(code), capture_output=True, timeout=15, check=False)
    assert int(done.stdout or 0) == errno.EMFILE, done.stderr


def test_a_scan_can_leave_out_what_is_older() -> None:
    with child("sleep", "60") as popen:
        own = process.read(popen.pid)
        assert own is not None
        young = [each.pid for each in process.read_all(since_ticks=own.start_ticks)]
        assert popen.pid in young
        assert 1 not in young


def test_the_newest_are_listed_first() -> None:
    listed = process.pids()
    assert listed == sorted(listed, reverse=True)


def test_a_younger_process_is_among_the_newer_ones() -> None:
    with child("sleep", "60") as first, child("sleep", "60") as second:
        found = process.newer_than(first.pid)
        assert found is None or second.pid in found  # None: others on this machine forked a lot meanwhile
        assert found is None or first.pid not in found


def test_too_many_newer_ones_are_not_listed() -> None:
    assert process.newer_than(1, at_most=0) is None


def test_the_members_of_a_session_are_found_without_proc() -> None:
    with child("sh", "-c", "sleep 60 & echo up; wait", start_new_session=True) as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == b"up\n"
        found = process.in_session(popen.pid)
        assert len(found) == 2
        assert popen.pid in found
        for pid in found:
            os.kill(pid, 9)


@pytest.mark.parametrize("gone", [2**30, 4_000_000])
def test_a_pid_beyond_all_pids_is_nobody(gone: int) -> None:
    assert process.read(gone) is None
