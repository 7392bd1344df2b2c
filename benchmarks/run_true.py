"""Claim: `true` on another node through an open link, policy and audit included, takes at most twice as long as a local
`subprocess.run`, half as long as asyncssh on an open connection, a sixth of ssh with a ControlMaster.

All in one run and in turns. lanline by library call from this process to a node in another process, with its state on
disk: the line that is synced before the process starts is in the figure. asyncssh and ssh talk to the same sshd.

Run: python -m benchmarks.run_true [RUNS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable
from time import perf_counter

import asyncssh
import uvloop

from benchmarks.rooms import linked_pair
from benchmarks.sshd import Peer, sshd
from lanline.link.link import Link
from lanline.services.run.spec import Started, new_spec

RUNS = 300
BATCH = 10
LOCAL = "subprocess.run, local"
LANLINE = "lanline, open link"


async def through_link(link: Link) -> None:
    """One run by library call, of a caller that has nothing to say meanwhile."""
    async with link.open("run.start", new_spec(("true",)), items=Started, last=True) as call:
        async for _ in call:
            pass
        assert call.result[0] == ["exited", 0], call.result


async def local() -> None:
    """What Python does without any of us."""
    subprocess.run(["true"], stdin=subprocess.DEVNULL, capture_output=True, check=True)  # noqa: ASYNC221


async def through_master(peer: Peer) -> None:
    """One ssh process that uses an open connection."""
    words = peer.ssh("-S", str(peer.folder / "master"), "127.0.0.1", "true")
    subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=True)  # noqa: ASYNC221


async def through_asyncssh(connection: asyncssh.SSHClientConnection) -> None:
    """One command on an open connection."""
    done = await connection.run("true", check=True)
    assert done.exit_status == 0


async def in_turns(ways: dict[str, Callable[[], Awaitable[None]]], runs: int) -> dict[str, list[float]]:
    """Milliseconds of each run of each way. They take turns in tens, so that each is warm and none has a calm moment of
    the machine for itself; the first of each ten does not count."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(max(1, runs // BATCH)):
        for name, way in ways.items():
            await way()
            for _ in range(BATCH):
                began = perf_counter()
                await way()
                taken[name].append((perf_counter() - began) * 1000)
    return taken


async def measure(link: Link, runs: int) -> None:
    """All contestants against one sshd and one node."""
    with sshd() as peer:
        master = ["-M", "-S", str(peer.folder / "master"), "-N", "-f", "127.0.0.1"]
        subprocess.run(peer.ssh(*master), check=True)  # noqa: ASYNC221
        try:
            connecting = asyncssh.connect(
                "127.0.0.1", config=[str(peer.config)], known_hosts=None, client_keys=[str(peer.key)]
            )
            async with connecting as connection:
                ways = {
                    LOCAL: local,
                    LANLINE: lambda: through_link(link),
                    "asyncssh, open connection": lambda: through_asyncssh(connection),
                    "ssh, ControlMaster": lambda: through_master(peer),
                }
                taken = await in_turns(ways, runs)
        finally:
            subprocess.run(peer.ssh("-S", str(peer.folder / "master"), "-O", "exit", "127.0.0.1"), capture_output=True)  # noqa: ASYNC221
    show(taken)


def show(taken: dict[str, list[float]]) -> None:
    """Medians and tenth percentiles, each beside lanline's."""
    print(f"\none `true`, {len(taken[LOCAL])} runs each, in turns; ms")
    print(f"  {'':<26} {'median':>8} {'fastest tenth':>14} {'median / lanline':>17}")
    own = statistics.median(taken[LANLINE])
    for name, times in taken.items():
        middle = statistics.median(times)
        print(f"  {name:<26} {middle:>8.2f} {statistics.quantiles(times, n=10)[0]:>14.2f} {middle / own:>16.2f}x")


async def main(runs: int) -> None:
    """The hub and pc2 in this process, pc3 in another one."""
    async with linked_pair() as (_, link):
        await measure(link, runs)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS))
