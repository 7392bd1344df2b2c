"""Opening UDP sockets from an event loop: all addresses of a name, one port, errors in words."""

from __future__ import annotations

import asyncio

import pytest

from lanline.address import Address
from lanline.errors import AddressError, ConnectFailed, ListenFailed
from lanline.transport.sockets import lookup
from lanline.transport.udp.datagrams import open_bound
from lanline.transport.udp.opening import open_at, open_towards, place_of


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "*", "localhost"])
def test_every_address_of_a_host_is_opened_with_one_port(host: str) -> None:
    async def main() -> None:
        ports = await open_at(Address.parse(f"udp://{host}:0"))
        if host == "localhost":
            assert {port.address.host for port in ports} == {str(place[0]) for *_, place in lookup("localhost", 9)}
        else:
            assert len(ports) == 1
        assert len({port.address.port for port in ports}) == 1
        for port in ports:
            port.close()

    asyncio.run(main())


def test_what_cannot_be_opened_is_said_and_leaves_nothing_open() -> None:
    async def main() -> None:
        with open_bound(Address.parse("udp://127.0.0.1:0")) as taken:
            with pytest.raises(ListenFailed, match="in use by"):
                await open_at(Address.parse(f"udp://localhost:{taken.address.port}"))
        with pytest.raises(ListenFailed, match="no interface"):
            await open_at(Address.parse("udp://192.0.2.77:0"))
        with pytest.raises(ListenFailed, match="does not resolve"):
            await open_at(Address.parse("udp://nowhere.invalid:9"))
        with pytest.raises(AddressError):
            await open_at(Address.parse("tcp://127.0.0.1:0"))

    asyncio.run(main())


def test_a_name_is_looked_up_on_the_way_to_a_peer() -> None:
    async def main() -> None:
        peer = await open_towards(Address.parse("udp://localhost:9"), timeout=5)
        assert peer.peer in (Address("udp", "127.0.0.1", 9), Address("udp", "::1", 9))
        peer.close()
        with pytest.raises(ConnectFailed, match="does not resolve"):
            await open_towards(Address.parse("udp://nowhere.invalid:9"), timeout=5)

    asyncio.run(main())


def test_a_bound_socket_learns_where_a_name_is_without_holding_up_the_loop() -> None:
    async def main() -> None:
        with open_bound(Address.parse("udp://*:0")) as port:
            assert await place_of(port, Address.parse("udp://127.0.0.1:9")) == ("::ffff:127.0.0.1", 9, 0, 0)
            assert (await place_of(port, Address.parse("udp://localhost:9")))[1] == 9
            with pytest.raises(ConnectFailed):
                await place_of(port, Address.parse("udp://nowhere.invalid:9"))

    asyncio.run(main())
