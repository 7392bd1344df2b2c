"""The real `lanline share` in a process of its own, before programs that know nothing of lanline.

A program that is missing is a skip that names its package, and a failure with LANLINE_NO_SKIPS=1.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ui.served import Served, spawned
from tests.ui.terminal import environment

PATIENCE = 60.0
"""Seconds that a program has; what is asked of it takes a fraction of one."""

ODD_NAMES = (
    "plain.txt",
    " spaces  within .txt",
    "Ümläut ß.txt",
    "文件 名.txt",
    "100%.txt",
    "%zz and %.txt",
    "#fragment.txt",
    "what?.txt",
    "a&b=c;d+e.txt",
    "quotes ' and \".txt",
    "[a]{b}<c>.txt",
    "colon:x~.txt",
)
"""Names that are something else in a URL, in HTML or in a shell. The program meets each of them in a folder too."""


class Share:
    """A share that serves.

    Args:
        process: the server.
        url: where it is, with a slash at its end.
    """

    def __init__(self, process: Served, url: str) -> None:
        self.process = process
        self.url = url

    def log(self) -> list[dict[str, Any]]:
        """Ends the server; every request that it has answered, in order."""
        assert self.process.stop() == 0, self.process.err
        return [
            json.loads(line) for line in self.process.err.splitlines() if line.startswith("{") and '"status"' in line
        ]


@contextmanager
def shared(place: Path, *options: str, **more: str) -> Iterator[Share]:
    """Shares within the block, at a free port of this machine. `more` are variables of its environment."""
    with spawned("share", str(place), "--port", "0", "--log", "json", *options, more=more) as process:
        event = process.wait("sharing")
        yield Share(process, next(row["url"] for row in event["addresses"] if "127.0.0.1" in row["url"]))


def program(name: str) -> str:
    """Where the program is, or a skip that says what to install."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install {name}")
    return found


def ran(words: list[str], cwd: Path, *, stdin: bytes = b"", code: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Runs a program that must end with this exit code."""
    done = subprocess.run(
        words,
        input=stdin,
        capture_output=True,
        timeout=PATIENCE,
        cwd=cwd,
        env=environment(HOME=os.environ["HOME"], LC_ALL="C.UTF-8"),
        check=False,
    )
    assert done.returncode == code, (words, done.returncode, done.stdout[-500:], done.stderr[-500:])
    return done


def noise(path: Path, count: int, seed: int) -> bytes:
    """Writes so many random bytes into a new file; returns them."""
    data = random.Random(seed).randbytes(count)
    path.write_bytes(data)
    return data
