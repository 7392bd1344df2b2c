"""The blocking link: a descriptor that wakes what waits, so that a signal never cuts into a session; windows."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from lanline.address import Address
from lanline.link import blocking
from lanline.link.server import serve
from lanline.link.service import Service, endpoint
from lanline.services.echo.service import Echo


class _Flood(Service):
    """Sends as much as it is let."""

    name = "flood"

    def __init__(self) -> None:
        self.sent_bytes = 0

    @endpoint
    async def pour(self) -> AsyncIterator[bytes]:
        """Items of 1 KiB, without end."""
        while True:
            yield bytes(1024)
            self.sent_bytes += 1024


@contextmanager
def _served(*services: Service) -> Iterator[Address]:
    """A server in a thread with a loop of its own."""
    ready = threading.Event()
    found: list[Address] = []
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        over = asyncio.Event()
        async with serve(services, "tcp://127.0.0.1:0") as server:
            found.append(server.addresses[0])
            loops.append((asyncio.get_running_loop(), over))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield found[0]
    finally:
        loop, over = loops[0]
        loop.call_soon_threadsafe(over.set)
        thread.join(10)


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def test_a_readable_descriptor_ends_the_wait_and_loses_nothing() -> None:
    with _served(Echo()) as address, blocking.connect_link(address) as link, _pipe() as (reading, writing):
        link.wake_on(reading)
        with link.open("echo.repeat") as call:
            os.write(writing, b"!")
            with pytest.raises(InterruptedError):
                call.receive(timeout=10.0)
            assert os.read(reading, 10) == b"!"
            call.send(b"hi")
            assert call.receive(timeout=10.0) == b"hi"
            call.end()
            assert call.finish() == 1


def test_what_came_before_the_wake_up_is_received_after_it() -> None:
    with _served(Echo()) as address, blocking.connect_link(address) as link, _pipe() as (reading, writing):
        with link.open("echo.count", 3, last=True) as call:
            assert call.receive() == 1
            link.wake_on(reading)
            os.write(writing, b"!")
            got = []
            for _ in range(10):
                try:
                    got.append(call.receive(timeout=10.0))
                except InterruptedError:
                    os.read(reading, 10)
                if got == [2, 3]:
                    break
            assert got == [2, 3]


def test_without_the_descriptor_nothing_interrupts() -> None:
    with _served(Echo()) as address, blocking.connect_link(address) as link, _pipe() as (reading, writing):
        link.wake_on(reading)
        os.write(writing, b"!")
        link.wake_on(None)
        assert link.ask("echo.say", "hi", timeout=10.0) == "hi"


def test_a_call_tells_whether_an_item_is_there() -> None:
    with _served(Echo()) as address, blocking.connect_link(address) as link:
        with link.open("echo.count", 2, last=True) as call:
            seen = [call.has_items, call.receive(), call.has_items, call.receive(), call.has_items]
            assert seen == [False, 1, True, 2, False]


def test_the_peer_sends_no_more_than_the_window_of_the_call() -> None:
    flood = _Flood()
    with _served(flood) as address, blocking.connect_link(address) as link:
        with link.open("flood.pour", last=True, window=64 * 1024) as call:
            assert call.receive(timeout=10.0) == bytes(1024)
            assert link.ask("flood.ping", timeout=10.0) == "pong"  # answered after all that it was let send
            assert 60 * 1024 <= flood.sent_bytes <= 66 * 1024
