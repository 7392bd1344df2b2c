"""Claim: a folder of many small files leaves as a zip as fast as from copyparty.

10,000 files of 4 KiB in memory, as `?zip` to curl, which throws it away, over loopback; both store without compressing.
The same as tar is reported beside it.

Run: python -m benchmarks.share_zip [ROUNDS]
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial

from benchmarks.sharing import copyparty, curl, in_turns, lanline, many_files, shared_folder, started, tell

FILES = 10_000
SIZE = 4096


def main() -> None:
    """Measures and prints."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with ExitStack() as stack:
        folder = stack.enter_context(shared_folder())
        many_files(folder / "many", FILES, SIZE)
        servers = started(stack, partial(lanline, folder), partial(copyparty, folder))
        for kind in ("zip", "tar"):
            taken = in_turns(servers, lambda server, kind=kind: curl(server.url(f"many/?{kind}")), rounds)  # type: ignore[misc]
            claims = {"copyparty": 1.0 if kind == "zip" else 0.0}
            tell(f"{FILES} files of {SIZE} bytes as {kind} to curl", FILES, "files/s", taken, claims)


if __name__ == "__main__":
    main()
