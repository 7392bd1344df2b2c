"""TCP: where it listens, from where it connects, and how both fail."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import pytest

from lanline.address import Address
from lanline.errors import AddressError, ConnectFailed, ListenFailed
from lanline.transport import tcp
from lanline.transport.base import connection_facts

from .conftest import Run
from .recorder import Echo, Recorder


def test_port_0_is_answered_with_the_real_port(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await tcp.listen(Address("tcp", "127.0.0.1"), Recorder)
        assert listener.addresses[0].host == "127.0.0.1"
        assert listener.addresses[0].port > 0
        await listener.close()

    run(main())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "127.0.0.2"])
def test_every_interface_is_ipv4_and_ipv6(run: Run[Any], host: str) -> None:
    async def main() -> None:
        listener = await tcp.listen(Address("tcp", "*"), Echo)
        assert len(listener.addresses) == 1
        assert listener.addresses[0].is_every_interface
        client = Recorder()
        await tcp.connect(Address("tcp", host, listener.addresses[0].port), lambda: client, timeout=15)
        facts = connection_facts(client.transport)
        assert facts.peer_address == str(Address("tcp", host, listener.addresses[0].port))
        client.transport.write(b"x")
        await client.until_received(1)
        await client.end()
        await listener.close()

    run(main())


def test_a_name_is_served_on_all_its_addresses_with_one_port(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await tcp.listen(Address("tcp", "localhost"), Recorder)
        hosts = {address.host for address in listener.addresses}
        assert "127.0.0.1" in hosts
        assert hosts <= {"127.0.0.1", "::1"}
        assert len({address.port for address in listener.addresses}) == 1
        await listener.close()

    run(main())


def test_a_client_may_choose_the_address_it_comes_from(run: Run[Any]) -> None:
    async def main() -> None:
        server = Recorder()
        listener = await tcp.listen(Address("tcp", "127.0.0.1"), lambda arrival: server)
        client = Recorder()
        await tcp.connect(listener.addresses[0], lambda: client, timeout=5, local_host="127.0.0.77")
        await server.until_event("made")
        assert connection_facts(server.transport).peer_address.startswith("tcp://127.0.0.77:")
        with pytest.raises(ConnectFailed, match="no local address"):
            await tcp.connect(listener.addresses[0], Recorder, timeout=5, local_host="10.255.255.1")
        await client.end()
        await server.end()
        await listener.close()

    run(main())


def test_both_sides_get_the_options_of_a_landline(run: Run[Any]) -> None:
    async def main() -> None:
        server, client = Recorder(), Recorder()
        listener = await tcp.listen(Address("tcp", "127.0.0.1"), lambda arrival: server)
        await tcp.connect(listener.addresses[0], lambda: client, timeout=15)
        await server.until_event("made")
        for side in (server, client):
            sock = side.transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
        await client.end()
        await server.end()
        await listener.close()

    run(main())


def test_a_port_in_use_names_the_process_that_has_it(run: Run[Any]) -> None:
    async def main() -> None:
        listener = await tcp.listen(Address("tcp", "127.0.0.1"), Recorder)
        taken = listener.addresses[0]
        with pytest.raises(ListenFailed) as caught:
            await tcp.listen(taken, Recorder)
        assert f"port {taken.port} is in use by" in str(caught.value)
        assert f"(process {os.getpid()})" in str(caught.value)
        await listener.close()
        again = await tcp.listen(taken, Recorder)  # free at once
        await again.close()

    run(main())


def test_an_address_of_another_machine_cannot_be_served(run: Run[Any]) -> None:
    async def main() -> None:
        with pytest.raises(ListenFailed, match="no interface of this machine has that address"):
            await tcp.listen(Address("tcp", "192.0.2.1", 9000), Recorder)

    run(main())


def test_a_name_that_does_not_resolve_can_neither_be_served_nor_reached(run: Run[Any]) -> None:
    async def main() -> None:
        for host in ("nowhere.invalid", "x" * 64 + ".invalid"):
            with pytest.raises(ListenFailed, match="resolve"):
                await tcp.listen(Address("tcp", host, 9000), Recorder)
            with pytest.raises(ConnectFailed, match="resolve"):
                await tcp.connect(Address("tcp", host, 9000), Recorder, timeout=15)

    run(main())


def test_nobody_there_is_told_within_the_timeout(run: Run[Any]) -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            address = Address("tcp", "127.0.0.1", taken.getsockname()[1])
            with pytest.raises(ConnectFailed, match="nothing listens at"):
                await tcp.connect(address, Recorder, timeout=15)

    run(main())


def test_a_server_that_does_not_accept_runs_into_the_timeout(run: Run[Any]) -> None:
    async def main() -> None:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            address = Address("tcp", "127.0.0.1", server.getsockname()[1])
            recorders: list[Recorder] = []
            with pytest.raises(ConnectFailed, match=r"no answer from tcp://.* within 0\.05 s"):
                for _ in range(10):
                    recorder = Recorder()
                    await tcp.connect(address, lambda recorder=recorder: recorder, timeout=0.05)  # type: ignore[misc]
                    recorders.append(recorder)
            for recorder in recorders:
                await recorder.end()

    run(main())


def test_every_interface_is_nothing_to_connect_to(run: Run[Any]) -> None:
    async def main() -> None:
        with pytest.raises(AddressError, match="every interface"):
            await tcp.connect(Address("tcp", "*", 9000), Recorder, timeout=15)

    run(main())


def test_a_cancelled_connect_leaves_nothing_open(run: Run[Any]) -> None:
    async def main() -> None:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            filling = [socket.socket() for _ in range(4)]
            for sock in filling:
                sock.setblocking(False)
                sock.connect_ex(server.getsockname())
            before = len(os.listdir("/proc/self/fd"))
            address = Address("tcp", "127.0.0.1", server.getsockname()[1])
            async with asyncio.TaskGroup() as group:
                task = group.create_task(tcp.connect(address, Recorder, timeout=15))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                task.cancel()
            assert len(os.listdir("/proc/self/fd")) == before
            for sock in filling:
                sock.close()

    run(main())
