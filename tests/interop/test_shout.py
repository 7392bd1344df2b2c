"""Shouts between lanline and programs that know nothing of it, over a virtual cable."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.namespaces import Machine, machines

SHOUT = (sys.executable, "-P", "-m", "lanline", "shout")
PIPE = subprocess.PIPE


@pytest.fixture
def two() -> Iterator[tuple[Machine, Machine]]:
    """Two machines on one cable, 10.9.0.1 and 10.9.0.2."""
    with machines(2) as (here, there):
        here.cable("eth0", there, "eth0")
        there.give("eth0", "10.9.0.2/24")
        here.give("eth0", "10.9.0.1/24")
        here.wait_carrier("eth0")
        there.wait_carrier("eth0")
        yield here, there


def _needs(program: str) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    return program


def _wait_bound(machine: Machine, port: int) -> None:
    """Until some program there has the UDP port."""
    deadline = time.monotonic() + 10.0
    while f":{port:04X} " not in machine.run("cat", "/proc/net/udp"):
        assert time.monotonic() < deadline, f"nobody has port {port} after 10 s"


@pytest.mark.parametrize(
    "words",
    [
        ("socat", "-u", "UDP-RECV:9529,reuseaddr", "-"),
        ("nc.openbsd", "-u", "-l", "9529"),
        ("ncat", "-u", "-l", "9529"),
    ],
    ids=lambda words: words[0],
)
def test_a_shout_is_heard_by(words: tuple[str, ...], two: tuple[Machine, Machine]) -> None:
    _needs(words[0])
    here, there = two
    with subprocess.Popen(there.command(*words), stdin=PIPE, stdout=PIPE) as ear:
        try:
            _wait_bound(there, 9529)
            here.run(*SHOUT, "--plain", "午饭")
            assert ear.stdout is not None
            assert ear.stdout.read(6) == "午饭".encode()
        finally:
            ear.kill()


def test_a_shout_is_heard_by_a_program_that_joins_the_group(two: tuple[Machine, Machine]) -> None:
    _needs("socat")
    here, there = two
    # Bound to the group's own address, it hears no broadcast.
    words = ("socat", "-u", "UDP-RECV:9529,bind=239.255.37.57,ip-add-membership=239.255.37.57:eth0", "-")
    with subprocess.Popen(there.command(*words), stdout=PIPE) as ear:
        try:
            _wait_bound(there, 9529)
            here.run(*SHOUT, "--plain", "lunch")
            assert ear.stdout is not None
            assert ear.stdout.read(5) == b"lunch"
        finally:
            ear.kill()


@pytest.mark.parametrize(
    "words",
    [
        ("socat", "-", "UDP-DATAGRAM:10.9.0.255:9529,broadcast"),
        ("socat", "-", "UDP-DATAGRAM:239.255.37.57:9529,ip-multicast-if=10.9.0.1"),
        ("socat", "-", "UDP6-DATAGRAM:[ff12::2539%eth0]:9529"),
        ("nc.openbsd", "-u", "-b", "-w", "1", "10.9.0.255", "9529"),
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_what_others_shout_is_heard(words: tuple[str, ...], two: tuple[Machine, Machine]) -> None:
    _needs(words[0])
    here, there = two
    listen = there.command(*SHOUT, "--listen", "--count", "1", "--for", "12s")
    with subprocess.Popen(listen, stdout=PIPE, stderr=PIPE, text=True) as ear:
        assert ear.stderr is not None
        assert "listening" in ear.stderr.readline()
        subprocess.run(here.command(*words), input=b"dinner\n", check=True, timeout=10)
        out, err = ear.communicate(timeout=15)
    assert ear.returncode == 0, err
    _, sender, text = out.rstrip("\n").split("  ")
    assert text == "dinner"
    assert sender == "10.9.0.1" or sender.startswith("fe80::")
