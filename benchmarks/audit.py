"""Claim: an audit line costs what the disk costs; numbering, hashing and the journal of jobs add next to nothing.

Peer, in the same run: the plainest append there is, a ready line written and synced with fdatasync, on the same disk.

Run: python -m benchmarks.audit [ROUNDS] [FOLDER]
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import compare, measure_in_turns, report
from lanline.room.audit import AuditLog, Who
from lanline.room.chain import verify

LINES = 500
WHO = Who("anna", "operator", bytes(32))
DETAILS = {"argv": ["uname", "-a"], "rule": "allow-run"}


def _plain(folder: Path, *, sync: bool) -> None:
    descriptor = os.open(folder / "plain", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    line = b"x" * 350 + b"\n"
    for _ in range(LINES):
        os.write(descriptor, line)
        if sync:
            os.fdatasync(descriptor)
    os.close(descriptor)


def _append(log: AuditLog, *, sync: bool) -> None:
    for _ in range(LINES):
        log.append("run.end", who=WHO, job="0123456789abcdef", details=DETAILS, sync=sync)


def main() -> None:
    """Measures appending with and without sync, then checking what was written."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as place:
        folder = Path(place)
        with AuditLog(folder / "audit", segment_bytes=2**30) as log:
            calls = {
                "write and fdatasync": lambda: _plain(folder, sync=True),
                "AuditLog.append": lambda: _append(log, sync=True),
                "AuditLog.append(sync=False)": lambda: _append(log, sync=False),
            }
            rows = compare(measure_in_turns(calls, rounds), LINES, "lines/s", "write and fdatasync")
            report(f"{LINES} audit lines", rows)
        lines = verify(folder / "audit").lines
        checking = measure_in_turns({"verify": lambda: verify(folder / "audit")}, rounds)
        report(f"checking {lines} lines", compare(checking, lines, "lines/s", "verify"))


if __name__ == "__main__":
    main()
