"""Every test here leaves no descriptor, no marked process and no control group behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
import uvloop

from lanline.services.run import cgroup, process


@pytest.fixture(scope="session", autouse=True)
def _uvloop_has_its_descriptors() -> None:
    """uvloop keeps two descriptors of its own from its first run on."""
    uvloop.run(asyncio.sleep(0))


@pytest.fixture(autouse=True)
def _nothing_of_jobs_left() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    ordinary = process.mark_of(os.getpid())
    others = {pid for pid in process.pids() if process.mark_of(pid) not in (ordinary, 0)}
    yield
    assert len(os.listdir("/proc/self/fd")) == before, "descriptors were left open"
    left = {pid for pid in process.pids() if process.mark_of(pid) not in (ordinary, 0)} - others
    mine = {pid for pid in left if (now := process.read(pid)) and not now.is_dead and _is_ours(pid)}
    assert not mine, f"marked processes were left running: {mine}"
    parent = cgroup.own_group()
    names = os.listdir(parent) if parent else []
    assert not [name for name in names if name.startswith(f"lanline-{os.getpid()}-")]


def _is_ours(pid: int) -> bool:
    """Whether a process was started by this test run: another run on this machine has marks too."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as environment:
            text = environment.read()
        with open(f"/proc/{pid}/cmdline", "rb") as words:
            return RUN.encode() in text or f"guardian-of-{os.getpid()}".encode() in words.read()
    except OSError:
        return False


RUN = f"LANLINE_NODE=test-{os.getpid()}"
"""Stands in the environment of every job of this test run that did not clear it."""
