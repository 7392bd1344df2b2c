"""Claim: a large file is taken by PUT as fast as by copyparty without its checksum.

1 GiB from curl (`-T`, without `Expect`) into a folder in memory, over loopback. What was written is removed before each
round, outside of what is measured.

Run: python -m benchmarks.share_put [ROUNDS]
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

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
    tell,
)

SIZE_MIB = 1024


def put(server: Server, source: Path, folder: Path) -> float:
    """One upload; checks that it has arrived whole, and removes it."""
    seconds = curl("-T", str(source), "-H", "Expect:", server.url("up.bin"))
    arrived = [file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")]
    assert [file.stat().st_size for file in arrived] == [SIZE_MIB * MIB], f"{server.name}: {arrived}"
    arrived[0].unlink()
    return seconds


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
        taken = in_turns(servers, lambda server: put(server, source, folders[server.name]), rounds)
    title = f"a file of {SIZE_MIB} MiB from curl by PUT, copyparty without checksum"
    tell(title, SIZE_MIB, "MiB/s", taken, {"copyparty": 1.0})


if __name__ == "__main__":
    main()
