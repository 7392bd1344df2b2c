"""What all channels share: one receiver, messages before the end, what ended it, figures."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lanline.errors import ChannelClosed, ChannelEnded, EndedInMessage, LocalProtocolError
from lanline.framing.lines import Lines
from lanline.framing.raw import Raw
from tests.link.both import both
from tests.link.conftest import Run
from tests.link.desk import until


def test_two_tasks_cannot_receive_from_one_channel(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with both(mem, Lines()) as (near, far):
            async with asyncio.TaskGroup() as group:
                first = group.create_task(near.receive())
                await asyncio.sleep(0)
                with pytest.raises(LocalProtocolError, match="two tasks receive"):
                    await near.receive()
                await far.send(b"for the first")
            assert first.result() == b"for the first"

    run_once(main())


def test_a_cancelled_receive_loses_no_message(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with both(address, Lines()) as (near, far):
            for turns in range(8):
                task = asyncio.get_running_loop().create_task(near.receive())
                for _ in range(turns):
                    await asyncio.sleep(0)
                await far.send(b"%d" % turns)
                task.cancel()
                await asyncio.wait([task])
                got = await near.receive() if task.cancelled() else task.result()
                assert got == b"%d" % turns

    run(main())


def test_statistics_count_messages_and_bytes(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with both(address, Lines()) as (near, far):
            for _ in range(3):
                await near.send(b"hello")
            await far.receive()
            await until(lambda: not far.statistics().received_messages < 3)
            sent, got = near.statistics(), far.statistics()
            assert (sent.sent_messages, sent.sent_bytes, sent.received_messages) == (3, 18, 0)
            assert (got.received_messages, got.received_bytes, got.waiting_messages) == (3, 18, 2)
            assert near.peer_address

    run(main())


def test_what_ended_a_channel_can_be_asked_for(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with both(address, Raw(), Lines()) as (near, far):
            assert (near.ended_by, far.ended_by) == (None, None)
            await near.send(b"whole\nhal")
            await near.close()
            assert isinstance(near.ended_by, ChannelClosed)
            assert await far.receive() == b"whole"
            await until(lambda: far.ended_by is not None)
            assert isinstance(far.ended_by, EndedInMessage)

    run(main())


def test_iterating_may_stop_and_go_on(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with both(mem, Lines()) as (near, far):
            for number in range(5):
                await near.send(b"%d" % number)
            near.end()
            async for message in far:
                if message == b"1":
                    break
            assert await far.receive() == b"2"
            assert [message async for message in far] == [b"3", b"4"]
            assert isinstance(far.ended_by, ChannelEnded)

    run_once(main())


def test_a_cancelled_iteration_loses_no_message(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with both(address, Lines()) as (near, far):
            got: list[bytes] = []

            async def collect() -> None:
                async for message in near:
                    got.append(message)  # noqa: PERF401  # a comprehension would lose what it has when it is cancelled

            for turns in range(8):
                task = asyncio.get_running_loop().create_task(collect())
                for _ in range(turns):
                    await asyncio.sleep(0)
                await far.send(b"%d" % turns)
                task.cancel()
                await asyncio.wait([task])
            await far.close()
            await collect()
            assert got == [b"%d" % turns for turns in range(8)]

    run(main())


def test_who_is_at_both_ends_is_known(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with both(address, Lines()) as (near, far):
            assert near.local_address and far.local_address and near.peer_address
            if address.startswith("tcp"):
                assert near.local_address == far.peer_address
                assert far.local_address == near.peer_address

    run(main())
