"""A node killed at any moment (SIGKILL) starts again on its folder: nothing half, nothing lost that was said to be
done."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lanline.roles import Role
from lanline.room.chain import verify
from lanline.room.identity import load_identity
from lanline.room.lock import NodeLock
from lanline.room.node import Node
from lanline.testing.room import Room

BUSY_HUB = """
import asyncio, pathlib, sys
from lanline.link.caller import Caller
from lanline.roles import Role
from lanline.room.node import Node
from lanline.room.paths import StateFolder
from lanline.room.settings import Settings

async def main():
    node = Node(StateFolder(pathlib.Path(sys.argv[1])), settings=Settings("127.0.0.2", 0))
    node.hub.unlock(None)
    await node.start()
    owner = Caller(node.name, Role.OWNER, "", node.identity.key_hash)
    while True:
        for role in (Role.GUEST, Role.MEMBER):
            node.hub.set_role(owner, "pc2", role)
            sys.stdout.write(f"{node.identity.book.number}\\n")
            sys.stdout.flush()
            await asyncio.sleep(0)

asyncio.run(main())
"""
"""Changes a role as fast as it can, and says each roster's number once it is in force."""


@pytest.mark.slow  # a process for each kill
def test_a_hub_killed_while_it_writes_rosters_has_lost_none_that_it_told_of(home: Path, seed: int) -> None:
    room, dice = Room(home / "lab"), random.Random(seed)
    room.path.mkdir()
    room.found({"pc2": Role.MEMBER})
    folder = room.folders["hub-1"]
    told = 0
    for _ in range(5):
        hub = subprocess.Popen([sys.executable, "-c", BUSY_HUB, folder.path], stdout=subprocess.PIPE, text=True)
        assert hub.stdout is not None
        with hub.stdout as said:
            for _ in range(dice.randrange(1, 30)):
                told = int(said.readline())
            hub.send_signal(signal.SIGKILL)
            told = max([told, *(int(line) for line in said.read().splitlines() if line.strip())])
        assert hub.wait() == -signal.SIGKILL
        NodeLock(folder.lock).release()
        number = load_identity(folder).book.number
        assert told <= number <= told + 1, f"seed {seed}"
        assert not verify(folder.audit).problem


@pytest.mark.slow  # a process
def test_what_a_killed_node_left_lying_around_is_swept_and_its_socket_taken_over(home: Path) -> None:
    room = Room(home / "lab")
    room.path.mkdir()
    room.found({"pc2": Role.MEMBER})
    folder = room.folders["hub-1"]
    hub = subprocess.Popen([sys.executable, "-c", BUSY_HUB, folder.path], stdout=subprocess.PIPE, text=True)
    assert hub.stdout is not None
    with hub.stdout as said:
        assert said.readline()
        hub.kill()
    hub.wait()
    assert folder.control_socket.exists()
    (folder.path / ".roster.0123456789ab.tmp").write_bytes(b"half a roster")

    async def main() -> None:
        async with Node(folder) as node:
            assert not list(folder.path.glob(".*.tmp"))
            async with room.person("hub-1") as link:
                assert await link.ask("node.ping") == "pong"
            assert node.role is Role.OWNER

    asyncio.run(main())
