"""The UDP fault proxy does each fault it promises, and nothing else, the same way for the same seed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanline import Channel, DatagramRefused, UsageError, bind, connect, serve
from lanline.testing.datagramproxy import DatagramFaults, DatagramProxy, DatagramProxyStatistics, Line
from lanline.testing.room import until

PATIENCE = 10.0
SENT = [b"%03d" % number for number in range(200)]


def fate(faults: DatagramFaults, seed: int = 1, messages: list[bytes] | None = None) -> list[bytes]:
    """What gets through of these datagrams."""
    got: list[bytes] = []
    line = Line(str(seed), got.append, DatagramProxyStatistics())
    for message in SENT if messages is None else messages:
        line.take(message, faults)
    line.release()
    assert line.held_back == 0
    return got


async def _echo(channel: Channel) -> None:
    async for message in channel:
        await channel.send(message)


@asynccontextmanager
async def before_echo(faults: DatagramFaults, seed: int = 1) -> AsyncIterator[DatagramProxy]:
    """A proxy before a handler that sends back what comes."""
    async with (
        asyncio.timeout(PATIENCE),
        serve(_echo, "udp://127.0.0.1:0") as server,
        DatagramProxy(server.addresses[0], faults=faults, seed=seed) as proxy,
    ):
        yield proxy


def test_without_faults_every_datagram_passes_in_order_empty_ones_too() -> None:
    assert fate(DatagramFaults()) == SENT
    assert fate(DatagramFaults(corrupt=1.0, truncate=1.0), messages=[b""]) == [b""]


def test_the_same_seed_has_the_same_fate_and_another_has_another() -> None:
    faults = DatagramFaults(loss=0.2, duplicate=0.2, corrupt=0.2, truncate=0.2, reorder=0.2)
    assert fate(faults, 5) == fate(faults, 5)
    assert fate(faults, 5) != fate(faults, 6)


def test_about_as_many_are_lost_as_was_said_and_all_when_all_shall_be() -> None:
    assert 120 <= len(fate(DatagramFaults(loss=0.3))) <= 160
    assert fate(DatagramFaults(loss=1.0)) == []


def test_the_fate_of_one_datagram_depends_on_nothing_but_its_number() -> None:
    lost = set(SENT) - set(fate(DatagramFaults(loss=0.3)))
    also_doubled = fate(DatagramFaults(loss=0.3, duplicate=0.5))
    assert set(SENT) - set(also_doubled) == lost
    assert lost < set(SENT) - set(fate(DatagramFaults(loss=0.5))), "a larger share loses those and more"


def test_doubles_come_side_by_side() -> None:
    assert fate(DatagramFaults(duplicate=1.0)) == [message for message in SENT for _ in range(2)]


def test_one_bit_is_changed_and_no_more() -> None:
    got = fate(DatagramFaults(corrupt=1.0))
    differences = [int.from_bytes(one) ^ int.from_bytes(other) for one, other in zip(SENT, got, strict=True)]
    assert all(difference.bit_count() == 1 for difference in differences)


def test_what_is_cut_loses_its_end() -> None:
    got = fate(DatagramFaults(truncate=1.0))
    assert all(message.startswith(short) and short != message for message, short in zip(SENT, got, strict=True))


def test_reordering_swaps_neighbours_and_loses_nothing() -> None:
    got = fate(DatagramFaults(reorder=0.3))
    assert got != SENT
    assert sorted(got) == SENT
    assert all(abs(got.index(message) - place) <= 1 for place, message in enumerate(SENT))
    assert fate(DatagramFaults(reorder=1.0), messages=SENT[:4]) == [SENT[1], SENT[0], SENT[3], SENT[2]]


def test_a_delay_holds_so_many_back_and_keeps_their_order() -> None:
    got: list[bytes] = []
    line = Line("1", got.append, DatagramProxyStatistics())
    for message in SENT:
        line.take(message, DatagramFaults(delay=7))
    assert got == SENT[:-7]
    assert line.held_back == 7
    line.release()
    assert got == SENT


@given(
    st.builds(
        DatagramFaults,
        loss=st.floats(0, 1),
        duplicate=st.floats(0, 1),
        reorder=st.floats(0, 1),
        delay=st.integers(0, 20),
    ),
    st.integers(),
)
def test_nothing_is_invented_and_nothing_comes_thrice(faults: DatagramFaults, seed: int) -> None:
    got = fate(faults, seed, SENT[:30])
    assert all(got.count(message) <= 2 for message in set(got))
    assert set(got) <= set(SENT)


@pytest.mark.parametrize(
    ("name", "value"), [("loss", 1.1), ("duplicate", -0.1), ("corrupt", 2), ("delay", -1), ("delay", 1025)]
)
def test_a_share_that_is_none_is_refused(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=name):
        DatagramFaults(**{name: value})  # type: ignore[arg-type]


def test_each_sender_has_its_own_answers_back_through_both_directions() -> None:
    async def main() -> None:
        async with before_echo(DatagramFaults()) as proxy, connect(proxy.address) as one, connect(proxy.address) as two:
            for number in range(20):
                await one.send(b"one %d" % number)
                await two.send(b"two %d" % number)
                assert await one.receive() == b"one %d" % number
                assert await two.receive() == b"two %d" % number
            assert (proxy.forth.received, proxy.forth.passed) == (proxy.back.received, proxy.back.passed) == (40, 40)

    asyncio.run(main())


def test_the_whole_way_is_the_same_in_every_run() -> None:
    async def talk(seed: int) -> list[bytes]:
        faults = DatagramFaults(loss=0.2, duplicate=0.2, corrupt=0.2, truncate=0.2, reorder=0.2)
        got: list[bytes] = []
        async with before_echo(faults, seed) as proxy, connect(proxy.address) as channel:

            def has_settled() -> bool:
                echoed = proxy.back.received == proxy.forth.passed
                return echoed and channel.statistics().received_messages == proxy.back.passed

            for count, message in enumerate(SENT[:50], 1):
                await channel.send(message)
                await until(partial(_has_come, proxy, count))
                await until(has_settled)
                got += [await channel.receive() for _ in range(channel.statistics().waiting_messages)]
        return got

    first, again, other = (asyncio.run(talk(seed)) for seed in (3, 3, 4))
    assert first == again != other
    assert 20 < len(first) < 60


def _has_come(proxy: DatagramProxy, count: int) -> bool:
    return proxy.forth.received == count


def test_whoever_asks_again_gets_every_answer_through_a_bad_network() -> None:
    async def main() -> None:
        faults = DatagramFaults(loss=0.3, duplicate=0.3, reorder=0.3)
        async with before_echo(faults, seed=7) as proxy, connect(proxy.address) as channel:
            for message in SENT[:50]:
                while True:
                    await channel.send(message)
                    try:
                        async with asyncio.timeout(0.02):
                            while await channel.receive() != message:
                                pass  # a late answer to an earlier question
                    except TimeoutError:
                        continue
                    break
            assert proxy.forth.lost + proxy.back.lost > 10

    asyncio.run(main())


def test_a_pulled_cable_can_be_put_back() -> None:
    async def main() -> None:
        async with before_echo(DatagramFaults(loss=1.0)) as proxy, connect(proxy.address) as channel:
            await channel.send(b"lost")
            await until(lambda: proxy.forth.lost == 1)
            proxy.faults = DatagramFaults()
            await channel.send(b"found")
            assert await channel.receive() == b"found"

    asyncio.run(main())


def test_what_is_held_back_comes_when_it_is_released() -> None:
    async def main() -> None:
        async with before_echo(DatagramFaults(delay=2)) as proxy, connect(proxy.address) as channel:
            for message in SENT[:2]:
                await channel.send(message)
            await until(lambda: proxy.held_back == 2)
            proxy.faults = DatagramFaults()
            proxy.release()
            assert [await channel.receive(), await channel.receive()] == SENT[:2]

    asyncio.run(main())


def test_a_datagram_that_the_way_to_the_target_does_not_carry_is_lost_and_counted() -> None:
    async def main() -> None:
        async with before_echo(DatagramFaults()) as proxy, connect(proxy.address) as channel:
            await channel.send(b"before")
            assert await channel.receive() == b"before"
            (sender,) = proxy._senders.values()
            # 40 bytes of IP options in every header: that much less fits into a datagram (RFC 791 section 3.1).
            sender.driver.port.sock.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x01" * 40)
            await channel.send(bytes(65_507))
            await channel.send(b"after")
            assert await channel.receive() == b"after"
            assert (proxy.forth.received, proxy.forth.passed, proxy.forth.lost) == (3, 2, 1)

    asyncio.run(main())


def test_what_is_released_when_the_proxy_is_closed_is_lost() -> None:
    async def main() -> None:
        async with before_echo(DatagramFaults(delay=2)) as proxy, connect(proxy.address) as channel:
            for message in SENT[:2]:
                await channel.send(message)
            await until(lambda: proxy.held_back == 2)
            await proxy.close()
            proxy.faults = DatagramFaults()
            proxy.release()
            assert (proxy.forth.passed, proxy.forth.lost, proxy.held_back) == (0, 2, 0)

    asyncio.run(main())


def test_a_network_does_not_say_that_nobody_listens_but_the_proxy_that_is_gone_does() -> None:
    async def main() -> None:
        async with bind("udp://127.0.0.1:0") as gone:
            nobody = gone.address
        async with asyncio.timeout(PATIENCE), DatagramProxy(nobody) as proxy:
            async with connect(proxy.address) as channel:
                await channel.send(b"anybody?")
                await until(lambda: proxy.forth.passed == 1)
                assert channel.statistics().waiting_messages == 0
                await proxy.close()
                await channel.send(b"and the proxy?")
                with pytest.raises(DatagramRefused):
                    await channel.receive()
            assert "nowhere" in repr(proxy)

    asyncio.run(main())
