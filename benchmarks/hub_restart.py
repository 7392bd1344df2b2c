"""Claim: 1,000 members are back within ten seconds after their hub has restarted.

Peer, in the same run: as many bare TLS connections with the same certificates to a server of asyncio's that does
nothing with them, 32 at a time: what the handshakes alone cost this machine. The hub is a whole node in a process of
its own, killed with SIGKILL and started again at the same port; the members are a second process with the real
standing link of each (`HubLink`: full jitter of at most 3 s), a key and an address of its own. Counted from the kill
to the last member's first news, and from the moment the new hub listens.

Run: python -m benchmarks.hub_restart [MEMBERS]
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.standins import StandIn, room_of, stand_ins
from lanline.room.hublink import HubLink
from lanline.room.node import Node
from lanline.room.paths import StateFolder
from lanline.room.presence import News
from lanline.room.settings import Settings
from lanline.testing.room import HUB, until
from lanline.transport.tls import mutual_context

MEMBERS = 1000
AT_ONCE = 32
LIMIT = 10.0


def say(**values: Any) -> None:
    """One line to the parent."""
    print(json.dumps(values), flush=True)


# -- the hub --------------------------------------------------------------------------------------------------


async def serve_hub(path: Path, port: int) -> None:
    """A whole node, until it is killed; says its figures whenever asked."""
    async with Node(StateFolder(path / HUB), settings=Settings("127.0.0.1", port)) as node:
        say(port=node.addresses[0].port, at=time.monotonic())
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            use = resource.getrusage(resource.RUSAGE_SELF)
            say(here=len(node.attendance), cpu=use.ru_utime + use.ru_stime, alarms=list(node.alarms))


class Idle(asyncio.Protocol):
    """Holds a connection and does nothing with it."""


async def serve_bare(path: Path) -> None:
    """The peer: asyncio's own TLS server."""
    folder = StateFolder(path / HUB)
    context = mutual_context("accepting", folder.node_certificate, folder.node_key, folder.authority_certificate)
    server = await asyncio.get_running_loop().create_server(Idle, "127.0.0.1", 0, ssl=context, backlog=1024)
    say(port=server.sockets[0].getsockname()[1])
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


# -- the members ----------------------------------------------------------------------------------------------


class Member:
    """One stand-in and when it last came in."""

    def __init__(self, stand_in: StandIn, port: int) -> None:
        self.is_here = False
        self.came_at = 0.0
        self._stand_in = stand_in
        self._port = port
        self.link = HubLink(HUB, self._connect, stand_in.report, self._hear, self._away)

    async def _connect(self, name: str) -> Any:
        return await self._stand_in.link_to_hub(self._port)

    def _hear(self, news: News) -> None:
        if not self.is_here:
            self.is_here, self.came_at = True, time.monotonic()

    def _away(self) -> None:
        self.is_here = False


async def be_members(path: Path, port: int, count: int) -> None:
    """All members, until the parent has enough: tells when each last came."""
    logging.disable(logging.WARNING)  # each says that its hub is away
    members = [Member(one, port) for one in stand_ins(path, count)]
    loop = asyncio.get_running_loop()
    gc.freeze()
    tasks = [loop.create_task(member.link.keep()) for member in members]
    words = loop.run_in_executor(None, sys.stdin.readline)
    while word := (await words).strip():
        since = float(word)
        await until(partial(_all_back, members, since), "everybody to come back", timeout=60)
        say(came=sorted(member.came_at for member in members))
        words = loop.run_in_executor(None, sys.stdin.readline)
    for task in tasks:
        task.cancel()


def _all_back(members: list[Member], since: float) -> bool:
    return all(member.is_here and member.came_at > since for member in members)


async def shake_hands(path: Path, port: int, count: int) -> None:
    """The peer's other side: so many handshakes, AT_ONCE at a time."""
    loop, slots, kept = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE), []

    async def one(member: StandIn) -> None:
        async with slots:
            kept.append(
                await loop.create_connection(
                    Idle,
                    "127.0.0.1",
                    port,
                    ssl=member.context(),
                    server_hostname="hub-1.lab.lanline.internal",
                    local_addr=(member.host, 0),
                )
            )

    members = stand_ins(path, count)
    for member in members:
        member.context()
    began = time.monotonic()
    await asyncio.gather(*map(one, members))
    say(seconds=time.monotonic() - began)
    os._exit(0)  # a thousand goodbyes are not what is measured


# -- the measuring process ------------------------------------------------------------------------------------


def child(*words: str) -> subprocess.Popen[str]:
    """A process of this benchmark."""
    command = [sys.executable, "-m", "benchmarks.hub_restart", *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def hear(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next line of a child."""
    assert process.stdout is not None
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def ask(process: subprocess.Popen[str], word: str) -> dict[str, Any]:
    """A word to a child, and its answer."""
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
    return hear(process)


def measure_bare(path: Path, members: int) -> float:
    """Seconds for so many bare handshakes."""
    server = child("bare", str(path))
    port = hear(server)["port"]
    client = child("shake", str(path), str(port), str(members))
    seconds = float(hear(client)["seconds"])
    for process in (client, server):
        process.kill()
        process.communicate()
    return seconds


def restart(path: Path, members: int) -> None:
    """Kills the hub and lets everybody come back; prints what it took."""
    hub = child("hub", str(path), "0")
    port = hear(hub)["port"]
    crowd = child("members", str(path), str(port), str(members))
    ask(crowd, "0")
    ask(hub, "figures")
    killed_at = time.monotonic()
    hub.send_signal(signal.SIGKILL)
    hub.communicate()
    hub = child("hub", str(path), str(port))
    listening_at = hear(hub)["at"]
    came = ask(crowd, str(killed_at))["came"]
    figures = ask(hub, "figures")
    assert figures["here"] == members, figures
    crowd.kill()
    crowd.communicate()
    hub.kill()
    hub.communicate()
    last, half = came[-1] - killed_at, statistics.median(came) - killed_at
    print(f"  killed, started, all back     {last:6.2f} s  (half of them {half:.2f} s; limit {LIMIT:.0f} s)")
    print(f"  of that until it listens      {listening_at - killed_at:6.2f} s")
    print(f"  from listening to the last    {came[-1] - listening_at:6.2f} s")
    print(f"  the hub's processor time      {figures['cpu']:6.2f} s, its own start included")
    print(f"  alarms                        {figures['alarms'] or 'none'}")
    assert last < LIMIT, f"the last member came back after {last:.1f} s"


def main(members: int) -> None:
    """The peer, then the claim."""
    print(f"{members} members come back after their hub was killed")
    with room_of(members) as path:
        bare = measure_bare(path, members)
        print(f"  as many bare TLS handshakes   {bare:6.2f} s  (asyncio on uvloop, {AT_ONCE} at a time)")
        restart(path, members)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["hub", path, port]:
            uvloop.run(serve_hub(Path(path), int(port)))
        case ["bare", path]:
            uvloop.run(serve_bare(Path(path)))
        case ["members", path, port, count]:
            uvloop.run(be_members(Path(path), int(port), int(count)))
        case ["shake", path, port, count]:
            uvloop.run(shake_hands(Path(path), int(port), int(count)))
        case [count]:
            main(int(count))
        case _:
            main(MEMBERS)
