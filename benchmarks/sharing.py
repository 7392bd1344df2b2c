"""What the benchmarks of sharing have in common: servers of one folder, each in a process of its own, and curl and wrk.

A server is started as a person would start it, on loopback, with a log that goes nowhere, and is ended by its process
id. A peer that is not on this machine is named loudly and left out. Folders lie in memory (/dev/shm) where there is
any: disks are not measured here. Not a benchmark by itself.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import compare, report

PATIENCE = 20.0
"""Seconds until a server that was started must listen."""

MIB = 1024 * 1024


class Server(NamedTuple):
    """A running server of one folder."""

    name: str
    port: int
    pid: int

    def url(self, path: str) -> str:
        """The address of something in the folder; the path begins without a slash."""
        return f"http://127.0.0.1:{self.port}/{path}"


class Missing(Exception):
    """A peer is not on this machine."""


@contextmanager
def shared_folder() -> Iterator[Path]:
    """An empty folder in memory, which everybody may read and write."""
    memory = Path("/dev/shm")
    path = Path(tempfile.mkdtemp(prefix="bench-share", dir=memory if memory.is_dir() else None))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def large_file(path: Path, size: int) -> None:
    """A file of so many bytes that are really there, in blocks that differ."""
    block = bytearray(os.urandom(MIB))
    with path.open("wb") as file:
        for number in range(size // MIB):
            block[:8] = number.to_bytes(8, "big")
            file.write(block)


def many_files(folder: Path, count: int, size: int) -> None:
    """So many files of so many bytes, `f00000.bin` and on."""
    folder.mkdir()
    for number in range(count):
        folder.joinpath(f"f{number:05}.bin").write_bytes(os.urandom(size))


# -- the servers ----------------------------------------------------------------------------------------------


@contextmanager
def lanline(folder: Path, *options: str) -> Iterator[Server]:
    """`lanline share` without its log, as the others are run."""
    port = free_port()
    words = [sys.executable, "-m", "lanline", "share", str(folder), "--port", str(port), "--log", "none", *options]
    with _started("lanline", words, port) as server:
        yield server


@contextmanager
def http_server(folder: Path) -> Iterator[Server]:
    """`python -m http.server`, which cannot be told to keep quiet."""
    port = free_port()
    words = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(folder), str(port)]
    with _started("python -m http.server", words, port) as server:
        yield server


@contextmanager
def copyparty(folder: Path) -> Iterator[Server]:
    """copyparty: read and write, no database, no thumbnails, no hash of what is uploaded."""
    if importlib.util.find_spec("copyparty") is None:
        raise Missing("copyparty (pip install -r requirements/bench.txt)")
    port = free_port()
    words = [sys.executable, "-m", "copyparty", "-q", "-i", "127.0.0.1", "-p", str(port), "-v", f"{folder}::rw:c,wram"]
    words += ["--no-db", "--no-thumb", "--no-robots", "--put-ck", "no", "--put-name", "unnamed"]
    with (
        _home() as home,
        _started("copyparty", words, port, {"HOME": str(home), "XDG_CONFIG_HOME": str(home)}) as server,
    ):
        yield server


@contextmanager
def nginx(folder: Path) -> Iterator[Server]:
    """nginx with sendfile and one worker, as its documentation has it for static files."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        raise Missing("nginx")
    port = free_port()
    with _home() as home:
        config = home / "nginx.conf"
        places = "".join(
            f"{name}_temp_path {home}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;" if os.geteuid() == 0 else ""
        config.write_text(
            f"{user} worker_processes 1; daemon off; pid {home}/pid; error_log {home}/errors;"
            f"events {{ worker_connections 4096; }} http {{ sendfile on; tcp_nopush on; access_log off; {places}"
            f"server {{ listen 127.0.0.1:{port}; root {folder}; }} }}"
        )
        with _started("nginx", [program, "-c", str(config), "-e", str(home / "errors")], port) as server:
            yield server


def started(stack: ExitStack, *servers: Callable[[], object]) -> list[Server]:
    """Those of the servers that are on this machine; the others are named loudly."""
    running: list[Server] = []
    for server in servers:
        try:
            running.append(stack.enter_context(server()))  # type: ignore[arg-type]  # each is one of the above
        except Missing as missing:
            print(f"MISSING, AND NOT IN THE FIGURES: {missing}", flush=True)
    return running


def free_port() -> int:
    """A port that nobody listens at, a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def _home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench-home") as home:
        yield Path(home)


@contextmanager
def _started(
    name: str, words: Sequence[str], port: int, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Runs a server while it is open; ends it by its process id."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={**os.environ, **(environment or {})},
        )
        try:
            if not _listens(process, port):
                said.seek(0)
                raise SystemExit(f"{name} does not start: {said.read().decode(errors='replace')}")
            yield Server(name, port, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


# -- the asking side ------------------------------------------------------------------------------------------


def curl(*words: str) -> float:
    """Runs curl once; what comes is thrown away.

    Returns:
        Seconds from its first step to its last byte, without the start of the program.

    Raises:
        SystemExit: the answer was none of the 200s.
    """
    written = "%{time_total} %{http_code}"
    command = ["curl", "--silent", "--show-error", "--output", "/dev/null", "--write-out", written, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, status = done.stdout.split()
    if not status.startswith("2"):
        raise SystemExit(f"curl {' '.join(words)}: {status}")
    return float(seconds)


class Taken(NamedTuple):
    """Medians of what something took, in seconds, by the names of the servers."""

    seconds: dict[str, float]
    """As the client saw it."""

    processor: dict[str, float]
    """Of the server's processes: on a machine that does other things too, the steadier one."""


def in_turns(servers: Sequence[Server], call: Callable[[Server], float], rounds: int) -> Taken:
    """What a call takes at each server; in every round each is called once, after a round that does not count.

    Args:
        servers: the contestants.
        call: asks one of them, and gives the seconds that one thing took; or a rate's inverse.
        rounds: how many count.
    """
    seconds: dict[str, list[float]] = {each.name: [] for each in servers}
    processor: dict[str, list[float]] = {each.name: [] for each in servers}
    for number in range(rounds + 1):
        for each in servers:
            before = processor_seconds(each.pid)
            took = call(each)
            if number:
                seconds[each.name].append(took)
                processor[each.name].append(processor_seconds(each.pid) - before)
    return Taken(_medians(seconds), _medians(processor))


def _medians(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: statistics.median(each) for name, each in values.items()}


def processor_seconds(pid: int) -> float:
    """What a process and its children have used so far, in user and kernel mode (proc(5), stat)."""
    ticks = 0
    for each in _family(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _family(pid: int) -> set[int]:
    """A process and its children."""
    pids = {pid}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended since it was listed
            pids |= {int(child) for child in task.joinpath("children").read_text().split()}
    return pids


def resident_mib(pid: int) -> float:
    """Memory of a process and its children in MiB: their proportional set size (proc(5), smaps_rollup)."""
    kib = 0
    for each in _family(pid):
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                kib += int(line.split()[1])
    return kib / 1024


def tell(title: str, things: float, unit: str, taken: Taken, claims: Mapping[str, float]) -> None:
    """Prints rates beside each peer, and whether the claims hold in this run.

    Args:
        title: what was done.
        things: how many of the unit the measured seconds were for.
        unit: as in `report`.
        taken: what it took.
        claims: for each peer, how many times its rate lanline is to reach; 0 where it is reported alone.
    """
    for peer, least in claims.items():
        if peer not in taken.seconds:
            continue
        report(f"{title}, against {peer}", compare(taken.seconds, things, unit, peer))
        ratio = taken.seconds[peer] / taken.seconds["lanline"]
        if least:
            print(
                f"  {'holds' if ratio >= least else 'DOES NOT HOLD'}: at least {least:g} times {peer}; here {ratio:.2f}"
            )
        if taken.processor["lanline"]:
            ratio = taken.processor[peer] / taken.processor["lanline"]
            print(f"  processor time of the server: {peer} takes {ratio:.2f} times that of lanline")
