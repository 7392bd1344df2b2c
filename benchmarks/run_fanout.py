"""Claim: `lanline run @all --yes -- hostname` on 100 nodes takes a tenth of what clush takes, both from process start.

Peer, in the same run and in turns: clush with a fan-out of 64 to the same number of addresses of sshd on this machine.
The nodes are real ones with mutual TLS, on addresses of their own in 127.0.0.0/8, in two processes; their links are
open, as those of a resident node are, since that is what resident nodes are for. The first fan-out, which opens them,
is shown too.

Run: python -m benchmarks.run_fanout [NODES]
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from time import perf_counter

from benchmarks.measure import compare, measure_in_turns, report
from benchmarks.rooms import lanline, nodes, room_on_disk
from benchmarks.sshd import Peer, sshd
from lanline.testing.room import HUB, Room

NODES = 100
FAN_OUT = 64
ROUNDS = 5


def once(argv: list[str], lines: int) -> None:
    """One fan-out, which must have as many lines of output as there are machines."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    got = done.stdout.count(b"\n")
    assert got == lines, f"{got} of {lines} machines answered: {done.stderr.decode(errors='replace')[:500]}"


def clush(peer: Peer, count: int) -> list[str]:
    """The words of the peer."""
    program = shutil.which("clush")
    if program is None:
        raise SystemExit("this figure needs its peer: install clustershell")
    return [program, "-f", str(FAN_OUT), "-w", f"127.3.0.[1-{count}]", "-o", f"-F {peer.config}", "hostname"]


def wait_together(room: Room, count: int) -> None:
    """Waits until the hub sees all of them."""
    deadline = perf_counter() + 60
    while perf_counter() < deadline:
        done = subprocess.run(lanline(room, HUB, "who", "@online"), capture_output=True)
        if done.stdout.count(b"\n") >= count:
            return
    raise SystemExit("the nodes did not meet within a minute")


def main(count: int) -> None:
    """Half of the nodes in one process, half in another."""
    with room_on_disk(count - 1) as room, sshd([f"127.3.0.{number}" for number in range(1, count + 1)]) as peer:
        names = list(room.folders)
        with nodes(room, names[: count // 2]) as hub, nodes(room, names[count // 2 :], hub):
            wait_together(room, count)
            words = lanline(room, HUB, "run", "@all", "--yes", "-q", "--", "hostname")
            began = perf_counter()
            once(words, count)
            print(f"\nthe first fan-out to {count} nodes, which opens the links: {perf_counter() - began:.3f} s")
            ways = {
                "clush -f 64": lambda: once(clush(peer, count), count),
                "lanline run @all": lambda: once(words, count),
            }
            seconds = measure_in_turns(ways, ROUNDS)
            title = f"hostname on {count} machines, from process start; machines a second"
            report(title, compare(seconds, count, "machines/s", "clush -f 64"))
            print("  " + ", ".join(f"{name}: {taken:.3f} s" for name, taken in seconds.items()))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else NODES)
