"""Claim: a server holds 10,000 idle plain connections in at most 4 KiB of its memory each.

On the serving side a handler waits in `async for` for each. Peers, in the same run: a server of bare Protocols, and
asyncio streams with a task in `readline` for each connection; on uvloop and on the stock loop. Each connection has had
one message and its answer before it falls idle. Memory is the growth of the resident set of the holding process from
100 connections to the full count, after a collection; what the kernel keeps for a socket is not in it. Fewer
connections are held where the limit on open files allows no more, and it says so.

Run: python -m benchmarks.idle_plain [CONNECTIONS]
"""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.echo_pipelined import FAST, STOCK, Loop
from benchmarks.pipelines import conversing
from benchmarks.round_trip import Echo
from lanline.framing.base import Framing
from lanline.framing.length import LengthPrefixed
from lanline.framing.lines import Lines
from lanline.limits import PLAIN
from lanline.link.channel import Channel
from lanline.link.server import serve

CONNECTIONS = 10_000
WARM = 100
SPARE = 200
"""Descriptors of a process that are no connections."""

PATIENCE = 30.0


def resident_bytes() -> int:
    """The resident set of this process, after a collection."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def raise_descriptors() -> int:
    """As many as the system lets this process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


# -- the holding process --------------------------------------------------------------------------------------


async def _answer(pipe: Connection) -> None:
    """Tells its memory each time it is asked."""
    loop = asyncio.get_running_loop()
    while True:
        await loop.run_in_executor(None, pipe.recv)
        pipe.send(resident_bytes())


async def hold_protocols(pipe: Connection, _: Framing) -> None:
    """Bare Protocols."""
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=1024)
    pipe.send(server.sockets[0].getsockname()[1])
    await _answer(pipe)


async def hold_streams(pipe: Connection, _: Framing) -> None:
    """asyncio streams."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=1024)
    pipe.send(server.sockets[0].getsockname()[1])
    await _answer(pipe)


async def hold_channels(pipe: Connection, framing: Framing) -> None:
    """Channels."""

    async def echo(channel: Channel) -> None:
        async for message in channel:
            await channel.send(message)

    async with serve(echo, "tcp://127.0.0.1:0", framing=framing, limits=PLAIN) as server:
        pipe.send(server.addresses[0].port)
        await _answer(pipe)


def hold(pipe: Connection, what: Callable[..., object], framing: Framing, loop: Loop) -> None:
    """The holding process."""
    raise_descriptors()
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(what(pipe, framing))  # type: ignore[arg-type]  # one of the three above


# -- the measuring process ------------------------------------------------------------------------------------


def connect(port: int, count: int, message: bytes) -> list[socket.socket]:
    """So many connections, each after a message and its answer."""
    made = []
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        sock.sendall(message)
        assert sock.recv(1024) == message
        made.append(sock)
    return made


def measure(what: Callable[..., object], framing: Framing, loop: Loop, connections: int) -> float:
    """Bytes for each connection."""
    with conversing(hold, what, framing, loop) as (pipe, port):
        message = framing.encode(b"x" * 64)
        held = connect(port, WARM, message)
        pipe.send("how much?")
        before = pipe.recv()
        held += connect(port, connections, message)
        pipe.send("how much?")
        after = pipe.recv()
        for sock in held:
            sock.close()
    return float(after - before) / connections


def main() -> None:
    """Measures and prints."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else CONNECTIONS
    most = raise_descriptors()
    # The listener keeps to 70 % of what the process may open.
    connections = min(wanted, most * 7 // 10 - WARM, most - WARM - SPARE)
    if connections < wanted:
        print(f"ONLY {connections} connections: this process may open {most} files")
    contestants: dict[str, tuple[Callable[..., object], Framing]] = {
        "bare Protocol": (hold_protocols, Lines()),
        "asyncio streams": (hold_streams, Lines()),
        "lanline, lines": (hold_channels, Lines()),
        "lanline, length-prefixed": (hold_channels, LengthPrefixed()),
    }
    print(f"memory of one idle TCP connection, over {connections} of them, in KiB")
    for name, (what, framing) in contestants.items():
        cells = [measure(what, framing, loop, connections) / 1024 for loop in (FAST, STOCK)]
        print(f"  {name:<26} uvloop {cells[0]:>6.2f}   stock loop {cells[1]:>6.2f}", flush=True)


if __name__ == "__main__":
    main()
