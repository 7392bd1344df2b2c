"""Channels over UDP do what every channel does, as far as datagrams can; what they lack is said, never silent."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lanline.address import Address
from lanline.errors import (
    AddressError,
    ChannelClosed,
    ConnectFailed,
    DatagramRefused,
    DatagramTruncated,
    LocalProtocolError,
    MessageTooLarge,
    TextNotBytes,
    UsageError,
)
from lanline.framing.length import LengthPrefixed
from lanline.link.channel import Channel
from lanline.link.client import connect
from lanline.link.datagrams.channel import DatagramChannel
from lanline.link.datagrams.datagram import MESSAGE_BYTES, WAITING_BYTES
from lanline.link.server import serve
from lanline.transport.tls import client_context
from lanline.transport.udp.datagrams import UdpSocket, open_bound, open_connected
from tests.link.conftest import Run
from tests.link.desk import PATIENCE, until

_names = itertools.count()
ANYWHERE = Address.parse("udp://127.0.0.1:0")


@pytest.fixture(params=["udp", "udp6", "mem", "tcp", "unix"])
def address(request: pytest.FixtureRequest, home: Path) -> str:
    """Where to serve: datagrams, and beside them each stream, for one and the same test."""
    return {
        "udp": "udp://127.0.0.1:0",
        "udp6": "udp://[::1]:0",
        "mem": f"mem://datagrams{next(_names)}",
        "tcp": "tcp://127.0.0.1:0",
        "unix": f"unix://{home}/s",
    }[request.param]


async def _upper(channel: Channel) -> None:
    async for message in channel:
        await channel.send(message.upper())


@asynccontextmanager
async def upper_at(address: str) -> AsyncIterator[Channel]:
    """A channel to a handler that shouts back."""
    framing = LengthPrefixed()
    async with (
        asyncio.timeout(PATIENCE),
        serve(_upper, address, framing=framing) as server,
        connect(server.addresses[0], framing=framing) as channel,
    ):
        yield channel


@asynccontextmanager
async def with_peer() -> AsyncIterator[tuple[DatagramChannel, UdpSocket]]:
    """A channel to a bare socket, in the hands of the test."""
    with open_bound(ANYWHERE) as peer:
        async with asyncio.timeout(PATIENCE), connect(peer.address) as channel:
            assert isinstance(channel, DatagramChannel)
            yield channel, peer


def _has_lost(channel: DatagramChannel, count: int) -> bool:
    return channel.statistics().undelivered_messages == count


# -- as every channel -----------------------------------------------------------------------------------------


def test_messages_come_whole_and_in_order_empty_ones_too(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with upper_at(address) as channel:
            for message in (b"a", b"", b"x" * 60_000, "schön".encode()):
                await channel.send(message)
                assert await channel.receive() == message.upper()
            for number in range(100):
                await channel.send(b"n%d" % number)
            assert [await channel.receive() for _ in range(100)] == [b"N%d" % number for number in range(100)]

    run(main())


def test_figures_and_both_ends_are_known(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with upper_at(address) as channel:
            channel.send_now(b"hello")
            assert await channel.receive() == b"HELLO"
            figures = channel.statistics()
            assert (figures.sent_messages, figures.received_messages, figures.waiting_messages) == (1, 1, 0)
            scheme = address.partition(":")[0]
            assert channel.peer_address.startswith(f"{scheme}://")
            assert scheme in ("mem", "unix") or channel.local_address.startswith(f"{scheme}://")
            assert channel.ended_by is None

    run(main())


def test_a_closed_channel_can_no_longer_be_used(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with upper_at(address) as channel:
            await channel.close()
            await channel.wait_gone()
            assert channel.is_gone
            with pytest.raises(ChannelClosed):
                await channel.send(b"x")
            with pytest.raises(ChannelClosed):
                await channel.receive()
            assert [message async for message in channel] == []
            assert isinstance(channel.ended_by, ChannelClosed)

    run(main())


def test_text_is_refused_and_says_how_it_becomes_bytes(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with upper_at(address) as channel:
            with pytest.raises(TextNotBytes, match="encode"):
                await channel.send("text")  # type: ignore[arg-type]
            await channel.send(b"bytes")
            assert await channel.receive() == b"BYTES"

    run(main())


def test_a_cancelled_receive_loses_no_message_and_two_cannot_receive(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with upper_at(address) as channel, asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(channel.receive())
            await asyncio.sleep(0)
            with pytest.raises(LocalProtocolError):
                await channel.receive()
            waiting.cancel()
            await asyncio.wait([waiting])
            await channel.send(b"x")
            assert await channel.receive() == b"X"

    run(main())


# -- what only datagrams do ------------------------------------------------------------------------------------


def test_a_refusal_is_told_and_the_channel_lives_on(run: Run[Any]) -> None:
    async def main() -> None:
        with open_bound(ANYWHERE) as gone:
            nobody = gone.address
        async with asyncio.timeout(PATIENCE), connect(nobody) as channel:
            for _ in range(2):
                await channel.send(b"anybody?")
                with pytest.raises(DatagramRefused, match=str(nobody)):
                    await channel.receive()
            with open_bound(nobody) as late:
                await channel.send(b"and now?")
                late.send(b"yes", late.receive().sender)
                assert await channel.receive() == b"yes"
            figures = channel.statistics()
            assert (figures.sent_messages, figures.received_messages) == (3, 1)
            assert isinstance(channel, DatagramChannel)
            assert channel.statistics().undelivered_messages == 2

    run(main())


def test_who_only_sends_is_told_of_a_refusal_by_the_next_send(run: Run[Any]) -> None:
    async def main() -> None:
        with open_bound(ANYWHERE) as gone:
            nobody = gone.address
        async with asyncio.timeout(PATIENCE), connect(nobody) as channel:
            assert isinstance(channel, DatagramChannel)
            await channel.send(b"one")
            await until(lambda: channel.statistics().undelivered_messages == 1)
            with pytest.raises(DatagramRefused):
                await channel.send(b"two")
            with open_bound(nobody) as late:
                channel.send_now(b"three")
                assert late.receive().message == b"three", "the refusal was told once, and this one was sent"

    run(main())


def test_iterating_passes_over_refusals_with_few_lines_in_the_log(
    run: Run[Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        with open_bound(ANYWHERE) as gone:
            nobody = gone.address
        async with asyncio.timeout(PATIENCE), connect(nobody) as channel, asyncio.TaskGroup() as tasks:
            assert isinstance(channel, DatagramChannel)
            messages: asyncio.Queue[bytes] = asyncio.Queue()

            async def iterate() -> None:
                async for message in channel:
                    messages.put_nowait(message)

            reading = tasks.create_task(iterate())
            for count in range(1, 21):
                channel.send_now(b"x")
                await until(partial(_has_lost, channel, count))
                await asyncio.sleep(0)
            with open_bound(nobody) as late:
                channel.send_now(b"x")
                late.send(b"here", late.receive().sender)
                assert await messages.get() == b"here"
            reading.cancel()

    run(main())
    assert 1 <= len(caplog.records) <= 3
    assert "nobody listens" in caplog.text


def test_a_datagram_longer_than_allowed_is_told_never_cut(run_once: Run[Any]) -> None:
    async def main() -> None:
        async with with_peer() as (channel, peer):
            channel._driver.port.max_datagram_bytes = 10
            await channel.send(b"hello")
            sender = peer.receive().sender
            for message in (b"x" * 11, b"short"):
                peer.send(message, sender)
            await until(lambda: channel.statistics().truncated_messages == 1)
            assert await channel.receive() == b"short", "what came whole comes first"
            with pytest.raises(DatagramTruncated, match="longer than 10 bytes"):
                await channel.receive()

    run_once(main())


def test_only_the_peer_is_heard(run: Run[Any]) -> None:
    async def main() -> None:
        async with with_peer() as (channel, peer):
            await channel.send(b"hello")
            sender = peer.receive().sender
            with open_bound(ANYWHERE) as stranger:
                stranger.send(b"I am your peer", sender)
                peer.send(b"I am", sender)
                assert await channel.receive() == b"I am"
                assert channel.statistics().waiting_messages == 0

    run(main())


@pytest.mark.parametrize("size", [0, 1, 60_000])
def test_a_flood_fills_the_queue_and_no_more_and_the_newest_are_dropped(run_once: Run[Any], size: int) -> None:
    async def main() -> None:
        async with with_peer() as (channel, _):
            fits = WAITING_BYTES // (size + MESSAGE_BYTES)
            for number in range(fits + 10):
                channel.heard(bytes([number % 251]) * size, b"")
            figures = channel.statistics()
            assert (figures.waiting_messages, figures.dropped_messages) == (fits, 10)
            for number in range(fits):
                assert await channel.receive() == bytes([number % 251]) * size
            channel.heard(b"again", b"")
            assert await channel.receive() == b"again"

    run_once(main())


def test_what_does_not_fit_into_a_datagram_is_refused(run: Run[Any]) -> None:
    async def main() -> None:
        async with with_peer() as (channel, peer):
            with pytest.raises(MessageTooLarge, match="datagram of 65508 bytes, limit 65507 bytes"):
                await channel.send(b"x" * 65_508)
            await channel.send(b"x" * 65_507)
            assert len(peer.receive().message) == 65_507

    run(main())


def test_ending_and_aborting_close_it_since_there_is_no_half(run: Run[Any]) -> None:
    async def main() -> None:
        for way in ("end", "abort"):
            async with with_peer() as (channel, _):
                getattr(channel, way)()
                assert channel.is_gone
                assert "closed" in repr(channel)
                with pytest.raises(ChannelClosed):
                    await channel.receive()

    run(main())


def test_closing_wakes_whoever_receives(run: Run[Any]) -> None:
    async def main() -> None:
        async with with_peer() as (channel, _), asyncio.TaskGroup() as tasks:

            async def wait() -> None:
                with pytest.raises(ChannelClosed):
                    await channel.receive()

            waiting = tasks.create_task(wait())
            await asyncio.sleep(0)
            await channel.close()
            await waiting

    run(main())


def test_what_cannot_be_connected_is_refused_with_what_to_do(run_once: Run[Any]) -> None:
    async def main() -> None:
        with pytest.raises(ConnectFailed, match="does not resolve"):
            await connect("udp://nowhere.invalid:9")
        with pytest.raises(AddressError, match="can be sent to"):
            await connect("udp://*:9")
        with pytest.raises(UsageError, match="TLS needs a stream"):
            await connect("udp://127.0.0.1:9", tls=client_context())

    run_once(main())


def test_the_serving_side_answers_from_the_address_that_was_asked(run: Run[Any]) -> None:
    async def own_end(channel: Channel) -> None:
        async for _ in channel:
            await channel.send(channel.local_address.encode())

    async def main() -> None:
        async with asyncio.timeout(PATIENCE), serve(own_end, "udp://*:0") as server:
            port = server.addresses[0].port
            for host in ("127.0.0.1", "127.0.0.2", "::1"):
                asked = Address("udp", host, port)
                async with connect(asked) as channel:
                    await channel.send(b"who?")
                    assert await channel.receive() == str(asked).encode()
                with open_connected(asked) as bare:
                    bare.send(b"")
                    assert await asyncio.get_running_loop().sock_recv(bare.sock, 100) == str(asked).encode()

    run(main())


def test_closing_that_is_cancelled_still_closes(run: Run[Any]) -> None:
    async def main() -> None:
        async with with_peer() as (channel, _):
            channel._driver._unsent.append((b"kept back by a busy network", None, b""))
            closing = asyncio.get_running_loop().create_task(channel.close())
            await asyncio.sleep(0)
            assert not channel.is_gone
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            await channel.wait_gone()

    run(main())
