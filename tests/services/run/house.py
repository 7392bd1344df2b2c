"""Rooms whose nodes run in processes of their own, so that a test can interrupt a client, and kill a node, for real.

The state folders are made by `lanline.testing.room`; this file, run as a program, is the process of one or more nodes.
A client is the command `lanline`, in a session of its own. Whatever is started here is ended by its process id.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from tests.ui.terminal import environment

from lanline.address import Address
from lanline.link import blocking
from lanline.roles import Role
from lanline.room.node import Node
from lanline.room.paths import StateFolder
from lanline.room.policyfile import add_rule, allow_run_rule
from lanline.room.settings import Settings
from lanline.testing.room import HUB, Room
from lanline.ui.services import make_services

PATIENCE = 15.0


class Done(NamedTuple):
    """A command line that has ended."""

    code: int
    out: str
    err: str


class House:
    """A room on disk, and the processes of its nodes.

    Args:
        place: an empty folder.
        roles: of the members besides the hub.
        closed: machines that run nothing for others.
        programs: what the others run; none is anything.
    """

    def __init__(
        self, place: Path, roles: Mapping[str, Role], *, closed: Sequence[str] = (), programs: Sequence[str] = ()
    ) -> None:
        self.room = Room(place)
        self.room.found(roles)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._hub_place = "-"
        for name, folder in self.room.folders.items():
            if name not in closed:
                add_rule(folder.policy, allow_run_rule(programs), allow_root=True)

    def start(self, *names: str) -> subprocess.Popen[bytes]:
        """Starts one process with these nodes; the hub first of all."""
        hosts = [f"{name}={self.room.host(name)}" for name in names]
        argv = [sys.executable, "-P", "-m", "tests.services.run.house", str(self.room.path), self._hub_place, *hosts]
        sources = os.pathsep.join((str(Path(__file__).parents[3]), environment()["PYTHONPATH"]))
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(PYTHONPATH=sources),
            start_new_session=True,
        )
        assert process.stdout is not None
        place = read_line(process.stdout.fileno())
        if HUB in names:
            self._hub_place = place
        self.processes |= dict.fromkeys(names, process)
        return process

    def wait_online(self, name: str, *others: str) -> None:
        """Waits until that node sees these members here."""

        def sees_all() -> bool:
            with self.person(name) as node:
                lines = node.ask("node.who", "@online")
            return set(others) <= {line[0] for line in lines}

        wait_until(sees_all, f"{name} to see {others}")

    def person(self, name: str) -> blocking.Link:
        """A link from a person at that machine."""
        return blocking.connect_link(Address("unix", path=str(self.room.folders[name].control_socket)))

    def words(self, name: str, *words: str) -> list[str]:
        """The argument list of `lanline` with these words at that machine."""
        return [sys.executable, "-P", "-m", "lanline", "--home", str(self.room.folders[name].path), *words]

    @contextlib.contextmanager
    def client(self, name: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """`lanline` with these words at that machine: standard input empty, the other ends pipes. It is killed at the
        end of the block if it still runs."""
        with subprocess.Popen(
            self.words(name, *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, name: str, *words: str) -> Done:
        """The same, from start to end."""
        with self.client(name, *words) as process:
            return finish(process)

    def close(self) -> None:
        """Lets every node stop, and waits for it."""
        for process in dict.fromkeys(reversed(list(self.processes.values()))):
            end(process)


def finish(process: subprocess.Popen[bytes]) -> Done:
    """Reads a client to its end."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"a client did not end: {out!r} {err!r}") from None
    return Done(process.returncode, out.decode("utf-8", "backslashreplace"), err.decode("utf-8", "backslashreplace"))


def end(process: subprocess.Popen[bytes]) -> None:
    """Lets a process of nodes stop; kills it when it does not."""
    assert process.stdin is not None and process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def house(roles: Mapping[str, Role], *, closed: Sequence[str] = (), programs: Sequence[str] = ()) -> Iterator[House]:
    """A room on disk in a folder of its own, gone with its processes at the end."""
    shared = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="ll", dir=shared if shared.is_dir() else None))
    made = House(place, roles, closed=closed, programs=programs)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(place, ignore_errors=True)


def read_line(fd: int) -> str:
    """The next line a process says, without its end; one byte at a time, so that nothing is taken from who follows."""
    line, deadline = b"", monotonic() + PATIENCE
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([fd], [], [], max(0.0, deadline - monotonic()))
        byte = os.read(fd, 1) if ready else b""
        assert byte, f"a process said {line!r} and no more"
        line += byte
    return line[:-1].decode()


def wait_until(holds: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Asks again and again, a little apart, until the answer is yes."""
    deadline = monotonic() + patience
    while not holds():
        assert monotonic() < deadline, f"waited {patience} s for {what}"
        select.select([], [], [], 0.01)


def alive(words: str, *, only_first: bool = False) -> list[int]:
    """The processes that have these words in their command line, tests and clients left out.

    Args:
        words: what to look for.
        only_first: at the beginning of the line, so that a shell that was told them does not count.
    """
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if "lanline" not in line and (line.startswith(words) if only_first else words in line):
                    found.append(int(entry))
    return found


async def _serve(place: Path, hub_place: str, hosts: Sequence[str]) -> None:
    nodes = []
    try:
        for one in hosts:
            name, _, host = one.partition("=")
            known = () if name == HUB else (hub_place,)
            node = Node(StateFolder(place / name), version="test", settings=Settings(host, 0, known))
            node.host(make_services(node))
            if node.hub is not None:
                node.hub.unlock(None)
            await node.start()
            nodes.append(node)
            if name == HUB:
                address = node.addresses[0]
                hub_place = f"{address.host}:{address.port}"
        os.write(1, f"{hub_place}\n".encode())
        await _wait_readable(0)
    finally:
        for node in reversed(nodes):
            await node.stop()


async def _wait_readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)


if __name__ == "__main__":
    import uvloop

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    uvloop.run(_serve(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
