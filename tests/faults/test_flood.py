"""A thousand silent connections at a node with 256 descriptors: members still get in, and the log stays small."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pytest
from tests.faults.test_strangers import Quiet

from lanline.address import Address
from lanline.link.client import open_link
from lanline.roles import Role
from lanline.room.guards import RoomGuard
from lanline.room.identity import Identity, load_identity
from lanline.room.names import certificate_name
from lanline.testing.room import Room

SILENT = 1000
DESCRIPTORS = 256

NODE = """
import asyncio, json, logging, os, pathlib, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]), int(sys.argv[2])))
logging.basicConfig(filename=sys.argv[1] + "/flood.log", level=logging.INFO)
from lanline.room.node import Node
from lanline.room.paths import StateFolder
from lanline.room.settings import Settings

async def main():
    async with Node(StateFolder(pathlib.Path(sys.argv[1])), settings=Settings("127.0.0.2", 0)) as node:
        print(node.addresses[0].port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        print(json.dumps({"alarms": node.alarms, "links": len(node.links())}), flush=True)

asyncio.run(main())
"""


@contextmanager
def many_descriptors() -> Iterator[None]:
    """This process, the attacker, may open as many files as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def silent_connections(port: int) -> list[socket.socket]:
    """Connections from fifty addresses that say nothing."""
    made = []
    for number in range(SILENT):
        sock = socket.socket()
        sock.bind((f"127.0.9.{number % 50 + 1}", 0))
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.2", port))
        made.append(sock)
    return made


async def get_in(identity: Identity, port: int) -> float:
    """How long a member takes to get a link and an answer, in seconds."""
    began = time.perf_counter()
    link = await open_link(
        Address("tcp", "127.0.0.2", port),
        RoomGuard(identity.book, identity.name, Quiet()),
        {},
        boot=b"boot-id-",
        tls=identity.connecting,
        server_name=certificate_name("hub-1", "lab"),
        timeout=15.0,
    )
    assert await link.ask("room.ping", timeout=15.0) == "pong"
    took = time.perf_counter() - began
    await link.close()
    return took


@pytest.mark.slow  # a process, and a thousand connections
def test_members_get_in_through_a_flood_and_after_it_and_the_log_stays_small(home: Path) -> None:
    room = Room(home / "lab")
    room.path.mkdir()
    room.found({"pc2": Role.MEMBER})
    identity = load_identity(room.folders["pc2"])
    folder = room.folders["hub-1"].path
    words = [sys.executable, "-c", NODE, str(folder), str(DESCRIPTORS)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node, many_descriptors():
        assert node.stdin is not None and node.stdout is not None
        port = int(node.stdout.readline())
        flood = silent_connections(port)
        during = [asyncio.run(get_in(identity, port)) for _ in range(5)]
        for sock in flood:
            sock.close()
        after = [asyncio.run(get_in(identity, port)) for _ in range(3)]
        node.stdin.close()
        report = json.loads(node.stdout.readline())
    # Not the longest: one of them may meet a machine that stands still for some seconds.
    assert median(during) < 1.0 and median(after) < 1.0, (during, after)
    assert report["alarms"] == [] and report["links"] <= 1, "the last may not be known to be over yet"
    log = (folder / "flood.log").read_text()
    assert len(log) < 100_000 and "Traceback" not in log
