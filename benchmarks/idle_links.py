"""Claim: a node holds 1,000 idle authenticated links in at most 64 KiB of memory each.

Peer, in the same run: a server of asyncio's own that holds as many TLS connections with the same certificates and
does nothing with them, on the stock event loop and on uvloop. Memory is the growth of the resident set of the holding
process from 50 connections to 1,050, after a collection, so that code and first buffers do not count. The connecting
side is a process of its own. Two cases for the node: links alone, as a member has them with other members, and a hub
with its standing call for each.

Run: python -m benchmarks.idle_links [LINKS]
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.standins import PATIENT, StandIn, room_of, stand_ins
from lanline.room.node import Node
from lanline.room.paths import StateFolder
from lanline.room.settings import Settings
from lanline.testing.room import HUB
from lanline.transport.tls import mutual_context

LINKS = 1000
WARM = 50
AT_ONCE = 32
WORDS = {
    "bare": "a server of asyncio's that does nothing",
    "links": "a node, links alone",
    "hub": "a hub, with a standing call for each",
}
LOOPS = ("asyncio", "uvloop")


def resident_bytes() -> int:
    """The resident set of this process, after a collection."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


async def stdin_line() -> str:
    """The next word of the parent."""
    line: str = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    return line.strip()


def say(**values: Any) -> None:
    """One line to the parent."""
    print(json.dumps(values), flush=True)


# -- the holding process --------------------------------------------------------------------------------------


class Idle(asyncio.Protocol):
    """Holds a connection and does nothing with it."""

    held: set[Idle] = set()  # noqa: RUF012 - of the process

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """One more."""
        self.transport = transport
        Idle.held.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """One less."""
        Idle.held.discard(self)


async def hold_bare(path: Path) -> None:
    """asyncio's own server."""
    folder = StateFolder(path / HUB)
    context = mutual_context("accepting", folder.node_certificate, folder.node_key, folder.authority_certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Idle, "127.0.0.1", 0, ssl=context, backlog=1024, ssl_handshake_timeout=30)
    say(port=server.sockets[0].getsockname()[1])
    while (word := await stdin_line()) != "end":
        say(bytes=resident_bytes(), held=len(Idle.held), word=word)
    server.close()


async def hold_links(path: Path) -> None:
    """A whole node."""
    node = Node(StateFolder(path / HUB), settings=Settings("127.0.0.1", 0), limits=PATIENT)
    async with node:
        say(port=node.addresses[0].port)
        while (word := await stdin_line()) != "end":
            say(bytes=resident_bytes(), held=len(node.links()), word=word)


def hold(kind: str, loop: str, path: Path) -> None:
    """The holding process."""
    work = hold_bare if kind == "bare" else hold_links
    factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(work(path))


# -- the connecting process -----------------------------------------------------------------------------------


async def connect(kind: str, path: Path, port: int, count: int) -> None:
    """Opens so many connections at each word of the parent, and keeps them."""
    waiting = iter(stand_ins(path, count))
    kept: list[object] = []
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(member: StandIn) -> None:
        async with slots:
            if kind == "bare":
                kept.append(
                    await asyncio.get_running_loop().create_connection(
                        asyncio.Protocol,
                        "127.0.0.1",
                        port,
                        ssl=member.context(),
                        server_hostname="hub-1.lab.lanline.internal",
                        local_addr=(member.host, 0),
                    )
                )
                return
            link = await member.link_to_hub(port)
            kept.append(link)
            if kind == "hub":
                call = link.open("room.attend", member.report(), last=True)
                await call.receive()
                kept.append((call, asyncio.get_running_loop().create_task(_hear(call))))

    while (word := await stdin_line()) != "end":
        await asyncio.gather(*(one(next(waiting)) for _ in range(int(word))))
        say(opened=len(kept))


async def _hear(call: Any) -> None:
    async for _ in call:
        pass


# -- the measuring process ------------------------------------------------------------------------------------


def child(*words: str) -> subprocess.Popen[str]:
    """A process of this benchmark."""
    command = [sys.executable, "-m", "benchmarks.idle_links", *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(process: subprocess.Popen[str], word: str) -> dict[str, Any]:
    """A word to a child, and its answer."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def end(process: subprocess.Popen[str]) -> None:
    """Ends a child."""
    process.communicate("end\n", timeout=60)


def measure(kind: str, loop: str, path: Path, links: int) -> float:
    """Bytes for each of so many connections."""
    holder = child("hold", kind, loop, str(path))
    assert holder.stdout is not None
    port = json.loads(holder.stdout.readline())["port"]
    connecting = child("connect", kind, str(path), str(port), str(links + WARM))
    ask(connecting, str(WARM))
    before = ask(holder, "warm")
    ask(connecting, str(links))
    after = ask(holder, "full")
    assert after["held"] - before["held"] == links, (before, after)
    end(connecting)
    end(holder)
    return float(after["bytes"] - before["bytes"]) / links


def main(links: int) -> None:
    """Every kind on every loop."""
    print(f"memory of one idle connection with mutual TLS, over {links} of them, in KiB")
    figures: dict[tuple[str, str], float] = {}
    with room_of(links + WARM) as path:
        for loop in LOOPS:
            for kind in WORDS:
                figures[kind, loop] = measure(kind, loop, path, links) / 1024
    for kind in WORDS:
        cells = "  ".join(f"{loop} {figures[kind, loop]:7.1f}" for loop in LOOPS)
        print(f"  {WORDS[kind]:<42} {cells}")
    for kind in ("links", "hub"):
        more = figures[kind, "uvloop"] - figures["bare", "uvloop"]
        print(f"  {WORDS[kind]}, above bare TLS on uvloop: {more:.1f} KiB")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["hold", kind, loop, path]:
            hold(kind, loop, Path(path))
        case ["connect", kind, path, port, count]:
            uvloop.run(connect(kind, Path(path), int(port), int(count)))
        case [count]:
            main(int(count))
        case _:
            main(LINKS)
