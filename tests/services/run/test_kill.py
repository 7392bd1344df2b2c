"""The one way a job ends: everything of it, nothing else, and for certain."""

from __future__ import annotations

import os
import signal
import threading
from time import monotonic

from tests.services.run.watching import SCATTERED, child, python, watching

from lanline.services.run import kill, process
from lanline.services.run.kill import Target
from lanline.services.run.mark import Marks, marked
from lanline.services.run.process import Process

DEAF = "trap '' TERM; echo up; while :; do sleep 60 & wait; done"
"""A shell that does not hear SIGTERM; the sleeps it starts do not either."""


def _mark() -> int:
    marks = Marks.choose()
    value = marks.take() if marks else None
    assert value is not None
    return value


def _leader(pid: int) -> Process:
    now = process.read(pid)
    assert now is not None
    return now


def _target(pid: int, mark: int = 0) -> Target:
    start = _leader(pid).start_ticks
    return Target(mark, pid, start, start)


def _line(popen: object) -> bytes:
    return bytes(popen.stdout.readline())  # type: ignore[attr-defined]


def test_everything_that_carries_the_mark_is_ended() -> None:
    value = _mark()
    with child("sh", "-c", SCATTERED, value=value, start_new_session=True) as popen:
        assert _line(popen) == b"up\n"
        found = marked(value)
        assert len(found) >= 5
        with watching(found) as watch:
            killed = kill.end([Target(mark=value)], grace=5.0)
            assert killed.left == ()
            assert killed.signalled > 0  # not all: a shell whose child was ended first ends by itself
            assert marked(value) == []
            popen.wait()
            assert watch.wait_gone() == set()


def test_nothing_to_end_is_found_out_by_two_scans() -> None:
    killed = kill.end([Target(mark=_mark())], grace=0)
    assert (killed.signalled, killed.left, killed.scans) == (0, (), 2)


def test_what_does_not_hear_sigterm_is_killed_after_the_grace() -> None:
    value = _mark()
    with child("sh", "-c", DEAF, value=value) as popen:
        assert _line(popen) == b"up\n"
        began = monotonic()
        killed = kill.end([Target(mark=value)], grace=0.1)
        assert killed.left == ()
        assert 0.1 <= monotonic() - began < 15.0
        assert popen.wait() == -signal.SIGKILL


def test_what_hears_sigterm_is_not_killed() -> None:
    value = _mark()
    with child("sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 60 & wait; done", value=value) as popen:
        assert _line(popen) == b"up\n"
        assert kill.end([Target(mark=value)], grace=5.0).left == ()
        assert popen.wait() == 7


def test_without_a_grace_nobody_is_asked() -> None:
    value = _mark()
    with child("sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 60 & wait; done", value=value) as popen:
        assert _line(popen) == b"up\n"
        assert kill.end([Target(mark=value)], grace=0).left == ()
        assert popen.wait() == -signal.SIGKILL


def test_what_is_forked_after_sigterm_is_asked_too() -> None:
    value = _mark()
    text = "trap 'sleep 60; exit 7' TERM; echo up; while :; do sleep 60 & wait; done"
    with child("sh", "-c", text, value=value) as popen:
        assert _line(popen) == b"up\n"
        killed = kill.end([Target(mark=value)], grace=60.0)
        assert killed.left == ()
        assert killed.seconds < 10
        assert popen.wait() == 7


def test_no_signal_ever_goes_to_a_whole_group() -> None:
    for pid in (-1, 0, 1):
        assert not kill._signal_by_pid(Process(pid, 0, 0, 0, False), [signal.SIGKILL])


def test_a_hurry_ends_the_grace() -> None:
    value = _mark()
    reading, writing = os.pipe()
    with child("sh", "-c", DEAF, value=value) as popen:
        assert _line(popen) == b"up\n"
        hurry = threading.Timer(0.05, os.write, (writing, b"!"))
        hurry.start()
        killed = kill.end([Target(mark=value)], grace=60.0, hurry=reading)
        hurry.join()
        assert killed.left == ()
        assert killed.seconds < 10
    os.close(reading)
    os.close(writing)


def test_a_stopped_process_is_ended_too() -> None:
    value = _mark()
    with child("sh", "-c", "echo up; kill -STOP $$", value=value) as popen:
        assert _line(popen) == b"up\n"
        os.waitid(os.P_PID, popen.pid, os.WSTOPPED)
        assert kill.end([Target(mark=value)], grace=10.0).left == ()
        assert popen.wait() == -signal.SIGTERM


def test_a_process_that_took_its_mark_off_is_found_as_a_descendant() -> None:
    code = """
import os, resource, subprocess
soft, hard = resource.getrlimit(resource.RLIMIT_MSGQUEUE)
resource.setrlimit(resource.RLIMIT_MSGQUEUE, (hard, hard))
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""
    value = _mark()
    with child(*python(code), value=value, start_new_session=True) as popen:
        escaped = int(_line(popen))
        assert marked(value) == []
        with watching([escaped]) as watch:
            assert kill.end([_target(popen.pid, value)], grace=0.5).left == ()
            assert watch.wait_gone() == set()


def test_an_orphan_without_a_mark_is_found_by_the_session_of_the_leader() -> None:
    with child("sh", "-c", "(sleep 60 & echo up) ; sleep 60", start_new_session=True) as popen:
        assert _line(popen) == b"up\n"
        found = kill.find([_target(popen.pid)])
        assert len(found) >= 2
        with watching([each.pid for each in found]) as watch:
            os.kill(popen.pid, signal.SIGKILL)
            os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
            target = _target(popen.pid)  # the leader is dead and not reaped, as in a job
            assert kill.end([target], grace=0.5).left == ()
            popen.wait()
            assert watch.wait_gone() == set()


def test_a_marked_process_in_our_own_session_takes_nobody_with_it() -> None:
    value = _mark()
    with child("sleep", "60", value=value) as popen, child("sleep", "60") as bystander:
        assert os.getsid(popen.pid) == os.getsid(0)
        assert [each.pid for each in kill.find([Target(mark=value)])] == [popen.pid]
        assert kill.end([Target(mark=value)], grace=0.5).left == ()
        assert bystander.poll() is None


def test_a_leaders_pid_in_other_hands_is_nobody_of_the_job() -> None:
    with child("sleep", "60", start_new_session=True) as popen:
        start = _leader(popen.pid).start_ticks
        assert kill.find([Target(leader=popen.pid, leader_start=start - 1)]) == []
        assert kill.end([Target(leader=popen.pid, leader_start=start - 1)], grace=0.1).signalled == 0
        assert popen.poll() is None


def test_a_process_that_got_a_pid_after_it_was_judged_is_not_signalled() -> None:
    with child("sleep", "60") as popen:
        judged = _leader(popen.pid)._replace(start_ticks=_leader(popen.pid).start_ticks - 1)
        assert not kill._signal(judged, [signal.SIGKILL])
        assert not kill._signal_by_pid(judged, [signal.SIGKILL])
        assert kill._open(judged) is None
        assert popen.poll() is None
        assert kill._signal(_leader(popen.pid), [signal.SIGKILL])
        assert popen.wait() == -signal.SIGKILL


def test_what_is_older_than_the_job_is_never_of_it() -> None:
    value = _mark()
    with child("sleep", "60", value=value) as popen:
        later = _leader(popen.pid).start_ticks + 1
        assert kill.find([Target(mark=value, since=later)]) == []


def test_several_jobs_are_ended_at_once() -> None:
    first, second = _mark(), _mark() + 1
    with child("sleep", "60", value=first) as one, child("sleep", "60", value=second) as two:
        killed = kill.end([Target(mark=first), Target(mark=second)], grace=5.0)
        assert (killed.signalled, killed.left) == (2, ())
        assert (one.wait(), two.wait()) == (-signal.SIGTERM, -signal.SIGTERM)


def test_a_job_that_keeps_forking_is_ended_all_the_same() -> None:
    forking = "f() { [ $1 -gt 0 ] && { f $(($1 - 1)) & f $(($1 - 1)) & }; sleep 60; }; echo up; f 6"
    value = _mark()
    with child("sh", "-c", forking, value=value, start_new_session=True) as popen:
        assert _line(popen) == b"up\n"  # some of its 127 shells and as many sleeps are yet to come
        assert kill.end([Target(mark=value)], grace=0).left == ()
        assert marked(value) == []
        popen.wait()


def test_without_pidfds_the_job_is_ended_as_well() -> None:
    code = """
import os, subprocess
from lanline.services.run import kill, process
from lanline.services.run.mark import Marks, carrying, marked
def none(pid, flags=0):
    raise OSError(38, "no pidfds")
os.pidfd_open = none
value = Marks.choose().take()
with carrying(value):
    popen = subprocess.Popen(["sh", "-c", "trap '' TERM; echo up; exec sleep 60"], stdout=-1)
popen.stdout.readline()
killed = kill.end([kill.Target(mark=value)], grace=0.1)
print(killed.left, marked(value), popen.wait())
"""
    with child(*python(code)) as popen:
        assert _line(popen) == b"() [] -9\n"
        assert popen.wait() == 0


def test_without_proc_the_session_is_ended() -> None:
    code = """
import subprocess
from lanline.services.run import kill, process
process.has_proc = False
popen = subprocess.Popen(["sleep", "60"], start_new_session=True)
target = kill.Target(leader=popen.pid)
print(len(kill.find([target])), kill.end([target], grace=5.0).left, len(kill.find([target])), popen.wait())
"""
    with child(*python(code)) as popen:
        assert _line(popen) == b"1 () 0 -15\n"
        assert popen.wait() == 0
