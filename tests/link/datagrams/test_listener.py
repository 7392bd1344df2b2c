"""Serving datagrams: a handler for each sender, all of it bounded, and nothing left behind."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from lanline.address import Address
from lanline.errors import AddressError, ChannelClosed, ChannelEnded, ConnectFailed, ListenFailed, UsageError
from lanline.limits import PLAIN
from lanline.link.channel import Channel
from lanline.link.client import connect, connect_link
from lanline.link.datagrams import sendertable
from lanline.link.datagrams.listener import DatagramListener, is_datagrams, ports_of
from lanline.link.server import Server, serve
from lanline.transport.tls import client_context
from lanline.transport.udp.datagrams import UdpSocket, open_bound, open_connected
from tests.link.conftest import Run
from tests.link.desk import PATIENCE, Desk, until


@contextmanager
def speakers(server: Server, count: int) -> Iterator[list[UdpSocket]]:
    """So many sockets that speak to a server."""
    sockets = [open_connected(server.addresses[0]) for _ in range(count)]
    try:
        yield sockets
    finally:
        for one in sockets:
            one.close()


def _has_accepted(server: Server, count: int) -> bool:
    return server.statistics().listeners[0].accepted == count


async def _pause(seconds: float) -> None:
    """Lets virtual time pass."""
    over = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, over.set_result, None)
    await over


async def answer_to(speaker: UdpSocket) -> bytes:
    """The next datagram that comes back."""
    async with asyncio.timeout(PATIENCE):
        return await asyncio.get_running_loop().sock_recv(speaker.sock, 65_535)


class Counter:
    """A handler that numbers what each sender says, and remembers how each channel ended."""

    def __init__(self) -> None:
        self.ends: list[str] = []
        self.open = 0

    async def handle(self, channel: Channel) -> None:
        """Answers `1 hello`, `2 again`."""
        self.open += 1
        count = 0
        async for message in channel:
            count += 1
            await channel.send(b"%d %s" % (count, message))
        self.ends.append(str(channel.ended_by))
        self.open -= 1


def test_each_sender_has_a_handler_of_its_own(run: Run[Any]) -> None:
    async def main() -> None:
        counter = Counter()
        async with serve(counter, "udp://127.0.0.1:0") as server:
            with speakers(server, 3) as all_of_them:
                for round_ in (1, 2):
                    for speaker in all_of_them:
                        speaker.send(b"hello")
                        assert await answer_to(speaker) == b"%d hello" % round_
                assert counter.open == 3
                assert server.statistics().peers == 3
                assert server.statistics().listeners[0].accepted == 3
        assert counter.open == 0
        assert counter.ends == ["the server is stopping"] * 3

    run(main())


def test_an_object_that_answers_is_asked_for_each_datagram_and_nothing_is_kept(run: Run[Any]) -> None:
    class Time:
        async def handle(self, channel: Channel) -> None:
            raise AssertionError("datagrams are answered")

        def answer(self, message: bytes, sender: Address) -> bytes | None:
            return f"{sender} {message.decode()}".encode() if message else None

    async def main() -> None:
        async with serve(Time(), "udp://127.0.0.1:0", "tcp://127.0.0.1:0") as server:
            with speakers(server, 2) as all_of_them:
                for speaker in all_of_them:
                    speaker.send(b"")
                    speaker.send(b"hello")
                    assert await answer_to(speaker) == f"{speaker.address} hello".encode()
            assert server.statistics().peers == 0

    run(main())


def test_what_waits_when_a_handler_returns_begins_the_next_call_of_it(run: Run[Any]) -> None:
    async def main() -> None:
        told: list[list[bytes]] = []
        may_end = asyncio.Semaphore(0)

        async def take_two(channel: Channel) -> None:
            got = [await channel.receive(), await channel.receive()]
            await may_end.acquire()
            told.append(got)
            await channel.send(b"".join(got))

        async with asyncio.timeout(PATIENCE), serve(take_two, "udp://127.0.0.1:0") as server:
            with speakers(server, 2) as (speaker, other):
                for message in (b"a", b"b", b"c", b"d", b"e"):
                    speaker.send(message)
                other.send(b"x")
                await until(lambda: _has_accepted(server, 2))
                may_end.release()
                may_end.release()
                assert [await answer_to(speaker), await answer_to(speaker)] == [b"ab", b"cd"]
                speaker.send(b"f")
                may_end.release()
                assert await answer_to(speaker) == b"ef"
                assert told == [[b"a", b"b"], [b"c", b"d"], [b"e", b"f"]]
                await server.close(drain=0)

    run(main())


def test_a_handler_that_receives_nothing_is_called_once_for_each_datagram(run: Run[Any]) -> None:
    async def main() -> None:
        calls = 0

        async def deaf(channel: Channel) -> None:
            nonlocal calls
            calls += 1
            await channel.close()
            with pytest.raises(ChannelClosed):
                await channel.receive()

        async with asyncio.timeout(PATIENCE), serve(deaf, "udp://127.0.0.1:0") as server:
            with speakers(server, 1) as (speaker,):
                for _ in range(5):
                    speaker.send(b"x")
                await until(lambda: calls == 5)
                await until(lambda: server.statistics().peers == 0)
                assert _has_accepted(server, 5)

    run(main())


@pytest.mark.parametrize("is_answered_at_once", [False, True])
def test_a_client_that_left_before_its_answer_is_no_warning(
    is_answered_at_once: bool, run: Run[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lanline")
    leave: list[Callable[[], None]] = []

    class Echo:
        async def handle(self, channel: Channel) -> None:
            async for message in channel:
                leave.pop()()
                await channel.send(message)

    class Answering(Echo):
        def answer(self, message: bytes, sender: Address) -> bytes:
            leave.pop()()
            return message

    async def main() -> None:
        what = Answering() if is_answered_at_once else Echo()
        async with asyncio.timeout(PATIENCE), serve(what, "udp://127.0.0.1:0") as server:
            with speakers(server, 1) as (speaker,):
                leave.append(speaker.close)
                speaker.send(b"x")
                await until(lambda: "nobody listens" in caplog.text)
            await server.close(drain=0)

    run(main())
    assert {record.levelno for record in caplog.records} == {logging.INFO}


def test_what_waits_when_the_server_stops_begins_nothing(run: Run[Any]) -> None:
    async def main() -> None:
        calls = 0

        async def one(channel: Channel) -> None:
            nonlocal calls
            calls += 1
            await channel.receive()
            await channel.wait_gone()

        async with asyncio.timeout(PATIENCE), serve(one, "udp://127.0.0.1:0") as server:
            with speakers(server, 2) as (speaker, other):
                for _ in range(5):
                    speaker.send(b"x")
                other.send(b"x")
                await until(lambda: _has_accepted(server, 2))
                await server.close(drain=0)
        assert calls == 2

    run(main())


def test_silence_ends_a_channel_and_the_next_datagram_begins_another(run_virtual: Run[Any]) -> None:
    async def main() -> None:
        counter = Counter()
        async with serve(counter, "udp://127.0.0.1:0") as server:
            with speakers(server, 1) as (speaker,):
                for expected in (b"1 x", b"2 x"):
                    speaker.send(b"x")
                    assert await answer_to(speaker) == expected
                    await _pause(PLAIN.datagram_silence - 1)
                assert counter.ends == []
                await _pause(2)
                assert counter.ends == [f"{speaker.address} has sent nothing for 60 s"]
                speaker.send(b"x")
                assert await answer_to(speaker) == b"1 x"

    run_virtual(main())


def test_what_this_side_sends_does_not_keep_a_silent_sender(run_virtual: Run[Any]) -> None:
    async def main() -> None:
        seconds = 0

        async def tick(channel: Channel) -> None:
            nonlocal seconds
            await channel.receive()
            while channel.ended_by is None:
                await channel.send(b"tick")
                await _pause(1)
                seconds += 1

        async with serve(tick, "udp://127.0.0.1:0") as server:
            with speakers(server, 1) as (speaker,):
                speaker.send(b"x")
                assert await answer_to(speaker) == b"tick"
                await _pause(90)
                assert server.statistics().peers == 0
        assert seconds in (60, 61)

    run_virtual(main())


def test_one_sender_too_many_makes_the_longest_silent_go(run: Run[Any]) -> None:
    async def main() -> None:
        counter = Counter()
        async with serve(counter, "udp://127.0.0.1:0", limits=PLAIN._replace(max_connections=2)) as server:
            with speakers(server, 3) as (first, second, third):
                for speaker in (first, second, first, third):
                    speaker.send(b"x")
                    await answer_to(speaker)
                await until(lambda: len(counter.ends) == 1)
                assert counter.ends[0].startswith(f"{second.address} made way")
                first.send(b"x")
                assert await answer_to(first) == b"3 x"
            figures = server.statistics().listeners[0]
            assert (figures.accepted, figures.dropped_strangers, figures.connections) == (3, 1, 2)

    run(main())


def test_handlers_that_do_not_end_count_on_and_new_senders_are_not_heard(
    run: Run[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sendertable, "LEAVING", 1)

    async def main() -> None:
        done = asyncio.Event()

        async def deaf(channel: Channel) -> None:
            await done.wait()

        async with serve(deaf, "udp://127.0.0.1:0", limits=PLAIN._replace(max_connections=2)) as server:
            with speakers(server, 5) as all_of_them:
                for speaker in all_of_them:
                    speaker.send(b"x")
                await until(lambda: server.statistics().listeners[0].refused == 2)
                assert server.statistics().peers == 3
            done.set()

    run(main())


def test_all_that_waits_on_all_channels_is_bounded(run: Run[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sendertable, "ALL_WAITING_BYTES", 10_000)

    async def main() -> None:
        begin = asyncio.Event()

        async def late(channel: Channel) -> None:
            await begin.wait()
            async for message in channel:
                await channel.send(message)

        async with serve(late, "udp://127.0.0.1:0") as server:
            with speakers(server, 5) as all_of_them:
                for speaker in all_of_them:
                    speaker.send(b"x" * 4000)
                await until(lambda: server.statistics().listeners[0].refused == 3)
                begin.set()
                for speaker in all_of_them[:2]:
                    assert len(await answer_to(speaker)) == 4000

    run(main())


def test_handlers_have_their_last_word_when_the_server_stops(run: Run[Any]) -> None:
    async def polite(channel: Channel) -> None:
        async for _ in channel:
            await channel.send(b"hello")
        await channel.send(b"goodbye")

    async def main() -> None:
        server = await serve(polite, "udp://127.0.0.1:0").start()
        with speakers(server, 1) as (speaker,):
            speaker.send(b"x")
            assert await answer_to(speaker) == b"hello"
            await server.close()
            assert await answer_to(speaker) == b"goodbye"
        with open_bound(server.addresses[0]):
            pass  # the port is free again

    run(main())


def test_a_handler_that_fails_or_goes_harms_nobody_else(run: Run[Any], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async def once(channel: Channel) -> None:
            message = await channel.receive()
            if message == b"fail":
                raise ValueError("as asked")
            await channel.send(message)

        async with serve(once, "udp://127.0.0.1:0") as server:
            with speakers(server, 1) as (speaker,):
                for count, message in enumerate((b"fail", b"one", b"two"), 1):
                    speaker.send(message)
                    if message != b"fail":
                        assert await answer_to(speaker) == message
                    await until(partial(_has_accepted, server, count))
                    await until(lambda: server.statistics().peers == 0)
                assert server.statistics().listeners[0].connections == 0

    run(main())
    assert "as asked" in caplog.text


def test_a_sender_that_refuses_its_answer_is_told_to_its_handler_alone(run: Run[Any]) -> None:
    async def main() -> None:
        told: asyncio.Queue[str] = asyncio.Queue()

        async def insistent(channel: Channel) -> None:
            await channel.receive()
            await channel.send(b"are you there?")
            try:
                await channel.receive()
            except Exception as error:
                told.put_nowait(f"{type(error).__name__} {error}")

        async with asyncio.timeout(PATIENCE), serve(insistent, "udp://127.0.0.1:0") as server:
            with speakers(server, 1) as (stays,):
                stays.send(b"x")
                assert await answer_to(stays) == b"are you there?"
                with speakers(server, 1) as (hasty,):
                    gone = hasty.address
                    hasty.send(b"x")
                text = await told.get()
                assert text.startswith("DatagramRefused")
                assert str(gone) in text
                assert told.empty()

    run(main())


def test_a_refusal_does_not_end_a_handler_that_answers_in_a_loop(run: Run[Any]) -> None:
    async def main() -> None:
        counter = Counter()
        async with asyncio.timeout(PATIENCE), serve(counter, "udp://127.0.0.1:0") as server:
            with open_bound(Address.parse("udp://127.0.0.1:0")) as hasty:
                place, own = hasty.place_of(server.addresses[0]), hasty.address
                hasty.send(b"x", place)
            listener = server._listeners[0]
            assert isinstance(listener, DatagramListener)
            await until(lambda: listener._driver.figures.undelivered == 1)
            with open_bound(own) as again:
                again.send(b"x", place)
                assert await answer_to(again) == b"2 x"

    run(main())


def test_a_second_server_at_the_port_is_refused_and_the_process_named(run_once: Run[Any]) -> None:
    async def main() -> None:
        async with serve(Counter(), "udp://127.0.0.1:0") as server:
            with pytest.raises(ListenFailed, match=r"in use by .* \(process \d+\)"):
                await serve(Counter(), f"udp://*:{server.addresses[0].port}").start()

    run_once(main())


def test_a_name_is_served_at_all_its_addresses_and_a_socket_as_it_is(run: Run[Any]) -> None:
    async def main() -> None:
        with open_bound(Address.parse("udp://*:0")) as shared:
            async with serve(Counter(), "udp://localhost:0", shared.sock) as server:
                assert str(server.addresses[-1]) == f"udp://*:{shared.address.port}"
                for address in server.addresses:
                    target = Address("udp", "127.0.0.1" if address.is_every_interface else address.host, address.port)
                    async with connect(target) as channel:
                        await channel.send(b"x")
                        assert await channel.receive() == b"1 x"

    run(main())


def test_who_stops_leaves_what_comes_to_whoever_shares_the_socket(run: Run[Any]) -> None:
    class Named:
        def __init__(self, name: bytes) -> None:
            self.name = name

        def answer(self, message: bytes, sender: Address) -> bytes:
            return self.name

        async def handle(self, channel: Channel) -> None:
            raise AssertionError("datagrams are answered")

    async def main() -> None:
        with open_bound(Address.parse("udp://127.0.0.1:0")) as shared:
            old = await serve(Named(b"old"), shared.sock.dup()).start()
            with speakers(old, 1) as (speaker,):
                speaker.send(b"who?")
                assert await answer_to(speaker) == b"old"
                for listener in old._listeners:
                    listener.stop_accepting()
                async with serve(Named(b"new"), shared.sock.dup()):
                    for _ in range(5):
                        speaker.send(b"who?")
                        assert await answer_to(speaker) == b"new"
                    await old.close()
                    speaker.send(b"who?")
                    assert await answer_to(speaker) == b"new"

    run(main())


def test_what_cannot_go_over_datagrams_is_refused_with_a_reason(run_once: Run[Any]) -> None:
    async def main() -> None:
        with pytest.raises(AddressError, match="services need a stream"):
            await serve(Desk(), "udp://127.0.0.1:0").start()
        with pytest.raises(UsageError, match="TLS needs a stream"):
            await serve(Counter(), "udp://127.0.0.1:0", tls=client_context()).start()
        with pytest.raises((AddressError, ConnectFailed), match="carries datagrams"):
            await connect_link("udp://127.0.0.1:9")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
            assert is_datagrams(unix)
            with pytest.raises(UsageError, match="AF_UNIX"):
                await ports_of(unix)

    run_once(main())


def test_a_channel_that_was_ended_may_still_send_until_it_is_closed(run: Run[Any]) -> None:
    async def main() -> None:
        kept: list[Channel] = []
        done = asyncio.Event()

        async def keep(channel: Channel) -> None:
            kept.append(channel)
            await done.wait()

        server = await serve(keep, "udp://127.0.0.1:0").start()
        with speakers(server, 1) as (speaker,):
            speaker.send(b"x")
            await until(lambda: len(kept) == 1)
            server._listeners[0].stop_accepting()
            assert await kept[0].receive() == b"x"
            with pytest.raises(ChannelEnded):
                await kept[0].receive()
            await kept[0].send(b"still here")
            assert await answer_to(speaker) == b"still here"
            await kept[0].close()
            with pytest.raises(ChannelClosed):
                await kept[0].send(b"x")
        done.set()
        await server.close()

    run(main())
