"""Claim: a member still connects, in milliseconds, while 1,000 silent connections beset a node with 256 descriptors.

Peer, in the same run: `asyncio.start_server` with the same limit, the same members, the same flood. Each server is a
process of its own with RLIMIT_NOFILE 256. Another process opens 1,000 connections, says nothing on them, and opens
again each that is closed, as fast as it can up to 500 a second. Meanwhile a member connects every 20 ms, sends a
line and waits up to 2 s for its answer. The flood comes from the member's own address (where limits per address
help nothing), then from 200 addresses. Everything stays on loopback, and each run ends after a few seconds.

Run: python -m benchmarks.flood [SECONDS_PER_RUN] [asyncio|uvloop]
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lanline.address import Address
from lanline.transport import tcp
from lanline.transport.base import Arrival
from lanline.transport.entrance import Entrance

DESCRIPTORS = 256
SILENT = 1000
REOPENED_PER_SECOND = 500
MEMBER_EVERY = 0.02
PATIENCE = 2.0
QUESTION = b"LANLINE hello\n"
HEADER = f"{'server':<22}{'flood from':<16}{'members in':>12}{'median':>10}{'worst':>10}{'log':>12}{'CPU':>9}"


@dataclass(frozen=True)
class Outcome:
    """One server under one flood."""

    server: str
    source: str
    connect_ms: list[float]
    tries: int
    log_bytes: int
    cpu_s: float

    def line(self) -> str:
        """A row of the table."""
        inside = f"{len(self.connect_ms)}/{self.tries}"
        median = f"{statistics.median(self.connect_ms):.1f} ms" if self.connect_ms else "-"
        worst = f"{max(self.connect_ms):.1f} ms" if self.connect_ms else "-"
        log, cpu = f"{self.log_bytes:,} B", f"{self.cpu_s:.2f} s"
        return f"{self.server:<22}{self.source:<16}{inside:>12}{median:>10}{worst:>10}{log:>12}{cpu:>9}"


class Answering(asyncio.Protocol):
    """Answers the first line, as a node would with its WELCOME."""

    def __init__(self, arrival: Arrival) -> None:
        self._arrival = arrival

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # asyncio passes the base class

    def data_received(self, data: bytes) -> None:
        self._arrival.welcomed()
        self._transport.write(b"welcome\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrival.gone()


async def serve_lanline() -> int:
    """Our accept loop with the limits of a node; returns the port."""
    entrance = Entrance("link", b"LANLINE ", Answering)
    listener = await tcp.listen_entrances(Address("tcp", "127.0.0.1"), [entrance], sign=b"a lanline node\n")
    return listener.addresses[0].port


async def serve_stock() -> int:
    """asyncio's own accept loop; returns the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readline()
            writer.write(b"welcome\n")
            await writer.drain()
            await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    return port


def be_server(kind: str, loop_name: str) -> None:
    """The server process: few descriptors, log to standard error, until standard input ends."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    ended = asyncio.Event()

    async def main() -> None:
        asyncio.get_running_loop().add_reader(0, ended.set)
        print(await (serve_lanline() if kind == "lanline" else serve_stock()), flush=True)
        await ended.wait()

    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if loop_name == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


def be_flood(port: int, sources: int) -> None:
    """The flooding process: keeps 1,000 silent connections open until standard input ends."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    poller = select.poll()
    poller.register(0)
    silent: dict[int, socket.socket] = {}
    opened = 0
    begun = time.monotonic()
    while True:
        allowed = SILENT + int((time.monotonic() - begun) * REOPENED_PER_SECOND)
        while len(silent) < SILENT and opened < allowed:
            sock = socket.socket()
            sock.setblocking(False)
            host = "127.0.0.1" if sources == 1 else f"127.0.1.{opened % sources + 1}"
            sock.bind((host, 0))
            sock.connect_ex(("127.0.0.1", port))
            silent[sock.fileno()] = sock
            poller.register(sock, select.POLLIN | select.POLLHUP)
            opened += 1
            if opened == SILENT:
                print("open", flush=True)
        for descriptor, _ in poller.poll(5):
            if descriptor == 0:
                return
            poller.unregister(descriptor)
            silent.pop(descriptor).close()


def knock(port: int) -> float | None:
    """Milliseconds from the first SYN to the answer; None for a member who did not get in."""
    begun = time.perf_counter()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            sock.sendall(QUESTION)
            if sock.recv(100) != b"welcome\n":
                return None
    except OSError:
        return None
    return (time.perf_counter() - begun) * 1e3


@contextlib.contextmanager
def child(*words: str, log: Any = None) -> Iterator[subprocess.Popen[bytes]]:
    """This file in another process and another part; ended by the end of its standard input."""
    command = [sys.executable, "-m", "benchmarks.flood", *words]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=log) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def measure(kind: str, loop_name: str, sources: int, seconds: float) -> Outcome:
    """One server, one flood."""
    with tempfile.TemporaryFile() as log, child("server", kind, loop_name, log=log) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        for _ in range(5):
            knock(port)
        cpu_before = cpu_seconds(server.pid)
        with child("flood", str(port), str(sources)) as flood:
            assert flood.stdout is not None
            flood.stdout.readline()
            times: list[float] = []
            tries = 0
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                took = knock(port)
                tries += 1
                if took is not None:
                    times.append(took)
                time.sleep(MEMBER_EVERY)
            cpu = cpu_seconds(server.pid) - cpu_before
        size = os.fstat(log.fileno()).st_size
    source = "member's address" if sources == 1 else f"{sources} addresses"
    name = "lanline" if kind == "lanline" else "start_server"
    return Outcome(f"{name} ({loop_name})", source, times, tries, size, cpu)


def cpu_seconds(process: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measures both servers under both floods and prints one line for each."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    loop_name = sys.argv[2] if len(sys.argv) > 2 else "asyncio"
    print(f"{SILENT} silent connections, {DESCRIPTORS} descriptors, {seconds:g} s each, loopback")
    print(HEADER)
    for sources in (1, 200):
        for kind in ("lanline", "stock"):
            print(measure(kind, loop_name, sources, seconds).line(), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["server"]:
        be_server(sys.argv[2], sys.argv[3])
    elif sys.argv[1:2] == ["flood"]:
        be_flood(int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
