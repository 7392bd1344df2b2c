"""The blocking link over TLS and TCP: items larger than a TLS record, and partings."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from ssl import SSLContext

import pytest

from lanline.address import Address
from lanline.errors import CallError, ConnectFailed
from lanline.link import blocking
from lanline.link.server import serve
from tests.link.desk import Desk
from tests.transport.certificates import HUB, Room, make_room


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """Certificates for both sides."""
    folder: Path = tmp_path_factory.mktemp("room")
    return make_room(folder)


@contextmanager
def _served(tls: SSLContext | None = None) -> Iterator[tuple[Address, threading.Event]]:
    """A desk, served in a thread with a loop of its own; setting the event ends it."""
    ready, over, ended = threading.Event(), threading.Event(), threading.Event()
    found: list[Address] = []

    async def main() -> None:
        async with serve(Desk(), "tcp://127.0.0.1:0", tls=tls) as server:
            found.append(server.addresses[0])
            ready.set()
            await asyncio.get_running_loop().run_in_executor(None, over.wait)
        ended.set()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield found[0], over
    finally:
        over.set()
        thread.join(10)
        assert ended.is_set()


def test_large_items_travel_over_tls_in_both_directions(room: Room) -> None:
    with _served(room.accepting()) as (address, _):
        with blocking.connect_link(address, tls=room.connecting(), server_name=HUB) as link:
            for _ in range(5):
                assert link.ask("desk.say", "x" * 300_000, timeout=10.0) == "x" * 300_000
            assert list(link.stream("desk.count", 2000, timeout=10.0)) == list(range(2000))


def test_the_name_of_the_server_is_checked(room: Room) -> None:
    with _served(room.accepting()) as (address, _):
        with pytest.raises(ConnectFailed, match="not trusted"):
            blocking.connect_link(address, tls=room.connecting(), server_name="other.lab.lanline.internal")


@pytest.mark.parametrize("secured", [False, True])
def test_a_server_that_goes_away_loses_the_calls(room: Room, secured: bool) -> None:
    with _served(room.accepting() if secured else None) as (address, over):
        context = room.connecting() if secured else None
        with blocking.connect_link(address, tls=context, server_name=HUB if secured else None) as link:
            assert link.ask("desk.say", "hi", timeout=10.0) == "hi"
            over.set()
            with pytest.raises(CallError):
                while True:
                    link.ask("desk.say", "hi", timeout=10.0)
