"""Rooms of real nodes in processes of their own, with all services, on disk, for the figures of the run service.

`room_on_disk` makes the state folders; `nodes` starts a process that runs some of its nodes and lets it stop at the
end. Run as a program, this file is such a process.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import uvloop

from lanline.link.link import Link
from lanline.roles import Role
from lanline.room.node import Node
from lanline.room.paths import StateFolder
from lanline.room.settings import Settings
from lanline.testing.room import HUB, Room, until
from lanline.ui.services import make_services

SOURCES = str(Path(__file__).parents[1] / "src")


@contextmanager
def room_on_disk(members: int) -> Iterator[Room]:
    """A hub and so many operators, pc2, pc3, ..., that run anything for each other. On a real disk: what is run is
    written down before, and a folder in memory would make that look free."""
    path = Path(tempfile.mkdtemp(prefix="llbench", dir="/var/tmp"))
    try:
        room = Room(path, make_services)
        room.found({f"pc{number}": Role.OPERATOR for number in range(2, members + 2)}, allow_run=True)
        yield room
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def nodes(room: Room, names: Sequence[str], hub: str = "") -> Iterator[str]:
    """A process that runs these nodes.

    Args:
        room: they belong to.
        names: of the nodes; the hub first, where it is among them.
        hub: where the hub listens, as `host:port`, unless it is among them.

    Yields:
        Where the hub listens.
    """
    places = [f"{name}={room.host(name)}" for name in names]
    argv = [sys.executable, "-m", "benchmarks.rooms", str(room.path), hub, *places]
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": SOURCES}
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        place = process.stdout.readline().decode().strip()
        if not place:
            raise SystemExit("the nodes did not start")
        yield place
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


@asynccontextmanager
async def linked_pair() -> AsyncIterator[tuple[Room, Link]]:
    """A room, and the link from pc2, in this process with the hub, to pc3, in a process of its own."""
    with room_on_disk(2) as room:
        await room.start(HUB, "pc2")
        try:
            hub = room.hub.addresses[0]
            with nodes(room, ["pc3"], f"{hub.host}:{hub.port}"):
                await until(lambda: "pc3" in room["pc2"].online(), "pc3 to come")
                yield room, await room["pc2"].link_to("pc3")
        finally:
            await room.stop_all()


def lanline(room: Room, name: str, *words: str) -> list[str]:
    """The command line with these words at one machine."""
    return [sys.executable, "-m", "lanline", "--home", str(room.folders[name].path), *words]


async def _serve(place: Path, hub: str, hosts: Sequence[str]) -> None:
    running = []
    for one in hosts:
        name, _, host = one.partition("=")
        node = Node(
            StateFolder(place / name), version="bench", settings=Settings(host, 0, (hub,) if name != HUB else ())
        )
        node.host(make_services(node))
        await node.start()
        running.append(node)
        if name == HUB:
            hub = f"{node.addresses[0].host}:{node.addresses[0].port}"
    print(hub, flush=True)
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, over.set)
    await over.wait()
    asyncio.get_running_loop().remove_reader(0)
    for node in reversed(running):
        await node.stop()


if __name__ == "__main__":
    uvloop.run(_serve(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
