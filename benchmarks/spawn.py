"""How long `true` takes from the wish to the outcome, through each way a Python server can start it.

Claims: a `Job` takes at most 1.3 times as long as `subprocess.run`, and no longer in a process of 500 MB,
where the subprocess API of uvloop copies page tables for some 18 ms and stops its loop for as long. Every way
runs in this one process in turns, so that load on the machine hits all alike; medians are compared.

Run: python benchmarks/spawn.py [--rounds N]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
from collections.abc import Awaitable, Callable
from time import perf_counter

import uvloop

from lanline.services.run import process
from lanline.services.run.command import Command
from lanline.services.run.mark import marked
from lanline.services.run.table import JobTable

HEAP_BYTES = 500 * 1024 * 1024
BATCH = 20


async def through_asyncio() -> None:
    child = await asyncio.create_subprocess_exec(
        "true", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    await child.communicate()


async def through_run() -> None:
    subprocess.run(["true"], stdin=subprocess.DEVNULL, capture_output=True, check=True)  # noqa: ASYNC221


def through_job(table: JobTable) -> Callable[[], Awaitable[None]]:
    async def once() -> None:
        job = await table.start(Command(("true",)), caller="benchmark")
        await job.discard()

    return once


async def measure(way: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Milliseconds of one call, and the longest time in which the loop did nothing else during it."""
    loop = asyncio.get_running_loop()
    stall = 0.0
    last = perf_counter()
    is_over = False

    def tick() -> None:
        nonlocal stall, last
        now = perf_counter()
        stall, last = max(stall, now - last), now
        if not is_over:
            loop.call_soon(tick)

    began = perf_counter()
    await way()
    took = perf_counter() - began
    last = perf_counter()
    tick()
    await way()
    is_over = True
    await asyncio.sleep(0)
    return took * 1e3, stall * 1e3


async def compare(rounds: int, names: str) -> dict[str, list[tuple[float, float]]]:
    table = await JobTable.open("benchmark")
    ways = {f"Job on {names}": through_job(table), f"{names} subprocess": through_asyncio}
    if names == "asyncio":
        ways = {"subprocess.run": through_run, **ways}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name] += [await measure(way) for _ in range(BATCH)]
    await table.close()
    return found


def report(title: str, rounds: int) -> None:
    print(f"\n{title}: ms for one `true`, median and p99; longest stall of the loop, median")
    found = asyncio.run(compare(rounds, "asyncio")) | uvloop.run(compare(rounds, "uvloop"))
    base = statistics.median(took for took, _ in found["subprocess.run"])
    for name, pairs in found.items():
        took = sorted(took for took, _ in pairs)
        stall = statistics.median(stall for _, stall in pairs)
        middle = statistics.median(took)
        ratio = middle / base
        print(f"  {name:20} {middle:7.3f}  p99 {took[len(took) * 99 // 100]:7.3f}  stall {stall:7.3f}  {ratio:5.2f} x")


def scans() -> None:
    began = perf_counter()
    marked(1)
    took = perf_counter() - began
    print(f"\nscan of {len(process.pids())} processes for a mark: {took * 1e3:.2f} ms")


async def throughput() -> None:
    table = await JobTable.open("benchmark")
    began = perf_counter()
    job = await table.start(Command(("head", "-c", "1G", "/dev/zero")), caller="benchmark")
    ended = await job.discard()
    print(f"1 GiB of output read and dropped: {ended.out_bytes / (perf_counter() - began) / 1e9:.2f} GB/s")
    await table.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5, help=f"rounds of {BATCH} calls (default 5)")
    rounds = parser.parse_args().rounds
    report("small parent", rounds)
    heap = bytearray(b"x") * HEAP_BYTES
    report(f"parent of {len(heap) >> 20} MB", rounds)
    scans()
    asyncio.run(throughput())
    uvloop.run(throughput())


if __name__ == "__main__":
    main()
