"""How long `lanline who` takes on a running node, from process start to its end, against `python -c pass`.

Claim: within 7 times. A room with one node is founded in a temporary folder and serves on 127.0.0.1 throughout; the two
take turns, and each is run once before it counts, so that bytecode is on disk for both.

Run: python -m benchmarks.startup [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.measure import measure_in_turns

LIMIT = 7.0
PYTHON = "python -c pass"


def command() -> list[str]:
    """The installed command `lanline`; where there is none beside this Python, the module."""
    script = Path(sys.executable).with_name("lanline")
    return [str(script)] if script.exists() else [sys.executable, "-m", "lanline"]


def settings(home: str) -> dict[str, str]:
    """The environment of every process measured: bytecode may be written, as for an installed package."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    source = str(Path(__file__).parents[1] / "src")
    return {**kept, "PYTHONPATH": source, "PYTHONPYCACHEPREFIX": f"{home}/bytecode", "LANLINE_HOME": f"{home}/state"}


def run(words: Sequence[str], environment: Mapping[str, str]) -> None:
    """One process, from start to end, its output thrown away."""
    subprocess.run(words, env=environment, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=25, help="runs of each, at least 15 (default 25)")
    rounds = max(15, parser.parse_args().rounds)
    with tempfile.TemporaryDirectory(prefix="ll") as home:
        environment, word = settings(home), command()
        found = ["init", "--no-passphrase", "--name", "bench", "--bind", "127.0.0.1", "--port", "0", "--detach"]
        try:
            run([*word, *found], environment)
            calls: dict[str, Callable[[], object]] = {
                PYTHON: partial(run, [sys.executable, "-c", "pass"], environment),
                "lanline who": partial(run, [*word, "who"], environment),
                "lanline --version": partial(run, [*word, "--version"], environment),
            }
            taken = measure_in_turns(calls, rounds)
        finally:
            run([*word, "down"], environment)
    print(f"from process start to its end, medians of {rounds} rounds in turns; claim: who within {LIMIT:g} x")
    for name, seconds in taken.items():
        print(f"  {name:20} {seconds * 1e3:7.1f} ms  {seconds / taken[PYTHON]:5.2f} x")


if __name__ == "__main__":
    main()
