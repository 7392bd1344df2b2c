"""The guardian ends what is registered when its node is gone, and nothing before, and nothing else."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.services.run.watching import SCATTERED, child, python, watching

from lanline.services.run import process
from lanline.services.run.kill import Target
from lanline.services.run.mark import Marks, marked
from lanline.services.run.register import Register


class Guarded(NamedTuple):
    """A guardian that runs, the register it reads, and the pipe whose closing is the node's end."""

    popen: subprocess.Popen[bytes]
    register: Register
    marks: Marks

    def hear(self) -> bytes:
        """The next line that it says; empty when it has gone."""
        assert self.popen.stdout is not None
        return self.popen.stdout.readline()

    def node_dies(self) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.close()


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    register = Register(slots=4)
    marks = Marks.choose()
    assert marks is not None
    words = python(f"from lanline.services.run.guardian import main; main({register.fd})")
    argv = [words[0], "-I", "-S", *words[1:]]
    more = {"stdin": subprocess.PIPE, "pass_fds": (register.fd,), "start_new_session": True}
    with child(*argv, value=marks.base, **more) as popen:
        made = Guarded(popen, register, marks)
        assert made.hear() == b"ready\n"
        yield made
    register.close()


@contextlib.contextmanager
def scattered(value: int) -> Iterator[list[int]]:
    """The pids of a job in several sessions that carries a mark."""
    with child("sh", "-c", SCATTERED, value=value, start_new_session=True) as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == b"up\n"
        yield marked(value)


def test_registered_jobs_end_with_the_node(guarded: Guarded) -> None:
    value = guarded.marks.take()
    assert value is not None
    with scattered(value) as pids, watching(pids) as watch:
        guarded.register.put(1, Target(mark=value))
        guarded.node_dies()
        assert guarded.hear().startswith(b"ended ")
        assert marked(value) == []
        assert guarded.popen.wait(15) == 0
        assert watch.wait_gone() == set()


def test_a_job_that_is_over_keeps_what_it_left_running(guarded: Guarded) -> None:
    value = guarded.marks.take()
    assert value is not None
    with child("sleep", "60", value=value) as daemon:
        guarded.register.put(1, Target(mark=value))
        guarded.register.drop(1)
        guarded.node_dies()
        assert guarded.hear() == b""
        assert guarded.popen.wait(15) == 0
        assert daemon.poll() is None


def test_a_job_is_ended_by_its_leader_where_there_are_no_marks(guarded: Guarded) -> None:
    with child("sleep", "60", start_new_session=True) as popen:
        now = process.read(popen.pid)
        assert now is not None
        guarded.register.put(1, Target(leader=popen.pid, leader_start=now.start_ticks, since=now.start_ticks))
        guarded.node_dies()
        assert guarded.hear() == b"ended 1 left 0\n"
        assert popen.wait() == -signal.SIGTERM


def test_signals_to_the_group_do_not_end_the_guardian(guarded: Guarded) -> None:
    value = guarded.marks.take()
    assert value is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        os.killpg(guarded.popen.pid, number)
    with child("sleep", "60", value=value) as popen:
        guarded.register.put(1, Target(mark=value))
        guarded.node_dies()
        assert guarded.hear() == b"ended 1 left 0\n"
        assert popen.wait() == -signal.SIGTERM


def test_the_guardian_has_a_session_and_descriptors_of_its_own(guarded: Guarded) -> None:
    folder = Path(f"/proc/{guarded.popen.pid}")
    assert os.getsid(guarded.popen.pid) == guarded.popen.pid
    assert os.readlink(folder / "cwd") == "/"
    assert {int(fd) for fd in os.listdir(folder / "fd")} == {0, 1, 2, guarded.register.fd}
    assert process.mark_of(guarded.popen.pid) == guarded.marks.base


def test_the_guardian_is_small(guarded: Guarded) -> None:
    status = Path(f"/proc/{guarded.popen.pid}/status").read_text()
    resident = int(status.partition("VmRSS:")[2].split()[0])
    assert resident < 16_000, f"{resident} KiB resident"


def test_the_guardian_loads_nothing_heavy() -> None:
    code = """
import lanline.services.run.guardian
print(*sorted({"asyncio", "subprocess", "msgspec", "threading", "logging", "dataclasses"} & set(sys.modules)))
"""
    words = python(code)
    done = subprocess.run([words[0], "-I", "-S", *words[1:]], capture_output=True, text=True, timeout=15, check=True)
    assert done.stdout.split() == []


NODE = """
import asyncio, os
from lanline.services.run.command import Command
from lanline.services.run.mark import marked
from lanline.services.run.table import JobTable

async def main():
    table = await JobTable.open("playing", use_groups=len(sys.argv) > 1)
    jobs = []
    for _ in range(2):
        job = await table.start(Command(("sh", "-c", {text!r}), cwd="/"), caller="pc1")
        heard = b""
        while b"up" not in heard:
            heard += (await job.read())[1]
        jobs.append(job)
    left = await table.start(Command(("sh", "-c", "sleep 64 & echo $!"), cwd="/"), caller="pc1")
    daemon = (await left.read())[1].decode().strip()
    await left.discard()
    print(table.statistics()["guardian"], daemon, *[job.mark for job in jobs], flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def _gone(pid: int, seconds: float = 15.0) -> bool:
    try:
        with watching([pid]) as watch:
            return watch.wait_gone(seconds) == set()
    except ProcessLookupError:
        return True


@pytest.mark.parametrize("groups", [(), ("groups",)])
def test_kill_9_of_the_node_leaves_nothing_of_its_jobs(groups: tuple[str, ...]) -> None:
    with child(*python(NODE.format(text=SCATTERED)), *groups) as node:
        assert node.stdout is not None
        guardian, daemon, *values = (int(word) for word in node.stdout.readline().split())
        pids = [pid for value in values for pid in marked(value)]
        assert len(pids) >= 10
        with watching([guardian, *pids]) as watch:
            node.kill()
            assert watch.wait_gone() == set()
        assert [marked(value) for value in values] == [[], []]
        assert process.read(daemon) is not None, "what a command left running on purpose was ended too"
        os.kill(daemon, signal.SIGKILL)
        assert _gone(daemon)


def test_kill_9_of_the_node_right_after_the_spawn_leaves_nothing() -> None:
    code = """
import asyncio, os
from lanline.services.run.command import Command
from lanline.services.run.table import JobTable

async def main():
    table = await JobTable.open("playing")
    job = await table.start(Command(("sh", "-c", "trap '' TERM; sleep 65 & sleep 66"), cwd="/"), caller="pc1")
    os.write(1, f"{table.statistics()['guardian']} {job.pid} {job.mark}".encode())
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    with child(*python(code)) as node:
        assert node.stdout is not None
        guardian, leader, value = (int(word) for word in node.stdout.read().split())
        assert node.wait() == -signal.SIGKILL
        assert _gone(guardian)
        assert _gone(leader)
        assert marked(value) == []


def test_the_guardian_says_nothing_until_the_node_is_gone(guarded: Guarded) -> None:
    assert guarded.popen.stdout is not None
    ready, _, _ = select.select([guarded.popen.stdout], [], [], 0)
    assert ready == []
    guarded.node_dies()
    assert guarded.hear() == b""
