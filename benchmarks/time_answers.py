"""Claim: `lanline serve time` gives at least 3.5 times the answers per second of asyncio's DatagramProtocol.

Peers, in the same run: an asyncio DatagramProtocol that answers `time.strftime(question)` without any check, on
asyncio's own loop and on uvloop; and chronyd for NTP, in C. Each server is a process of its own, ours the word as
people type it, with all it checks and counts. The load is one process with one socket and 64 questions outstanding,
which sends and receives in batches (sendmmsg, recvmmsg), so that it is not what is measured. All on loopback;
contestants take turns. Beside each stands what one answer costs the server in CPU time, which a busy machine changes
less than the rate.

Two loads in words: one question that all clients ask alike, whose answer ours keeps until the second is over, as for
machines that poll; and 4,096 different questions in turn, most of which ours formats anew each time.

chronyd runs with -x and without the right to set a clock: nothing here touches it.

Run: python -m benchmarks.time_answers [ROUNDS] [SECONDS]
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import Row, report

OUTSTANDING = 64
ROOM_BYTES = 512
SILENCE_S = 0.2
ALIKE = (b"%Y/%m/%d %H:%M:%S",)
DIFFERENT = tuple(b"%Y/%m/%d %H:%M:%S " + str(number).encode() for number in range(4096))
NTP = bytes([0x23, 0, 6, 0x20]) + bytes(36) + b"\x01\x02\x03\x04\x05\x06\x07\x08"


class Server(NamedTuple):
    """A server under load."""

    port: int
    pid: int

    def cpu_ns(self) -> int:
        """CPU time it has had, in nanoseconds."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0])


# -- servers ---------------------------------------------------------------------------------------------------


class Unchecked(asyncio.DatagramProtocol):
    """What a tutorial would write."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._transport.sendto(time.strftime(data.decode()).encode(), addr)


def be_server(loop_name: str) -> None:
    """The server process of a peer; prints its port, serves until its standard input ends."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Unchecked, local_addr=("127.0.0.1", 0))
        print(transport.get_extra_info("sockname")[1], flush=True)
        ended = asyncio.Event()
        loop.add_reader(0, ended.set)
        await ended.wait()

    factory = None
    if loop_name == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


@contextlib.contextmanager
def peer(loop_name: str) -> Iterator[Server]:
    """The peer on one loop."""
    words = [sys.executable, "-m", "benchmarks.time_answers", "serve", loop_name]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield Server(int(process.stdout.readline()), process.pid)
        finally:
            process.stdin.close()


@contextlib.contextmanager
def lanline() -> Iterator[Server]:
    """Ours, as it is typed."""
    words = [sys.executable, "-m", "lanline", "serve", "time", "--on", "udp://127.0.0.1:0", "--stratum", "10"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().partition("127.0.0.1:")[2].partition(",")[0])
        # What it says of each client is read, so that it never waits for room.
        with subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL):
            try:
                yield Server(port, process.pid)
            finally:
                process.terminate()


@contextlib.contextmanager
def chronyd() -> Iterator[Server | None]:
    """chronyd at a high port; None where it is not installed."""
    if shutil.which("chronyd") is None:
        yield None
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder, "chrony.conf")
        settings.write_text(
            f"port {port}\nbindaddress 127.0.0.1\nallow 127.0.0.0/8\nlocal stratum 10\ncmdport 0\n"
            f"bindcmdaddress /\npidfile {folder}/pid\ndriftfile {folder}/drift\n"
        )
        without = ["setpriv", "--bounding-set", "-sys_time", "--inh-caps", "-sys_time"] if os.geteuid() == 0 else []
        words = [*without, "chronyd", "-x", "-d", "-u", "root" if os.geteuid() == 0 else "nobody", "-f", str(settings)]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                yield Server(port, process.pid)
            finally:
                process.terminate()


# -- the load --------------------------------------------------------------------------------------------------


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Message(ctypes.Structure):
    """struct msghdr"""

    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class _Header(ctypes.Structure):
    """struct mmsghdr"""

    _fields_ = [("message", _Message), ("length", ctypes.c_uint)]


class Load:
    """One connected socket with 64 questions outstanding.

    Args:
        server: who is asked.
        questions: asked in turn, over and over.
    """

    def __init__(self, server: Server, questions: Sequence[bytes]) -> None:
        self._server = server
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.connect(("127.0.0.1", server.port))
        # As a C timeval: recvmmsg's own timeout is only looked at between two datagrams.
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bytes(_timeval(SILENCE_S)))
        repeated = [*questions] * max(1, OUTSTANDING // len(questions))
        self._questions = [ctypes.create_string_buffer(one, len(one)) for one in repeated]
        self._rooms = [ctypes.create_string_buffer(ROOM_BYTES) for _ in range(OUTSTANDING)]
        self._out = _headers([(buffer, len(buffer)) for buffer in self._questions])
        self._next = 0
        self._in = _headers([(room, ROOM_BYTES) for room in self._rooms])

    def run(self, seconds: float) -> tuple[float, float]:
        """Answers per second, and the server's CPU time for one, in microseconds.

        Raises:
            RuntimeError: the server does not answer.
        """
        answers = silences = 0
        self._send(OUTSTANDING)
        began, cpu_ns = time.perf_counter(), self._server.cpu_ns()
        while (now := time.perf_counter()) - began < seconds:
            count = self._libc.recvmmsg(self._sock.fileno(), self._in, OUTSTANDING, 0x10000, None)  # MSG_WAITFORONE
            if count > 0:
                answers += count
                self._send(count)
                continue
            silences += 1
            if silences > 20 and not answers:
                raise RuntimeError(f"no answer: {os.strerror(ctypes.get_errno())}")
            self._send(OUTSTANDING)  # all were lost, or it is not there yet
        cpu_us = (self._server.cpu_ns() - cpu_ns) / 1000 / max(answers, 1)
        while self._libc.recvmmsg(self._sock.fileno(), self._in, OUTSTANDING, 0x10000, None) > 0:
            pass
        return answers / (now - began), cpu_us

    def ask(self) -> bytes:
        """One answer, to see what is being counted."""
        self._send(1)
        return self._sock.recv(ROOM_BYTES)

    def _send(self, count: int) -> None:
        while count:
            batch = min(count, len(self._out) - self._next)
            start = ctypes.byref(self._out, self._next * ctypes.sizeof(_Header))
            self._libc.sendmmsg(self._sock.fileno(), start, batch, 0)
            self._next = (self._next + batch) % len(self._out)
            count -= batch


def _timeval(seconds: float) -> Any:
    return (ctypes.c_long * 2)(int(seconds), int(seconds % 1 * 1_000_000))


def _headers(buffers: list[tuple[Any, int]]) -> Any:
    made = (_Header * len(buffers))()
    for header, (buffer, length) in zip(made, buffers, strict=True):
        header.message.vectors = ctypes.pointer(_Vector(ctypes.addressof(buffer), length))
        header.message.vector_count = 1
    return made


# -- the contests ----------------------------------------------------------------------------------------------


def contest(title: str, loads: dict[str, Load], first: str, rounds: int, seconds: float) -> None:
    """All contestants in turns; the table of their medians, each beside `first`."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in loads}
    for load in loads.values():
        load.run(seconds / 4)
    for _ in range(rounds):
        for name, load in loads.items():
            found[name].append(load.run(seconds))
    rates = {name: statistics.median(rate for rate, _ in pairs) for name, pairs in found.items()}
    costs = {name: statistics.median(cost for _, cost in pairs) for name, pairs in found.items()}
    rows = [
        Row(f"{name}, {costs[name]:.1f} us of CPU each", rate, "answers/s", rate / rates[first])
        for name, rate in rates.items()
    ]
    report(title, rows)


def main() -> None:
    """Runs the contests and prints their tables."""
    if sys.argv[1:2] == ["serve"]:
        be_server(sys.argv[2])
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    with peer("asyncio") as stock, peer("uvloop") as fast, lanline() as ours, chronyd() as chrony:
        servers = {"asyncio DatagramProtocol": stock, "the same on uvloop": fast, "lanline serve time": ours}
        for questions, title in ((ALIKE, "all ask alike"), (DIFFERENT, "4,096 different questions")):
            loads = {name: Load(server, questions) for name, server in servers.items()}
            contest(f"{ALIKE[0].decode()}: {title}", loads, "asyncio DatagramProtocol", rounds, seconds)
            assert all(load.ask()[:2] == b"20" for load in loads.values()), "somebody did not answer with a date"
        if chrony is not None:
            loads = {"chronyd": Load(chrony, [NTP]), "lanline serve time": Load(ours, [NTP])}
            contest("NTP", loads, "chronyd", rounds, seconds)
            assert all(load.ask()[24:32] == NTP[40:] for load in loads.values()), "somebody did not speak NTP"


if __name__ == "__main__":
    main()
