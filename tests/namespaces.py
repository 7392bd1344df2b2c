"""Machines with networks of their own, for tests: network namespaces joined by virtual cables. Needs root.

Each is held by a process that ends with the test, and goes away with it: nothing is left on the machine, whatever
happens. Nothing here reaches a real network.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest


class Machine:
    """One network namespace. It has `lo`, up, and nothing else at first."""

    def __init__(self, holder: subprocess.Popen[str]) -> None:
        self._pid = holder.pid

    def command(self, *words: str) -> list[str]:
        """The command line that runs a command there."""
        return ["nsenter", f"--net=/proc/{self._pid}/ns/net", *words]

    def ip(self, words: str) -> None:
        """`ip WORDS`, there."""
        subprocess.run(self.command("ip", *words.split()), check=True, capture_output=True, timeout=10)

    def cable(self, name: str, other: Machine, other_name: str) -> None:
        """A cable from an interface here to one there, both down and without addresses."""
        pid = other._pid
        self.ip(f"link add {name} type veth peer name {other_name} netns {pid}")

    def give(self, name: str, address: str) -> None:
        """An address with its network and broadcast address, and the interface up. IPv6 is ready at once: no duplicate
        address is looked for."""
        self.run("sh", "-c", f"echo 0 > /proc/sys/net/ipv6/conf/{name}/accept_dad")
        self.ip(f"addr add {address} broadcast + dev {name}")
        self.ip(f"link set dev {name} up")

    def wait_carrier(self, name: str) -> None:
        """Waits until the system finds an interface working: up to a second after its cable is."""
        deadline = time.monotonic() + 10.0
        while "state UP" not in self.run("ip", "link", "show", "dev", name):
            assert time.monotonic() < deadline, f"{name} has no carrier after 10 s"

    def run(self, *words: str) -> str:
        """Runs a command there to its end; what it prints. It must end well."""
        done = subprocess.run(self.command(*words), check=True, capture_output=True, text=True, timeout=15)
        return done.stdout


@contextlib.contextmanager
def machines(count: int) -> Iterator[list[Machine]]:
    """So many machines, not joined to each other. Where this user may not have them, the test is skipped."""
    if os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("nsenter") and shutil.which("ip")):
        pytest.skip("network namespaces need root, unshare, nsenter and ip")
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(count):
            words = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec cat"]
            pipe = subprocess.PIPE
            holder = stack.enter_context(subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
            stack.callback(holder.kill)
            assert holder.stdout is not None
            if holder.stdout.readline() != "ready\n":
                _, why = holder.communicate(timeout=10)
                pytest.skip(f"no network namespaces here: {why.strip()}")
            made.append(Machine(holder))
        yield made
