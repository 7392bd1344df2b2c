"""Claim: small files leave at 5 times the rate of `python -m http.server` and of copyparty at least.

1,000 files of 1 KiB, asked for one after the other by wrk over 64 connections that are kept, one thread, loopback.
nginx is reported beside them.

Run: python -m benchmarks.share_small [ROUNDS]
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.sharing import (
    Server,
    Taken,
    copyparty,
    http_server,
    in_turns,
    lanline,
    many_files,
    nginx,
    shared_folder,
    started,
    tell,
)

FILES = 1000
SIZE = 1024
CONNECTIONS = 64
SECONDS = 3

SCRIPT = f"""
local requests, number = {{}}, 0
init = function()
  for each = 1, {FILES} do requests[each] = wrk.format("GET", string.format("/many/f%05d.bin", each - 1)) end
end
request = function()
  number = number % {FILES} + 1
  return requests[number]
end
"""


def wrk(server: Server, script: Path) -> float:
    """Seconds for one file, of those that came within the time."""
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(script), server.url("")]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said:
        raise SystemExit(f"{server.name} refused some: {said}")
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    assert rate, said
    return 1 / float(rate[1])


def main() -> None:
    """Measures and prints."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    if shutil.which("wrk") is None:
        raise SystemExit("this figure needs wrk")
    with ExitStack() as stack:
        folder = stack.enter_context(shared_folder())
        many_files(folder / "many", FILES, SIZE)
        script = folder / "files.lua"
        script.write_text(SCRIPT)
        servers = started(stack, *(partial(make, folder) for make in (lanline, nginx, http_server, copyparty)))
        taken = in_turns(servers, lambda server: wrk(server, script), rounds)
    claims = {"python -m http.server": 5.0, "copyparty": 5.0, "nginx": 0.0}
    # Each was asked for the same time, not for the same number of files.
    each = {name: taken.processor[name] * taken.seconds[name] / SECONDS for name in taken.seconds}
    title = f"files of {SIZE} bytes with wrk, {CONNECTIONS} connections"
    tell(title, 1, "files/s", Taken(taken.seconds, each), claims)


if __name__ == "__main__":
    main()
