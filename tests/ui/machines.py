"""Machines for tests: real nodes in processes of their own, on 127.0.0.x with free ports and short state folders.

A machine is driven as a person drives it, by command lines. Whatever it started is ended by its process id.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.ui.terminal import environment

from lanline.room.local import connect_local
from lanline.room.paths import StateFolder
from lanline.room.records import MemberLine

PATIENCE = 15.0
AS_ROOT = ("--allow-root",) if os.geteuid() == 0 else ()
"""Tests may run as root; a node then needs to be told that it may run commands."""


class Done(NamedTuple):
    """A command line that has ended."""

    code: int
    out: str
    err: str


class Machine:
    """One state folder, and the command lines run with it.

    Args:
        home: the folder's path; need not exist.
        host: the address its node listens on.
    """

    def __init__(self, home: Path, host: str = "127.0.0.1") -> None:
        self.home = home
        self.host = host
        self.folder = StateFolder(home)

    def settings(self, **more: str) -> dict[str, str]:
        """The environment of its processes."""
        return environment(LANLINE_HOME=str(self.home), HOME=str(self.home.parent), **more)

    def words(self, *words: str) -> list[str]:
        """The argument list of one command line."""
        return [sys.executable, "-P", "-m", "lanline", *words]

    def run(self, *words: str, stdin: str = "", **more: str) -> Done:
        """One command line, from start to end, without a terminal."""
        done = subprocess.run(
            self.words(*words),
            input=stdin.encode(),
            capture_output=True,
            timeout=PATIENCE,
            env=self.settings(**more),
            start_new_session=True,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def good(self, *words: str, stdin: str = "", **more: str) -> str:
        """Standard output of a command line that must succeed."""
        done = self.run(*words, stdin=stdin, **more)
        assert done.code == 0, done
        return done.out

    def serving(self, name: str) -> list[str]:
        """Options of a node on its address."""
        return ["--name", name, "--bind", self.host, "--port", "0", "--detach"]

    def found(self, *more: str, stdin: str = "") -> None:
        """Founds the room `lab` as `desk` and serves; without a passphrase unless one is given."""
        passphrase = () if "--passphrase-file" in more else ("--no-passphrase",)
        self.good("init", "--room", "lab", *self.serving("desk"), *passphrase, *more, stdin=stdin)

    def join(self, hub: Machine, name: str, *more: str) -> None:
        """Joins that hub's room and serves."""
        self.good("join", hub.place(), *self.serving(name), *more, LANLINE_CODE=hub.good("invite").strip())

    def place(self) -> str:
        """Where its running node is reached, as `host:port`."""
        place: str = self.status()["reachable_at"][0]
        return place

    def status(self) -> dict[str, Any]:
        """What `lanline status` says."""
        found: dict[str, Any] = json.loads(self.good("status", "--json"))
        return found

    def who(self) -> dict[str, MemberLine]:
        """The members as its node knows them, by name."""
        with connect_local(self.folder) as node:
            lines: list[MemberLine] = node.ask("node.who", timeout=PATIENCE, returns=list[MemberLine])
        return {line.name: line for line in lines}

    def wait_online(self, *names: str) -> None:
        """Waits until its node sees these members here."""
        wait_until(lambda: all(name in self.who() and self.who()[name].online for name in names))

    @property
    def pid(self) -> int:
        """Of the node that holds the folder, or held it last."""
        return int(self.folder.lock.read_text())

    def kill(self) -> None:
        """Ends its node as a power cut would."""
        try:
            process = os.pidfd_open(self.pid)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return
        try:
            signal.pidfd_send_signal(process, signal.SIGKILL)
            wait_readable(process)
        except ProcessLookupError:
            pass
        finally:
            os.close(process)


def wait_readable(fd: int, patience: float = PATIENCE) -> None:
    """Waits until a descriptor has something: a socket, a pipe, or a process that has ended."""
    assert select.select([fd], [], [], patience)[0], f"descriptor {fd} had nothing within {patience} s"


def wait_until(holds: Callable[[], object], patience: float = PATIENCE) -> None:
    """Asks again and again, a little apart, until the answer is yes."""
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline, f"it did not come to that within {patience} s"
        select.select([], [], [], 0.02)


@contextmanager
def machines(count: int = 1) -> Iterator[list[Machine]]:
    """Folders for so many machines on 127.0.0.1, .2, ...; their nodes are ended and the folders removed at the end."""
    place = Path(tempfile.mkdtemp(prefix="ll", dir="/tmp"))
    made = [Machine(place / f"m{index}", f"127.0.0.{index}") for index in range(1, count + 1)]
    try:
        yield made
    finally:
        for machine in made:
            machine.kill()
        shutil.rmtree(place)
