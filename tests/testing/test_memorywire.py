"""The network in memory: time passes on it, it can be cut and healed, and nothing on it needs a thread."""

from __future__ import annotations

import asyncio
import random
import threading

import pytest

from lanline.errors import ConnectFailed
from lanline.testing import clock
from lanline.testing.memorywire import InPlace, MemoryNet
from lanline.testing.room import memory_room, until


def test_latency_is_paid_on_every_way() -> None:
    async def main() -> None:
        async with memory_room(3, net=MemoryNet(latency=0.1)) as room:
            link = await room["pc2"].link_to("pc3")
            began = asyncio.get_running_loop().time()
            assert await link.ask("room.ping") == "pong"
            assert asyncio.get_running_loop().time() - began == pytest.approx(0.2)

    clock.run(main())


def test_a_partition_cuts_links_and_ways_and_healing_opens_the_ways() -> None:
    async def main() -> None:
        net = MemoryNet()
        async with memory_room(4, net=net) as room:
            across, within = await room["pc2"].link_to("pc3"), await room["pc3"].link_to("pc4")
            net.partition(["pc3", "pc4"])
            await until(lambda: across.is_gone)
            assert within.is_open
            began = asyncio.get_running_loop().time()
            with pytest.raises(ConnectFailed, match="did not answer within 5 s"):
                await room["pc2"].link_to("pc3")
            assert asyncio.get_running_loop().time() - began == pytest.approx(5)
            assert not net.is_passable("pc2", "pc3") and net.is_passable("hub-1", "pc2")
            net.heal()
            assert (await room["pc2"].link_to("pc3")).is_open
            await room.wait_together()

    clock.run(main())


def test_the_same_room_takes_the_same_virtual_time_in_every_run() -> None:
    async def main() -> float:
        random.seed(7)
        async with memory_room(10, net=MemoryNet(latency=0.01)) as room:
            await room.stop("hub-1")
            await room.start("hub-1")
            await room.wait_together()
            return asyncio.get_running_loop().time()

    assert clock.run(main()) == clock.run(main())


def test_nobody_listens_at_a_node_that_has_stopped() -> None:
    async def main() -> None:
        async with memory_room(3) as room:
            await room.stop("pc3")
            with pytest.raises(ConnectFailed, match="nothing listens"):
                await room["pc2"].link_to("pc3")

    clock.run(main())


def test_work_for_threads_is_done_in_place() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(InPlace())
        assert await asyncio.to_thread(threading.get_ident) == threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        assert asyncio.get_running_loop().time() == 0

    clock.run(main())
