"""Claim: one large file leaves at 0.8 of the pace of nginx with sendfile at least, and faster than from http.server.

A file of 1 GiB in memory to curl, which throws it away, over loopback. Peers, in the same run: nginx with sendfile, and
`python -m http.server`. Reported beside them: copyparty.

Run: python -m benchmarks.share_large [ROUNDS]
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial

from benchmarks.measure import compare, report
from benchmarks.sharing import (
    MIB,
    copyparty,
    curl,
    http_server,
    in_turns,
    lanline,
    large_file,
    nginx,
    shared_folder,
    started,
    verdict,
)

SIZE_MIB = 1024


def main() -> None:
    """Measures and prints."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with ExitStack() as stack:
        folder = stack.enter_context(shared_folder())
        large_file(folder / "big.bin", SIZE_MIB * MIB)
        servers = started(stack, *(partial(make, folder) for make in (lanline, nginx, http_server, copyparty)))
        seconds = in_turns({each.name: partial(curl, each.url("big.bin")) for each in servers}, rounds)
    for peer, least in (("nginx", 0.8), ("python -m http.server", 1.0)):
        if peer in seconds:
            report(f"a file of {SIZE_MIB} MiB to curl, against {peer}", compare(seconds, SIZE_MIB, "MiB/s", peer))
            verdict(f"times {peer}", seconds[peer] / seconds["lanline"], least)


if __name__ == "__main__":
    main()
