"""Claim: a message through a channel comes back within 1.25 times the time that a bare asyncio Protocol takes.

64 bytes over TCP on loopback, one outstanding, the server in a process of its own: the median of many round trips, as
a blocking socket measures them. Peers, in the same run: a Protocol that writes what it gets, on the same loop, and
asyncio streams. Contestants take turns, some hundred round trips at a time. Where there are several cores, servers have
the first and the client the last: left to the system, a pair that shares a core wins or loses by that alone.

Run: python -m benchmarks.round_trip [ROUNDS]
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import sys
import time
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import cast

from benchmarks.echo_pipelined import FAST, MESSAGE, STOCK, Loop, serve_lanline, serve_streams
from benchmarks.pipelines import READ_BYTES, served, tell
from lanline.framing.length import LengthPrefixed
from lanline.framing.lines import Lines

TRIPS = 500
WARM = 50


class Echo(asyncio.Protocol):
    """As bare as can be."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self.write = cast(asyncio.WriteTransport, transport).write

    def data_received(self, data: bytes) -> None:
        """Gives back what came."""
        self.write(data)


def serve_protocol(ready: Connection, _: object, loop: Loop) -> None:
    """A bare Protocol."""

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
        tell(ready, server.sockets[0].getsockname()[1])
        await server.serve_forever()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


def trips(sock: socket.socket, question: bytes) -> list[float]:
    """Seconds of each round trip, those that warm up left out."""
    taken = []
    for _ in range(WARM + TRIPS):
        began = time.perf_counter()
        sock.sendall(question)
        came = 0
        while came < len(question):
            came += len(sock.recv(READ_BYTES))
        taken.append(time.perf_counter() - began)
    return taken[WARM:]


def contest(loop_name: str, loop: Loop, rounds: int) -> None:
    """Everybody in turns, on one kind of loop."""
    contestants = {
        "bare Protocol": (serve_protocol, Lines()),
        "asyncio streams, lines": (serve_streams, Lines()),
        "lanline, raw": (serve_lanline, None),
        "lanline, lines": (serve_lanline, Lines()),
        "lanline, length-prefixed": (serve_lanline, LengthPrefixed()),
    }
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    cores = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, cores)
        os.sched_setaffinity(0, cores[:1])  # servers inherit it
        sockets: dict[str, tuple[socket.socket, bytes]] = {}
        for name, (what, framing) in contestants.items():
            port = stack.enter_context(served(what, framing, loop))
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sockets[name] = sock, MESSAGE if framing is None else framing.encode(MESSAGE)
        os.sched_setaffinity(0, cores[-1:])
        for _ in range(rounds):
            for name, (sock, question) in sockets.items():
                taken[name] += trips(sock, question)
    print(f"\nround trip of {len(MESSAGE)} bytes over TCP, {loop_name}, {rounds} rounds of {TRIPS}, in microseconds")
    peer = statistics.median(taken["bare Protocol"])
    for name, seconds in taken.items():
        median, late = statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]
        print(f"  {name:<26} p50 {median * 1e6:>6.1f}   p99 {late * 1e6:>7.1f}   p50 {median / peer:>5.2f} x")


def main() -> None:
    """Measures and prints."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    for loop_name, loop in (("uvloop", FAST), ("stock loop", STOCK)):
        contest(loop_name, loop, rounds)


if __name__ == "__main__":
    main()
