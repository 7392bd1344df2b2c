"""Claim: 1 GiB of command output over one link with mutual TLS takes no longer than over ssh with aes128-gcm.

Peer, in the same run and in turns: OpenSSH's own client and server on this machine. lanline twice: by library call
(this process, one link, the node that runs the command in another process), and through the command line (`lanline run
pc3 --raw`, which goes through the local node: one process and one Unix socket more). Every way ends in counting or
dropping the bytes, not in a file.

Run: python -m benchmarks.run_output [MIB]
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Coroutine
from typing import Any

import uvloop

from benchmarks.measure import compare, measure_in_turns, report
from benchmarks.rooms import lanline, linked_pair
from benchmarks.sshd import sshd
from lanline.link.link import Link
from lanline.services.run.spec import Started, new_spec
from lanline.testing.room import Room

MIB = 1024
ROUNDS = 7
WINDOW = 4 * 1024 * 1024


async def through_link(link: Link, size: int) -> None:
    """One command by library call; every byte is received and counted."""
    received = 0
    async with link.open(
        "run.start", new_spec(("head", "-c", str(size), "/dev/zero")), items=Started, window=WINDOW
    ) as call:
        async for item in call:
            if type(item) is not Started:
                received += len(item) - 1
    assert received == size, f"{received} of {size} bytes came"


def dropped(argv: list[str]) -> None:
    """A command line whose output nobody wants."""
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)


async def measure(room: Room, link: Link, size: int) -> None:
    """All contestants in turns, from a thread, while this loop serves pc2."""
    loop = asyncio.get_running_loop()

    def wait(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result()

    with sshd() as peer:
        words = ("head", "-c", str(size), "/dev/zero")
        ways = {
            "ssh, aes128-gcm": lambda: dropped(peer.ssh("127.0.0.1", *words)),
            "lanline, library call": lambda: wait(through_link(link, size)),
            "lanline run --raw": lambda: dropped(lanline(room, "pc2", "run", "pc3", "--raw", "-q", "--", *words)),
        }
        seconds = await asyncio.to_thread(measure_in_turns, ways, ROUNDS)
    report(
        f"{size >> 20} MiB of output, both ends on this machine",
        compare(seconds, size / 1e6, "MB/s", "ssh, aes128-gcm"),
    )


async def main(size: int) -> None:
    """The hub and pc2 in this process, pc3 in another one."""
    async with linked_pair() as (room, link):
        await measure(room, link, size)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1] if len(sys.argv) > 1 else MIB) << 20))
