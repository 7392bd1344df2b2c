"""Claim: one large file leaves at 0.8 of the pace of nginx with sendfile at least, and faster than from http.server.

A file of 1 GiB in memory to curl, which throws it away, over loopback. Peers, in the same run: nginx with sendfile, and
`python -m http.server`. Reported beside them: copyparty.

Run: python -m benchmarks.share_large [ROUNDS]
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial

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
    tell,
)

SIZE_MIB = 1024


def main() -> None:
    """Measures and prints."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with ExitStack() as stack:
        folder = stack.enter_context(shared_folder())
        large_file(folder / "big.bin", SIZE_MIB * MIB)
        servers = started(stack, *(partial(make, folder) for make in (lanline, nginx, http_server, copyparty)))
        taken = in_turns(servers, lambda server: curl(server.url("big.bin")), rounds)
    claims = {"nginx": 0.8, "python -m http.server": 1.0, "copyparty": 0.0}
    tell(f"a file of {SIZE_MIB} MiB to curl", SIZE_MIB, "MiB/s", taken, claims)


if __name__ == "__main__":
    main()
