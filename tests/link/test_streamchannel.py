"""Channels over streams: messages over every local transport, ends of all kinds, back pressure and bounds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lanline.errors import (
    ChannelBroken,
    ChannelClosed,
    ChannelEnded,
    ChannelReset,
    EndedInMessage,
    MessageTooLarge,
    RemoteProtocolError,
    UsageError,
)
from lanline.framing.base import Framing
from lanline.framing.length import LengthPrefixed
from lanline.framing.lines import Lines
from lanline.framing.netstring import Netstring
from lanline.framing.raw import Raw
from lanline.limits import LAN
from lanline.link.channel import Channel
from lanline.link.client import connect
from lanline.link.server import serve
from lanline.link.streamchannel import StreamChannel
from lanline.services.clock.questions import Questions
from tests.link.both import both
from tests.link.conftest import Run
from tests.link.desk import until


async def _upper(channel: Channel) -> None:
    async for message in channel:
        await channel.send(message.upper())


@pytest.mark.parametrize("framing", [Lines(), LengthPrefixed(), Netstring()], ids=lambda one: one.name)
def test_messages_come_whole_and_in_order(address: str, run: Run[Any], framing: Framing) -> None:
    async def main() -> None:
        async with (
            serve(_upper, address, framing=framing) as server,
            connect(server.addresses[0], framing=framing) as one,
        ):
            for _ in range(3):
                await one.send(b"hello")
                assert await one.receive() == b"HELLO"
            messages = [b"x" * size for size in (0, 1, 100, 60_000)] * 20
            async with asyncio.TaskGroup() as group:
                group.create_task(_send_all(one, messages))
                got = [await one.receive() for _ in messages]
            assert got == [message.upper() for message in messages]

    run(main())


async def _send_all(channel: Channel, messages: list[bytes]) -> None:
    for message in messages:
        await channel.send(message)


def test_a_message_that_only_the_end_completes_is_handed_over_before_the_end(run: Run[Any]) -> None:
    async def main() -> None:
        async with serve(_upper, "tcp://127.0.0.1:0", framing=Questions()) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.addresses[0].port)
            writer.write(b"one\ntwo")
            writer.write_eof()
            assert await reader.read() == b"ONE\nTWO\n"
            writer.close()
            await writer.wait_closed()

    run(main())


def test_raw_gives_what_one_read_delivers(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with both(address, Raw()) as (near, far):
            await near.send(b"sticky")
            await near.send(b"packets")
            got = b""
            while len(got) < 13:
                got += await far.receive()
            assert got == b"stickypackets"

    run(main())


def test_messages_of_one_loop_turn_are_one_write(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with both(mem, Raw()) as (near, far):
            for _ in range(100):
                await near.send(b"ab")
            assert await far.receive() == b"ab" * 100

    run_once(main())


# -- ends ----------------------------------------------------------------------------------------------------


def test_a_peer_that_closes_has_ended_the_channel_cleanly(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with both(address, Lines()) as (near, far):
            await near.send(b"last words")
            await near.close()
            assert await far.receive() == b"last words"
            for _ in range(2):
                with pytest.raises(ChannelEnded, match="the peer has closed"):
                    await far.receive()
            assert [message async for message in far] == []

    run(main())


def test_one_half_may_end_before_the_other(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with both(address, Lines()) as (near, far):
            await near.send(b"question")
            near.end()
            near.end()
            with pytest.raises(ChannelClosed, match="ended its half"):
                await near.send(b"too late")
            assert [message async for message in far] == [b"question"]
            await far.send(b"answer")
            assert await near.receive() == b"answer"
            await far.close()
            with pytest.raises(ChannelEnded):
                await near.receive()

    run(main())


def test_a_closed_channel_can_no_longer_be_used(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with both(address, Lines()) as (near, far):
            await near.close()
            await near.close()
            near.end()
            assert near.is_gone and "closed" in repr(near)
            for use in (near.receive, lambda: near.send(b"x")):
                with pytest.raises(ChannelClosed):
                    await use()
            assert [message async for message in near] == []
            assert "Channel lines" in repr(far)

    run(main())


def test_a_stream_that_ends_inside_a_message_says_so(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with both(address, Raw(), Lines()) as (near, far):
            await near.send(b"whole\nhal")
            await near.close()
            assert await far.receive() == b"whole"
            with pytest.raises(EndedInMessage, match="after 3 bytes"):
                await far.receive()

    run(main())


def test_a_connection_that_breaks_is_told_apart_from_one_that_ends(run: Run[Any]) -> None:
    async def main() -> None:
        async with both("tcp://127.0.0.1:0", Lines()) as (near, far):
            await far.send(b"unread")
            for _ in range(5):
                await asyncio.sleep(0)
            import socket
            import struct

            sock = far._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            far.abort()
            assert await near.receive() == b"unread"
            with pytest.raises(ChannelReset, match=r"the connection with tcp://.* was reset"):
                await near.receive()
            await near.wait_gone()
            with pytest.raises(ChannelReset):
                await near.send(b"x")
            assert isinstance(near.ended_by, ChannelReset)

    run(main())


def test_an_abort_wakes_who_waits_here(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with both(mem, Lines()) as (near, _):
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(_error(near.receive()))
                await asyncio.sleep(0)
                near.abort()
            assert isinstance(waiting.result(), ChannelClosed)

    run_once(main())


async def _error(work: Any) -> Exception | None:
    try:
        await work
    except Exception as error:
        return error
    return None


def test_a_message_over_the_limit_breaks_the_channel_with_both_numbers(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with both(address, Raw(), Lines(max_message_bytes=10)) as (near, far):
            await near.send(b"fine\n" + b"x" * 11)
            assert await far.receive() == b"fine"
            with pytest.raises(MessageTooLarge, match="limit 10 bytes"):
                await far.receive()
            await far.wait_gone()

    run(main())


def test_a_peer_that_does_not_keep_to_the_framing_breaks_the_channel(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with both(mem, Raw(), Netstring()) as (near, far):
            await near.send(b"5:hello,no netstring")
            assert await far.receive() == b"hello"
            with pytest.raises(RemoteProtocolError):
                await far.receive()
            with pytest.raises(ChannelBroken, match="the connection is over"):
                await far.send(b"x")

    run_once(main())


def test_what_a_framing_cannot_carry_is_refused_and_nothing_is_sent(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with both(mem, Lines(max_message_bytes=10)) as (near, far):
            with pytest.raises(UsageError):
                await near.send(b"two\nlines")
            with pytest.raises(MessageTooLarge):
                await near.send(b"x" * 11)
            with pytest.raises(TypeError, match=r"text\.encode\(\)"):
                await near.send("text")  # type: ignore[arg-type]  # the mistake a beginner makes
            await near.send(b"good")
            assert await far.receive() == b"good"
            assert near.statistics().sent_messages == 1

    run_once(main())


# -- back pressure and bounds --------------------------------------------------------------------------------


def test_a_sender_waits_for_a_slow_reader(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with both(address, LengthPrefixed()) as (near, far):
            sent = 0

            async def send() -> None:
                nonlocal sent
                for _ in range(400):
                    await near.send(bytes(100_000))
                    sent += 1

            async with asyncio.TaskGroup() as group:
                group.create_task(send())
                last = -1
                while sent != last:
                    last = sent
                    for _ in range(50):
                        await asyncio.sleep(0)
                assert sent < 200, "40 MB do not fit anywhere"
                assert far.statistics().waiting_messages <= 8
                for _ in range(400):
                    assert len(await far.receive()) == 100_000
            assert sent == 400

    run(main())


def test_endless_empty_messages_stop_the_reading_too(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with both(mem, Raw(), Lines()) as (near, far):
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(_send_all(near, [b"\n" * 10_000] * 400))
                for _ in range(200):
                    await asyncio.sleep(0)
                kept = far.statistics().waiting_messages
                assert 0 < kept < 300_000, f"{kept} empty messages kept"
                writer.cancel()
            far.abort()

    run_once(main())


def test_a_task_that_sends_and_sends_lets_others_have_their_turn(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with serve(_upper, mem, framing=Lines()) as server, connect(server.addresses[0], framing=Lines()) as one:
            async with asyncio.TaskGroup() as group:
                group.create_task(_send_all(one, [b"x" * 1000] * 2000))
                for _ in range(2000):
                    assert await one.receive() == b"X" * 1000
            assert isinstance(one, StreamChannel) and one._out_bytes == 0

    run_once(main())


def test_a_sender_that_waits_when_the_channel_closes_is_told(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with both(address, Raw()) as (near, far):
            far._transport.pause_reading()
            async with asyncio.TaskGroup() as group:
                sender = group.create_task(_error(_send_all(near, [bytes(1_000_000)] * 100)))
                await until(lambda: not near._is_writable)
                near.abort()
            assert isinstance(sender.result(), ChannelClosed)

    run(main())


def test_large_messages_let_others_have_their_turn_too(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with both(mem, Raw()) as (near, _):
            turns: list[int] = []
            loop = asyncio.get_running_loop()
            for number in range(10):
                loop.call_soon(turns.append, number)
                await near.send(bytes(70_000))
                assert turns[-1] == number, "the transport takes all of it, and still"

    run_once(main())


def test_a_cancelled_close_cuts_the_connection_at_once(mem: str, run_virtual: Run[Any]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with both(mem, Raw()) as (near, far):
            far._transport.pause_reading()
            near._out = [bytes(3_000_000)]
            task = loop.create_task(near.close())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            await near.wait_gone()
            assert loop.time() == 0
            far._transport.resume_reading()

    run_virtual(main())


def test_senders_that_give_up_waiting_again_and_again_do_not_fill_the_memory(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with both(address, LengthPrefixed()) as (near, far):
            given_up = 0
            for _ in range(300):
                sending = asyncio.get_running_loop().create_task(near.send(bytes(100_000)))
                for _ in range(3):
                    await asyncio.sleep(0)
                sending.cancel()
                given_up += isinstance((await asyncio.gather(sending, return_exceptions=True))[0], BaseException)
            assert given_up > 100, "30 MB do not fit anywhere"
            assert isinstance(near, StreamChannel)
            assert near._transport.get_write_buffer_size() < LAN.unsent_bytes + 2 * 100_000
            assert not near._writers
            for _ in range(near.statistics().sent_messages):
                assert len(await far.receive()) == 100_000

    run(main())
