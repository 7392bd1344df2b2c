"""Run by test_accept.py in a process of its own: a listener with few descriptors, and clients that fill it.

The listener lives in this process with 64 descriptors, of which all but a few are taken by open files, as a node
that reads certificates and starts programs would. The clients are a child that keeps the descriptors it was
born with. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
import os
import resource
import socket
import sys
import time
from io import StringIO
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

from lanline.address import Address
from lanline.limits import LAN
from lanline.transport import tcp
from lanline.transport.base import Listener
from lanline.transport.entrance import Entrance
from tests.transport.floods import SIGN, Welcoming

DESCRIPTORS = 64
SILENT = 150
PATIENCE = 40.0
"""Seconds for all of it, on a machine that may stand still."""


def clients(port: int, kind: str, pipe: Connection) -> None:
    """Opens silent connections, then knocks as a member five times; then closes all and knocks once more."""
    pipe.recv()  # the server is short of descriptors from here on
    silent = []
    for number in range(SILENT):
        sock = socket.socket()
        sock.bind((f"127.0.1.{number % 50 + 1}", 0))
        sock.connect(("127.0.0.1", port))
        silent.append(sock)
    answers: list[str] = []
    times: list[float] = []
    if kind == "node":
        for _ in range(5):
            begun = time.perf_counter()
            answers.append(knock(port))
            times.append(time.perf_counter() - begun)
    for sock in silent:
        sock.close()
    patience = time.monotonic() + PATIENCE / 2
    while not (is_alive := knock(port) == "yes") and time.monotonic() < patience:
        pass  # the server hears of those who left in its own time, and refuses until then
    pipe.send({"answers": answers, "middle_ms": median(times or [0.0]) * 1e3, "is_alive_after": is_alive})
    pipe.close()


def knock(port: int) -> str:
    """What a member hears: `yes`, or nothing."""
    with socket.socket() as sock:
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", port))
        try:
            sock.sendall(b"L")
            return sock.recv(10).decode()
        except ConnectionError:
            return ""


async def main(kind: str) -> dict[str, Any]:
    """Serves until the clients are done, and reports what both sides saw."""
    log = StringIO()
    logging.basicConfig(stream=log, format="%(asctime)s %(name)s %(message)s")
    listener = await _listener(kind)
    here, there = multiprocessing.Pipe()
    # fork: the child must not be short of descriptors, and inherits the limit of this moment.
    child = multiprocessing.get_context("fork").Process(target=clients, args=(listener.addresses[0].port, kind, there))
    child.start()
    there.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(DESCRIPTORS - _used() - 8)]
    here.send("go")
    done = asyncio.Event()
    asyncio.get_running_loop().add_reader(here.fileno(), done.set)
    async with asyncio.timeout(PATIENCE):
        await done.wait()
    asyncio.get_running_loop().remove_reader(here.fileno())
    report: dict[str, Any] = here.recv()
    statistics = listener.statistics()
    await listener.close()
    for descriptor in taken:
        os.close(descriptor)
    child.join()
    return report | {
        "accept_errors": statistics.accept_errors,
        "refused": statistics.refused,
        "dropped": statistics.dropped_strangers,
        "log_bytes": len(log.getvalue()),
    }


async def _listener(kind: str) -> Listener:
    place = Address("tcp", "127.0.0.1")
    if kind == "plain":
        return await tcp.listen(place, Welcoming, limits=LAN)
    return await tcp.listen_entrances(place, [Entrance("link", b"L", Welcoming)], sign=SIGN, limits=LAN)


def _used() -> int:
    return len(os.listdir("/proc/self/fd"))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1]))))
