"""Names in memory."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from lanline.address import Address
from lanline.errors import ConnectFailed, ListenFailed
from lanline.limits import LAN
from lanline.transport import memory
from lanline.transport.base import Arrival, connection_facts

from .conftest import Run
from .floods import until
from .recorder import Recorder

HUB = Address.parse("mem://hub")


def test_a_name_is_served_once_and_free_again_afterwards(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await memory.listen(HUB, Recorder)
        with pytest.raises(ListenFailed, match="mem://hub is in use in this process"):
            await memory.listen(HUB, Recorder)
        await listener.close()
        again = await memory.listen(HUB, Recorder)
        await listener.close()  # the old one does not take the new one's name away
        assert repr(again) == "<MemoryListener mem://hub: 0 connections>"
        client = Recorder()
        await memory.connect(HUB, lambda: client, timeout=10)
        await client.end()
        await again.close()

    run(main())


def test_a_name_belongs_to_one_event_loop() -> None:
    async def serve() -> None:
        await memory.listen(HUB, Recorder)

    async def dial() -> None:
        with pytest.raises(ConnectFailed, match="nothing listens at mem://hub"):
            await memory.connect(HUB, Recorder, timeout=1)

    asyncio.run(serve())
    asyncio.run(dial())


def test_each_side_sees_the_name_and_the_certificate_of_the_other(run: Run[Any]) -> None:
    async def main() -> None:
        arrivals: list[Arrival] = []

        def factory(arrival: Arrival) -> Recorder:
            arrivals.append(arrival)
            return server

        server, client = Recorder(), Recorder()
        listener = await memory.listen(HUB, factory, certificate=b"hub's")
        await memory.connect(HUB, lambda: client, timeout=1, local_host="pc7", certificate=b"pc7's")
        ours, theirs = connection_facts(client.transport), connection_facts(server.transport)
        assert (ours.peer_address, ours.certificate) == ("mem://hub", b"hub's")
        assert (theirs.peer_address, theirs.certificate) == ("mem://pc7", b"pc7's")
        assert theirs.uid == arrivals[0].uid == os.getuid()
        assert (arrivals[0].host, arrivals[0].scheme) == ("pc7", "mem")
        await client.end()
        await listener.close()

    run(main())


def test_a_thousand_strangers_are_nobodys_trouble_and_a_member_has_its_limit(run: Run[Any]) -> None:
    async def main() -> None:
        arrivals: list[Arrival] = []

        def factory(arrival: Arrival) -> Recorder:
            arrivals.append(arrival)
            return Recorder(arrival)

        limits = LAN._replace(max_connections_per_member=2)
        listener = await memory.listen(HUB, factory, limits=limits, welcome_at_once=False)
        clients = [Recorder() for _ in range(1000)]
        for client in clients:
            await memory.connect(HUB, lambda client=client: client, timeout=10)  # type: ignore[misc]
        assert listener.statistics().strangers == 1000
        assert [arrival.welcomed("pc7") for arrival in arrivals[:3]] == [True, True, False]
        for client in clients:
            await client.end()
        await until(listener, connections=0)
        await listener.close()

    run(main())


def test_connecting_takes_one_round_trip_and_the_timeout_counts(run: Run[Any]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        listener = await memory.listen(HUB, Recorder, latency=0.02)
        begun, client = loop.time(), Recorder()
        await memory.connect(HUB, lambda: client, timeout=10)
        assert loop.time() - begun >= 0.039  # uvloop's clock ticks in milliseconds
        with pytest.raises(ConnectFailed, match=r"no answer from mem://hub within 0\.01 s"):
            await memory.connect(HUB, Recorder, timeout=0.01)
        await client.end()
        await listener.close()

    run(main())


def test_a_listener_that_stops_while_a_connection_is_under_way_refuses_it(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await memory.listen(HUB, Recorder, latency=0.01)
        asyncio.get_running_loop().call_later(0.005, listener.stop_accepting)
        with pytest.raises(ConnectFailed, match="nothing listens at mem://hub"):
            await memory.connect(HUB, Recorder, timeout=15)

    run(main())
