"""Groups: everybody gets everything once and in order, whoever is slow harms nobody, whoever is gone is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from lanline.address import Address
from lanline.errors import BufferFull, ChannelBroken, DatagramRefused, MessageTooLarge, TextNotBytes, UsageError
from lanline.framing.base import Framing
from lanline.framing.length import LengthPrefixed
from lanline.framing.lines import Lines
from lanline.framing.raw import Raw
from lanline.limits import LAN, Limits
from lanline.link.channel import Channel
from lanline.link.client import connect
from lanline.link.datagrams.channel import DatagramChannel
from lanline.link.group import Group
from lanline.link.server import serve
from lanline.link.streamchannel import StreamChannel
from tests.link.conftest import Run
from tests.link.desk import PATIENCE, until


@dataclass
class Room:
    """A group whose members are in the hands of the test: what each hears, and the serving end of each."""

    group: Group = field(default_factory=Group)
    near: list[Channel] = field(default_factory=list)
    far: list[Channel] = field(default_factory=list)

    async def enter(self, where: Address, framing: Framing) -> Channel:
        """One more member."""
        channel = await connect(where, framing=framing)
        self.near.append(channel)
        await until(lambda: len(self.far) == len(self.near))
        return channel


@asynccontextmanager
async def _room(
    address: str, count: int, framing: Framing | None = None, limits: Limits = LAN
) -> AsyncIterator[tuple[Room, Address]]:
    """A group of so many."""
    room, framing = Room(), framing or Lines()

    async def join(channel: Channel) -> None:
        room.far.append(channel)
        room.group.add(channel)
        await channel.wait_gone()

    async with asyncio.timeout(PATIENCE), serve(join, address, framing=framing, limits=limits) as server:
        try:
            for _ in range(count):
                await room.enter(server.addresses[0], framing)
            yield room, server.addresses[0]
        finally:
            for channel in (*room.near, *room.far):
                channel.abort()


async def _hear(channel: Channel, count: int) -> list[bytes]:
    return [await channel.receive() for _ in range(count)]


def test_every_member_gets_every_message_in_order(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with _room(address, 5) as (room, _):
            messages = [b"%d" % number for number in range(200)]
            for message in messages:
                room.group.send(message)
            for channel in room.near:
                assert await _hear(channel, 200) == messages
            assert len(room.group) == 5 and list(room.group) == room.far and room.far[0] in room.group
            assert room.group.statistics().sent_messages == 200
            assert room.far[0].statistics().sent_messages == 200
            assert "5" in repr(room.group)

    run(main())


def test_a_turn_of_messages_is_one_write_for_each_member(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with _room(mem, 2, Raw()) as (room, _):
            for _ in range(100):
                room.group.send(b"ab")
            assert [await channel.receive() for channel in room.near] == [b"ab" * 100] * 2

    run_once(main())


def test_a_member_can_be_left_out(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with _room(mem, 3) as (room, _):
            for number in range(6):
                room.group.send(b"%d" % number, skip=room.far[number % 3])
            for index, channel in enumerate(room.near):
                assert await _hear(channel, 4) == [b"%d" % number for number in range(6) if number % 3 != index]

    run_once(main())


def test_own_messages_and_those_of_the_group_keep_their_order(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with _room(address, 2) as (room, _):
            one = room.far[0]
            await one.send(b"own 1")
            room.group.send(b"all 2")
            one.send_now(b"own 3")
            room.group.send(b"others", skip=one)
            room.group.send(b"all 4")
            room.group.send(b"all 5")
            await one.send(b"own 6")
            assert await _hear(room.near[0], 6) == [b"own 1", b"all 2", b"own 3", b"all 4", b"all 5", b"own 6"]
            assert await _hear(room.near[1], 4) == [b"all 2", b"others", b"all 4", b"all 5"]
            room.group.send(b"all 7")
            assert [await channel.receive() for channel in room.near] == [b"all 7"] * 2

    run(main())


def test_who_comes_gets_what_is_sent_from_then_on_and_who_leaves_what_was_sent_until_then(
    mem: str, run_once: Run[Any]
) -> None:
    async def main() -> None:
        async with _room(mem, 2) as (room, _):
            first, second = room.far
            room.group.discard(second)
            room.group.send(b"1")
            room.group.add(second)
            room.group.add(second)
            room.group.send(b"2")
            room.group.discard(first)
            room.group.discard(first)
            room.group.send(b"3")
            await first.send(b"good bye")
            assert await _hear(room.near[0], 3) == [b"1", b"2", b"good bye"]
            assert await _hear(room.near[1], 2) == [b"2", b"3"]

    run_once(main())


def test_members_with_other_framings_get_the_same_messages(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with _room(mem, 1) as (room, _), _room(f"{mem}-other", 1, LengthPrefixed()) as (other, _):
            room.group.add(other.far[0])
            room.group.send(b"hello")
            assert await room.near[0].receive() == await other.near[0].receive() == b"hello"
            with pytest.raises(UsageError, match="would end at byte"):
                room.group.send(b"two\nlines")
            room.group.send(b"bye")
            assert await room.near[0].receive() == await other.near[0].receive() == b"bye"

    run_once(main())


def test_what_cannot_be_sent_goes_to_nobody(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with _room(mem, 1, Lines(max_message_bytes=4)) as (room, _):
            with pytest.raises(TextNotBytes):
                room.group.send("text")  # type: ignore[arg-type]  # the mistake a beginner makes
            with pytest.raises(MessageTooLarge):
                room.group.send(b"hello")
            room.group.send(b"fine")
            assert await room.near[0].receive() == b"fine"
            assert room.group.statistics().sent_messages == 1

    run_once(main())


def test_who_is_gone_is_no_member(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with _room(address, 3) as (room, _):
            gone = room.far[1]
            await room.near[1].close()
            await gone.close()
            assert len(room.group) == 2 and gone not in room.group
            room.group.add(gone)
            assert len(room.group) == 2
            room.group.send(b"still here")
            assert [await room.near[index].receive() for index in (0, 2)] == [b"still here"] * 2

    run(main())


def test_an_empty_group_takes_messages_too(run_once: Run[Any]) -> None:
    async def main() -> None:
        group = Group()
        group.send(b"into the void")
        assert group.statistics().sent_messages == 1 and len(group) == 0

    run_once(main())


def test_who_takes_nothing_is_cut_off_and_the_others_go_on(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        limits = LAN._replace(unsent_bytes=200_000)
        async with _room(address, 3, LengthPrefixed(), limits) as (room, _):
            stuck, slow = room.far[1], room.near[1]
            assert isinstance(slow, StreamChannel)
            slow._transport.pause_reading()
            sent = 0
            while len(room.group) == 3:
                room.group.send(bytes(100_000))
                sent += 1
                assert sent < 500, "50 MB do not fit anywhere"
                for index in (0, 2):
                    assert len(await room.near[index].receive()) == 100_000
            assert room.group.statistics().cut_members == 1
            assert isinstance(stuck.ended_by, BufferFull) and "limit 200000 bytes" in str(stuck.ended_by)
            with pytest.raises(BufferFull):
                await stuck.receive()
            with pytest.raises((BufferFull, ChannelBroken)):
                await stuck.send(b"x")
            slow._transport.resume_reading()

    run(main())


def test_members_over_datagrams_get_each_message_as_one(run_once: Run[Any]) -> None:
    async def main() -> None:
        async with _room("udp://127.0.0.1:0", 0) as (room, where):
            for number in range(2):
                channel = await connect(where)
                room.near.append(channel)
                await channel.send(b"hello")
                await until(lambda number=number: len(room.far) == number + 1)  # type: ignore[misc]
            room.group.send(b"one")
            room.group.send(b"two", skip=room.far[0])
            room.group.send(b"three")
            assert await _hear(room.near[0], 2) == [b"one", b"three"]
            assert await _hear(room.near[1], 3) == [b"one", b"two", b"three"]
            assert room.group.statistics().lost_messages == 0

    run_once(main())


def test_a_flood_of_messages_does_not_wait_for_the_end_of_the_turn(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with _room(mem, 1, Raw()) as (room, _):
            for _ in range(100):
                room.group.send(bytes(1000))
            assert room.far[0].statistics().sent_bytes > 60_000, "before the loop has had its turn"
            room.group.discard(room.far[0])
            got = 0
            while got < 100_000:
                got += len(await room.near[0].receive())
            assert got == 100_000

    run_once(main())


def test_what_is_too_large_for_a_datagram_goes_to_nobody(run_once: Run[Any]) -> None:
    async def main() -> None:
        async with _room("tcp://127.0.0.1:0", 1, Raw()) as (room, _), connect("udp://127.0.0.1:9") as datagrams:
            room.group.add(datagrams)
            with pytest.raises(MessageTooLarge):
                room.group.send(bytes(65_508))
            assert room.group.statistics().sent_messages == 0
            room.group.send(b"small")
            assert await room.near[0].receive() == b"small"

    run_once(main())


def test_a_message_that_a_refusal_kept_from_being_sent_is_counted_as_lost(run_once: Run[Any]) -> None:
    async def main() -> None:
        async with connect("udp://127.0.0.1:9") as datagrams:
            group = Group()
            group.add(datagrams)
            assert isinstance(datagrams, DatagramChannel)
            datagrams.fell_short(DatagramRefused("nobody listens"))
            group.send(b"one")
            assert (group.statistics().lost_messages, datagrams.statistics().sent_messages) == (1, 0)

    run_once(main())
