"""Machines for tests of the command line: a shared room of three where nothing is changed, and fresh ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from tests.ui.machines import AS_ROOT, Machine, machines

SESAME = "open sesame\n"


class Room(NamedTuple):
    """A hub, desk, and two members: pc2, which runs commands, and pc10, which does not."""

    desk: Machine
    pc2: Machine
    pc10: Machine


@pytest.fixture(scope="session")
def room() -> Iterator[Room]:
    """One room for all tests that leave it as it is."""
    with machines(3) as (desk, pc2, pc10):
        desk.found("--allow-run", *AS_ROOT)
        pc2.join(desk, "pc2", "--allow-run", *AS_ROOT)
        pc10.join(desk, "pc10")
        desk.wait_online("pc2", "pc10")
        yield Room(desk, pc2, pc10)


@pytest.fixture(scope="session")
def templates() -> Iterator[dict[str, Machine]]:
    """Hubs that were founded and stopped: `open` without a passphrase, `locked` with one, `open sesame`."""
    with machines(2) as (plain, locked):
        plain.found("--allow-run=df", *AS_ROOT)
        plain.good("down")
        locked.found("--passphrase-file", "-", stdin=SESAME)
        locked.good("down")
        yield {"open": plain, "locked": locked}


@pytest.fixture
def stopped(templates: dict[str, Machine], machine: Machine) -> Machine:
    """A hub that is down; operators may run df on it."""
    shutil.copytree(templates["open"].home, machine.home)
    return machine


@pytest.fixture
def locked(templates: dict[str, Machine], machine: Machine) -> Machine:
    """A hub with a passphrase, `open sesame`; down."""
    shutil.copytree(templates["locked"].home, machine.home)
    return machine


@pytest.fixture
def machine() -> Iterator[Machine]:
    """One machine, in no room."""
    with machines(1) as (one,):
        yield one


@pytest.fixture
def pair() -> Iterator[tuple[Machine, Machine]]:
    """A hub and another machine, which is in no room yet."""
    with machines(2) as (hub, other):
        hub.found()
        yield hub, other
