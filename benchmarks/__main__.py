"""Every benchmark, one after the other, each in its own process: `python -m benchmarks [NAME...]`, or `make bench`.

A benchmark that fails does not keep the others from running; the exit code tells how many did.
"""

from __future__ import annotations

import subprocess
import sys

NAMES = (
    "run_true",
    "run_fanout",
    "startup",
    "asks",
    "echo_pipelined",
    "round_trip",
    "fan_out",
    "idle_plain",
    "run_output",
    "idle_links",
    "flood",
    "hub_restart",
    "spawn",
    "audit",
    "time_answers",
    "share_large",
    "share_small",
    "share_zip",
    "share_put",
    "share_slow",
    "framing_decode",
    "clean",
)
"""First what a person feels, then what it rests on."""


def main() -> int:
    """Runs the benchmarks that were named, or all.

    Returns:
        How many failed.
    """
    failed = 0
    for name in sys.argv[1:] or NAMES:
        print(f"== {name}", flush=True)
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
