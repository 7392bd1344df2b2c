"""`lanline serve time` asked by programs that know nothing of lanline: nc, socat, bare sockets, and three NTP clients.

NTP clients run in a network of their own, where port 123 is free, and without the right to set a clock; each is in a
mode that only asks.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lanline.services.clock.discipline import read_discipline
from tests.namespaces import Machine, machines

PIPE = subprocess.PIPE
FORMAT = "%Y/%m/%d %H:%M:%S"
PACKAGES = {
    "ncat": "ncat",
    "nc.openbsd": "netcat-openbsd",
    "socat": "socat",
    "ntpdate": "ntpsec-ntpdate",
    "chronyd": "chrony",
}
NO_CLOCK = ("setpriv", "--bounding-set", "-sys_time", "--inh-caps", "-sys_time")


@contextlib.contextmanager
def _serving(*words: str, machine: Machine | None = None, addresses: int = 1) -> Iterator[list[str]]:
    """`lanline serve time`; where it serves."""
    command = [sys.executable, "-P", "-m", "lanline", "serve", "time", "--json", *words]
    with subprocess.Popen(machine.command(*command) if machine else command, stdout=PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(addresses)]
            yield [re.findall(r'"address": ?"([^"]+)"', line)[0] for line in lines]
        finally:
            process.kill()


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _needs(program: str) -> str:
    # Not everybody has the place of daemons on the path.
    place = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if place is None:
        pytest.skip(f"{program} is not installed: apt-get install {PACKAGES[program]}")
    return place


def _is_now(text: str) -> bool:
    """Whether a text in FORMAT is the time in UTC, to five seconds."""
    now = time.time_ns() // 10**9
    return text in {time.strftime(FORMAT, time.gmtime(now - back)) for back in range(6)}


@pytest.mark.parametrize(
    "words",
    [
        ("nc.openbsd", "-u", "127.0.0.1", "{port}"),
        ("ncat", "-u", "127.0.0.1", "{port}"),
        ("socat", "-", "UDP:127.0.0.1:{port}"),
    ],
    ids=lambda words: words[0],
)
def test_a_datagram_is_answered_to(words: Sequence[str]) -> None:
    _needs(words[0])
    with _serving("--utc", "--on", "udp://127.0.0.1:0") as [address]:
        asked = [word.format(port=_port(address)) for word in words]
        with subprocess.Popen(asked, stdin=PIPE, stdout=PIPE) as asker:
            assert asker.stdin is not None and asker.stdout is not None
            asker.stdin.write(FORMAT.encode())
            asker.stdin.flush()  # its end stays open: ncat leaves when its input ends, answer or not
            answer = asker.stdout.read(len("2026/11/20 08:05:25"))
            asker.kill()
    assert _is_now(answer.decode())


def test_a_line_is_answered_over_tcp_and_over_a_unix_socket(home: Path) -> None:
    _needs("socat")
    with _serving("--utc", "--on", "tcp://127.0.0.1:0", "--on", f"unix://{home}/t.sock", addresses=2) as addresses:
        for way in (f"TCP:127.0.0.1:{_port(addresses[0])}", f"UNIX-CONNECT:{home}/t.sock"):
            question = f"{FORMAT}\r\n%1535d\n\n".encode()
            done = subprocess.run(["socat", "-t", "5", "-", way], input=question, capture_output=True, timeout=15)
            first, second, third = done.stdout.decode().splitlines()
            assert _is_now(first)
            assert second == "? unknown directive"
            assert len(third) == len("2026-11-20 08:05:25")


def test_the_command_asks_it_too() -> None:
    with _serving("--utc", "--on", "udp://127.0.0.1:0") as [address]:
        words = [sys.executable, "-P", "-m", "lanline", "ask", address, FORMAT]
        done = subprocess.run(words, capture_output=True, text=True, timeout=15)
    assert done.returncode == 0, done.stderr
    assert _is_now(done.stdout.strip())


def test_noise_over_a_socket_leaves_it_alive_and_no_answer_is_longer_than_allowed(seed: int) -> None:
    generator = random.Random(seed)
    with (
        _serving("--on", "udp://127.0.0.1:0") as [address],
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sock.connect(("127.0.0.1", _port(address)))
        sock.settimeout(10.0)
        answers = 0
        for number in range(300):
            for _ in range(20):
                kind = generator.randrange(4)
                noise = generator.randbytes(generator.randrange(120))
                sock.send((noise, b"%" + noise, b"%c" * generator.randrange(80), b"\x23\0\6" + noise[:45])[kind])
            # The answer to this one tells that all before it were taken.
            mark = f"mark {number} %%".encode()
            sock.send(mark)
            while (answer := sock.recv(65536)) != mark[:-1]:
                answers += 1
                assert len(answer) <= 256
        sock.send(b"%c" * 32_000)
        assert sock.recv(65536) == b"? over 128 bytes"
    assert answers > 1000


@pytest.fixture(scope="module")
def clock() -> Iterator[Machine]:
    """A machine alone with a time server that vouches for its clock, at the ports 123 and 12300."""
    with machines(1) as (machine,):
        ports = ("--on", "udp://127.0.0.1:123", "--on", "udp://127.0.0.1:12300")
        with _serving("--stratum", "5", *ports, machine=machine, addresses=2):
            yield machine


def _ask(machine: Machine, *words: str) -> str:
    done = subprocess.run(machine.command(*NO_CLOCK, *words), capture_output=True, text=True, timeout=18, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_ntpdate_takes_the_time(clock: Machine) -> None:
    said = _ask(clock, _needs("ntpdate"), "-q", "127.0.0.1")
    offset = re.search(r"([+-]\d+\.\d+) \+/- \d+\.\d+ 127\.0\.0\.1 s5 ", said)
    assert offset is not None, said
    assert abs(float(offset[1])) < 0.1


def test_chronyd_takes_the_time(clock: Machine) -> None:
    settings = "server 127.0.0.1 port 12300 iburst maxsamples 4"
    said = _ask(clock, _needs("chronyd"), "-Q", "-x", "-t", "15", "-f", "/dev/null", settings)
    wrong = re.search(r"System clock wrong by (-?\d+\.\d+) seconds \(ignored\)", said)
    assert wrong is not None, said
    assert abs(float(wrong[1])) < 0.1


def test_a_clock_that_nobody_vouches_for_is_taken_by_nobody() -> None:
    with machines(1) as (machine,), _serving("--on", "udp://127.0.0.1:123", machine=machine):
        words = machine.command(*NO_CLOCK, _needs("ntpdate"), "-q", "127.0.0.1")
        done = subprocess.run(words, capture_output=True, text=True, timeout=18, check=False)
    if read_discipline().is_synchronised:  # then this machine's time daemon vouches for it
        assert " s10 " in done.stdout
    else:
        assert done.returncode != 0
        assert "stratum" in done.stderr


def test_a_stranger_gets_nothing_unless_the_service_is_public() -> None:
    with machines(2) as (here, there):
        here.cable("eth0", there, "eth0")
        here.give("eth0", "10.9.0.1/24")
        there.give("eth0", "10.9.0.2/24")
        # An address of another network, which `here` knows a way back to: a machine behind a router.
        there.ip("addr add 172.16.5.5/32 dev eth0")
        here.ip("route add 172.16.5.5/32 via 10.9.0.2")
        there.wait_carrier("eth0")
        ask = (
            "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((sys.argv[1], 0));"
            "s.settimeout(2); s.sendto(b'%Z', ('10.9.0.1', 9529))\n"
            "try: print(s.recv(999).decode())\n"
            "except TimeoutError: print('nothing')"
        )

        def answer(source: str) -> str:
            return there.run(sys.executable, "-c", ask, source).strip()

        with _serving("--utc", "--on", "udp://*:9529", machine=here):
            assert answer("10.9.0.2") == "UTC"
            assert answer("172.16.5.5") == "nothing"
        with _serving("--utc", "--public", "--on", "udp://*:9529", machine=here):
            assert answer("172.16.5.5") == "UTC"
