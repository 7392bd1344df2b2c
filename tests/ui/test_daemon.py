"""Claims about the process of a node: its signals, its loop, its descriptors."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.ui.machines import AS_ROOT, Machine, wait_readable, wait_until


@contextmanager
def _in_front(machine: Machine, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Its node in front, once it serves; killed at the end where it still runs."""
    with subprocess.Popen(
        machine.words("up"),
        env=machine.settings(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as node:
        assert node.stdout is not None
        try:
            wait_readable(node.stdout.fileno())
            assert b" is up " in node.stdout.readline()
            yield node
        finally:
            if node.poll() is None:
                node.kill()


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda one: one.name)
def test_a_signal_stops_it_in_order(stopped: Machine, number: signal.Signals, loop: str) -> None:
    with _in_front(stopped, LANLINE_LOOP=loop) as node:
        maps = Path(f"/proc/{node.pid}/maps").read_text()
        assert ("uvloop" in maps) == (loop == "uvloop")
        node.send_signal(number)
        _, err = node.communicate(timeout=15)
    assert node.returncode == 0
    assert f"stopping: {number.name}".encode() in err
    assert err.rstrip().endswith(b"stopped")
    assert not stopped.folder.control_socket.exists()


def test_a_second_signal_ends_it_at_once(machine: Machine) -> None:
    machine.found("--allow-run", *AS_ROOT)
    machine.good("down")
    with _in_front(machine) as node:
        # A job that does not heed SIGTERM holds an orderly stop up for five seconds.
        with subprocess.Popen(
            machine.words("run", "desk", "--", "sh", "-c", "trap '' TERM; echo ready; sleep 60"),
            env=machine.settings(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as job:
            assert job.stdout is not None
            wait_readable(job.stdout.fileno())
            node.send_signal(signal.SIGTERM)
            assert node.stderr is not None
            while b"stopping" not in node.stderr.readline():
                pass
            node.send_signal(signal.SIGTERM)
            watch = os.pidfd_open(node.pid)
            wait_readable(watch, patience=3.0)
            os.close(watch)
            job.communicate(timeout=15)
        node.communicate(timeout=15)
    assert node.returncode == -signal.SIGTERM


def test_what_was_told_to_be_ignored_stays_ignored(stopped: Machine) -> None:
    with subprocess.Popen(
        ["nohup", *stopped.words("up")], env=stopped.settings(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as node:
        assert node.stdout is not None
        wait_readable(node.stdout.fileno())
        status = Path(f"/proc/{node.pid}/status").read_text()
        ignored = int(status.partition("SigIgn:\t")[2].partition("\n")[0], 16)
        assert ignored & 1 << (signal.SIGHUP - 1)
        node.send_signal(signal.SIGINT)
        node.communicate(timeout=15)
    assert node.returncode == 0


def test_it_may_have_as_many_descriptors_as_the_system_allows(stopped: Machine) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    try:
        stopped.good("up", "--detach")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    limits = Path(f"/proc/{stopped.pid}/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
    assert line.split()[3] == line.split()[4]


def test_a_job_has_the_limit_that_the_node_was_started_with(stopped: Machine) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    try:
        stopped.good("up", "--detach", "--allow-run", *AS_ROOT)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    told = stopped.good("run", "desk", "--shell", "sleep 0.1; ulimit -Sn")
    assert "256" in told.split(), told


@pytest.mark.parametrize("loop", ["trio", "UVLOOP"])
def test_an_unknown_loop_is_named(stopped: Machine, loop: str) -> None:
    done = stopped.run("up", "--detach", LANLINE_LOOP=loop)
    assert done.code == 2
    assert f"LANLINE_LOOP is '{loop}'; it takes uvloop or asyncio" in done.err


def test_a_killed_node_leaves_a_folder_that_starts_again(stopped: Machine) -> None:
    stopped.good("up", "--detach")
    first = stopped.pid
    stopped.kill()
    stopped.good("up", "--detach")
    assert stopped.pid != first
    wait_until(lambda: stopped.who()["desk"].online)
