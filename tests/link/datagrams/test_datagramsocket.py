"""A socket that hears everybody: who said what, what went wrong with whom, and nothing without a bound."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from lanline.address import Address
from lanline.errors import (
    AddressError,
    ChannelClosed,
    ConnectFailed,
    DatagramRefused,
    DatagramTruncated,
    ListenFailed,
    LocalProtocolError,
    MessageTooLarge,
    TextNotBytes,
    UsageError,
)
from lanline.link.client import connect
from lanline.link.datagrams import datagramsocket
from lanline.link.datagrams.datagramsocket import bind
from lanline.transport.udp.datagrams import open_bound
from tests.link.conftest import Run
from tests.link.desk import PATIENCE, until

ANYWHERE = "udp://127.0.0.1:0"


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_two_sockets_talk_and_each_datagram_names_its_sender(run: Run[Any], host: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE), bind(f"udp://{host}:0") as one, bind(f"udp://{host}:0") as other:
            before = time.time_ns()
            for message in (b"hello", b"", b"x" * 65_507):
                await one.send(message, str(other.address))
                datagram = await other.receive()
                assert datagram.message == message
                assert datagram.sender == one.address
                assert before <= datagram.received_ns <= time.time_ns()
                await other.send(message, datagram.sender)
                assert (await one.receive()).message == message
            figures = one.statistics()
            assert (figures.sent_messages, figures.received_messages, figures.sent_bytes) == (3, 3, 65_512)

    run(main())


def test_several_senders_are_told_apart_and_answered_from_the_address_they_asked(run: Run[Any]) -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE), bind("udp://*:0") as everywhere:
            for host in ("127.0.0.1", "127.0.0.2", "::1"):
                async with connect(Address("udp", host, everywhere.address.port)) as channel:
                    await channel.send(host.encode())
                    datagram = await everywhere.receive()
                    assert datagram.message == host.encode()
                    await everywhere.send(b"heard", datagram.sender)
                    assert await channel.receive() == b"heard", "a connected socket hears only whom it asked"

    run(main())


def test_a_refusal_names_the_peer_and_the_socket_lives_on(run: Run[Any]) -> None:
    async def main() -> None:
        with open_bound(Address.parse(ANYWHERE)) as gone:
            nobody = gone.address
        async with asyncio.timeout(PATIENCE), bind(ANYWHERE) as one, bind(ANYWHERE) as other:
            await one.send(b"anybody?", nobody)
            await one.send(b"you?", other.address)
            assert (await other.receive()).message == b"you?"
            with pytest.raises(DatagramRefused, match=str(nobody)):
                await one.receive()
            await other.send(b"yes", one.address)
            assert (await one.receive()).message == b"yes"
            assert one.statistics().undelivered_messages == 1

    run(main())


def test_a_datagram_over_the_limit_is_told_and_the_next_one_comes(run: Run[Any]) -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE), bind(ANYWHERE, max_datagram_bytes=10) as small, bind(ANYWHERE) as other:
            await other.send(b"x" * 11, small.address)
            with pytest.raises(DatagramTruncated, match=f"from {other.address} was longer than 10 bytes"):
                await small.receive()
            await other.send(b"x" * 10, small.address)
            assert (await small.receive()).message == b"x" * 10
            assert small.statistics().truncated_messages == 1

    run(main())


def test_what_went_wrong_is_told_in_its_place_among_the_datagrams(run: Run[Any]) -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE), bind(ANYWHERE, max_datagram_bytes=10) as small, bind(ANYWHERE) as other:
            for message in (b"one", b"x" * 11, b"two", b"x" * 12, b"three"):
                await other.send(message, small.address)
            await until(lambda: small.statistics().waiting_messages == 3)
            told: list[bytes | str] = []
            for _ in range(5):
                try:
                    told.append((await small.receive()).message)
                except DatagramTruncated:
                    told.append("cut")
            assert told == [b"one", "cut", b"two", "cut", b"three"]

    run(main())


def test_a_flood_of_what_is_cut_is_told_in_part_and_leaves_room_for_datagrams(
    run: Run[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(datagramsocket, "_TROUBLES", 3)

    async def main() -> None:
        async with asyncio.timeout(PATIENCE), bind(ANYWHERE, max_datagram_bytes=10) as small, bind(ANYWHERE) as other:
            for _ in range(5):
                await other.send(b"x" * 11, small.address)
            await other.send(b"whole", small.address)
            await until(lambda: small.statistics().waiting_messages == 1)
            for _ in range(3):
                with pytest.raises(DatagramTruncated):
                    await small.receive()
            assert (await small.receive()).message == b"whole"
            assert small.statistics().truncated_messages == 5
            await other.send(b"x" * 11, small.address)
            with pytest.raises(DatagramTruncated):
                await small.receive()

    run(main())
    assert "3 tidings wait to be received" in caplog.text


def test_iterating_goes_on_after_what_was_cut_or_refused_and_ends_when_it_is_closed(run: Run[Any]) -> None:
    async def main() -> None:
        with open_bound(Address.parse(ANYWHERE)) as gone:
            nobody = gone.address
        async with asyncio.timeout(PATIENCE), bind(ANYWHERE, max_datagram_bytes=10) as small, bind(ANYWHERE) as other:
            await small.send(b"anybody?", nobody)
            for message in (b"one", b"x" * 11, b"two"):
                await other.send(message, small.address)
            await until(lambda: small.statistics().waiting_messages == 2)
            got = []
            async for datagram in small:
                got.append(datagram.message)
                if len(got) == 2:
                    await small.close()
            assert got == [b"one", b"two"]
            figures = small.statistics()
            assert (figures.truncated_messages, figures.undelivered_messages) == (1, 1)

    run(main())


def test_a_flood_is_bounded_and_the_newest_are_dropped(run: Run[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datagramsocket, "_WAITING_BYTES", 10 * 70)
    monkeypatch.setattr(datagramsocket, "_KNOWN_WAYS", 1)

    async def main() -> None:
        async with asyncio.timeout(PATIENCE), bind(ANYWHERE) as slow, bind(ANYWHERE) as one, bind(ANYWHERE) as two:
            for number in range(15):
                await (one if number % 2 else two).send(b"%6d" % number, slow.address)
            await until(lambda: slow.statistics().dropped_messages == 5)
            assert slow.statistics().waiting_messages == slow.statistics().received_messages == 10
            assert [int((await slow.receive()).message) for _ in range(10)] == list(range(10))
            await one.send(b"after", slow.address)
            datagram = await slow.receive()
            await slow.send(b"answer", datagram.sender)
            assert (await one.receive()).message == b"answer"

    run(main())


def test_mistakes_are_told_at_once(run_once: Run[Any]) -> None:
    async def main() -> None:
        async with bind("udp://localhost:0") as one:
            with pytest.raises(ListenFailed, match="in use by"):
                await bind(one.address)
            with pytest.raises(MessageTooLarge, match="65508 bytes"):
                await one.send(b"x" * 65_508, "udp://127.0.0.1:9")
            with pytest.raises(TextNotBytes):
                await one.send("text", "udp://127.0.0.1:9")  # type: ignore[arg-type]
            with pytest.raises(ConnectFailed, match="resolve"):
                await one.send(b"x", "udp://nowhere.invalid:9")
            with pytest.raises(AddressError):
                await one.send(b"x", "tcp://127.0.0.1:9")
        with pytest.raises(UsageError, match="1 to 65507"):
            await bind(ANYWHERE, max_datagram_bytes=0)
        with pytest.raises(AddressError):
            await bind("tcp://127.0.0.1:0")

    run_once(main())


def test_a_closed_socket_says_so_and_wakes_whoever_waits(run: Run[Any]) -> None:
    async def main() -> None:
        one = await bind(ANYWHERE)
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:

            async def wait() -> None:
                with pytest.raises(ChannelClosed):
                    await one.receive()

            waiting = tasks.create_task(wait())
            await asyncio.sleep(0)
            with pytest.raises(LocalProtocolError):
                await one.receive()
            await one.close()
            await waiting
        with pytest.raises(ChannelClosed):
            await one.send(b"x", "udp://127.0.0.1:9")
        await one.close()
        assert "closed" in repr(one)

    run(main())
