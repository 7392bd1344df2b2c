"""`shout` and `hear` under asyncio: everybody who listens hears it, once, and nothing is left behind."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import AsyncExitStack
from typing import Any

import pytest

from lanline.errors import (
    AddressError,
    ChannelClosed,
    ListenFailed,
    LocalProtocolError,
    MessageTooLarge,
    TextNotBytes,
    TransportError,
)
from lanline.link.datagrams import shouts
from lanline.link.datagrams.shouts import Shouts, hear, shout
from tests.link.conftest import Run
from tests.link.desk import PATIENCE, until


def _here(port: int) -> str:
    """Where only listeners on this machine hear it."""
    return f"udp://127.255.255.255:{port}"


def test_everybody_who_listens_hears_a_shout_with_its_sender(run: Run[Any]) -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE), AsyncExitStack() as stack:
            first = await stack.enter_async_context(hear(0))
            others = [await stack.enter_async_context(hear(first.address.port)) for _ in range(2)]
            before = time.time_ns()
            [delivery] = await shout(b"lunch", _here(first.address.port))
            assert delivery.error is None
            for one in (first, *others):
                heard = await one.receive()
                assert (heard.message, heard.sender.host) == (b"lunch", "127.0.0.1")
                assert before <= heard.received_ns <= time.time_ns()
            assert first.address.is_every_interface
            assert "lo" in first.interfaces

    run(main())


def test_copies_are_heard_once_and_what_came_at_once_is_all_heard(run: Run[Any]) -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE), hear(0) as ear:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for number in range(50):
                    for _ in range(2):
                        sender.sendto(b"%d" % number, ("127.0.0.1", ear.address.port))
            heard = []
            async for one in ear:
                heard.append(int(one.message))
                if len(heard) == 50:
                    await ear.close()
            assert heard == list(range(50))

    run(main())


def test_whoever_hears_a_flood_gives_others_their_turn(run: Run[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shouts, "_BATCH", 4)

    async def main() -> None:
        async with asyncio.timeout(PATIENCE), hear(0) as ear:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for number in range(20):
                    sender.sendto(b"%d" % number, ("127.0.0.1", ear.address.port))
            turns = 0

            async def others() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            async with asyncio.TaskGroup() as tasks:
                other = tasks.create_task(others())
                for _ in range(20):
                    await ear.receive()
                other.cancel()
            assert turns >= 5

    run(main())


def test_an_interface_that_comes_later_is_looked_for_while_nothing_is_heard(run: Run[Any]) -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE), hear(0) as ear:
            ear._listener.looks_at = before = time.monotonic()
            async with asyncio.TaskGroup() as tasks:
                waiting = tasks.create_task(ear.receive())
                await until(lambda: ear._listener.looks_at > before + 4.0)
                await shout(b"x", _here(ear.address.port))
                assert (await waiting).message == b"x"

    run(main())


def test_closing_wakes_whoever_waits_and_the_port_is_free_again(run: Run[Any]) -> None:
    async def main() -> None:
        ear = await hear(0)
        port = ear.address.port
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:

            async def wait() -> None:
                with pytest.raises(ChannelClosed):
                    await ear.receive()

            waiting = tasks.create_task(wait())
            await asyncio.sleep(0)
            with pytest.raises(LocalProtocolError):
                await ear.receive()
            await ear.close()
            await waiting
        assert [one async for one in ear] == []
        await ear.close()
        assert repr(ear) == f"<Shouts udp://*:{port} closed>"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as alone:
            alone.bind(("127.0.0.1", port))

    run(main())


def test_a_receiver_that_is_cancelled_leaves_the_next_shout_to_the_next_call(run: Run[Any]) -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE), hear(0) as ear:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await ear.receive()
            await shout(b"after", _here(ear.address.port))
            assert (await ear.receive()).message == b"after"

    run(main())


def test_what_cannot_be_shouted_or_heard_is_told(run_once: Run[Any]) -> None:
    async def main() -> None:
        with pytest.raises(MessageTooLarge, match="shout of 1201 bytes, limit 1200 bytes"):
            await shout(b"x" * 1201)
        with pytest.raises(TextNotBytes):
            await shout("lunch")  # type: ignore[arg-type]
        with pytest.raises(AddressError):
            await shout(b"x", "tcp://127.0.0.1:9")
        with pytest.raises(TransportError, match="by no way"):
            await shout(b"x", "udp://[ff02::1%65000]:9")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            with pytest.raises(ListenFailed):
                async with hear(server.getsockname()[1]) as ear:
                    assert isinstance(ear, Shouts)

    run_once(main())
