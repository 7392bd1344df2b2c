"""Claim: a large file is taken by PUT as fast as by copyparty without its checksum.

1 GiB from curl (`-T`, without `Expect`) into a folder in memory, over loopback. What was written is removed before each
round, outside of what is measured.

Run: python -m benchmarks.share_put [ROUNDS]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.measure import compare, report
from benchmarks.sharing import (
    MIB,
    Server,
    copyparty,
    curl,
    in_turns,
    lanline,
    large_file,
    shared_folder,
    started,
    verdict,
)

SIZE_MIB = 1024


def putting(server: Server, source: Path, folder: Path) -> Callable[[], float]:
    """One upload; checks that it has arrived whole, and removes it."""

    def put() -> float:
        seconds = curl("-T", str(source), "-H", "Expect:", server.url("up.bin"))
        arrived = list(folder.iterdir())
        assert [file.stat().st_size for file in arrived] == [SIZE_MIB * MIB], f"{server.name}: {arrived}"
        arrived[0].unlink()
        return seconds

    return put


def main() -> None:
    """Measures and prints."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with ExitStack() as stack:
        origin = stack.enter_context(shared_folder())
        source = origin / "big.bin"
        large_file(source, SIZE_MIB * MIB)
        ours, theirs = stack.enter_context(shared_folder()), stack.enter_context(shared_folder())
        servers = started(stack, partial(lanline, ours, "--upload"), partial(copyparty, theirs))
        folders = {"lanline": ours, "copyparty": theirs}
        seconds = in_turns({each.name: putting(each, source, folders[each.name]) for each in servers}, rounds)
    if "copyparty" in seconds:
        title = f"a file of {SIZE_MIB} MiB from curl by PUT, against copyparty without checksum"
        report(title, compare(seconds, SIZE_MIB, "MiB/s", "copyparty"))
        verdict("times copyparty", seconds["copyparty"] / seconds["lanline"], 1.0)


if __name__ == "__main__":
    main()
