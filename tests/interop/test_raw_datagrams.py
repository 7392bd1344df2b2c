"""Bare UDP sockets, as clients and as servers, against channels and sockets of ours with and without asyncio."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Thread
from typing import TypeVar

import pytest

from lanline import (
    Address,
    Channel,
    ChannelClosed,
    DatagramRefused,
    DatagramTruncated,
    MessageTooLarge,
    bind,
    blocking,
    connect,
    serve,
)
from tests.interop.conversation import SECONDS

Told = TypeVar("Told")


@pytest.fixture
def bare() -> Iterator[socket.socket]:
    """A bare UDP socket on loopback."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(SECONDS)
        sock.bind(("127.0.0.1", 0))
        yield sock


def place(address: Address) -> tuple[str, int]:
    """An address of ours, as bare sockets write it."""
    return address.host, address.port


def address_of(bare: socket.socket) -> str:
    """The address of a bare socket, as ours write it."""
    return "udp://{}:{}".format(*bare.getsockname())


def asked_async(ask: Callable[[Address], Told]) -> Told:
    """Serves capitals under asyncio, while a bare client asks in a thread."""

    async def capitals(channel: Channel) -> None:
        async for message in channel:
            await channel.send(channel.peer_address.encode() if message == b"who?" else message.upper())

    async def main() -> Told:
        async with serve(capitals, "udp://127.0.0.1:0") as server:
            return await asyncio.to_thread(ask, server.addresses[0])

    return asyncio.run(main())


def asked_blocking(ask: Callable[[Address], Told]) -> Told:
    """The same with threads."""

    def capitals(channel: blocking.Channel) -> None:
        for message in channel:
            channel.send(channel.peer_address.encode() if message == b"who?" else message.upper())

    with blocking.serve(capitals, "udp://127.0.0.1:0") as server:
        return ask(server.addresses[0])


SERVED = pytest.mark.parametrize("served", [asked_async, asked_blocking], ids=["asyncio", "blocking"])
Serving = Callable[[Callable[[Address], object]], object]


@SERVED
def test_each_bare_client_gets_its_own_answers_and_an_empty_datagram_is_a_message(
    served: Serving, bare: socket.socket
) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.settimeout(SECONDS)

        def ask(address: Address) -> list[bytes]:
            answers = []
            for sock, question in ((bare, b"one"), (other, b"two"), (bare, b""), (bare, b"three")):
                sock.sendto(question, place(address))
                answers.append(sock.recvfrom(100)[0])
            bare.sendto(b"who?", place(address))
            return [*answers, bare.recv(100)]

        assert served(ask) == [b"ONE", b"TWO", b"", b"THREE", address_of(bare).encode()]


@SERVED
def test_a_bare_client_that_asks_and_vanishes_harms_nobody(served: Serving, bare: socket.socket) -> None:
    def ask(address: Address) -> bytes:
        for _ in range(20):
            with socket.socket(type=socket.SOCK_DGRAM) as gone:
                gone.sendto(b"and away", place(address))
        bare.sendto(b"still there?", place(address))
        return bare.recv(100)

    assert served(ask) == b"STILL THERE?"


@SERVED
def test_the_largest_datagram_there_is_comes_back_whole(served: Serving, bare: socket.socket) -> None:
    def ask(address: Address) -> bytes:
        bare.sendto(b"x" * 65_507, place(address))
        return bare.recv(70_000)

    assert served(ask) == b"X" * 65_507


def test_an_oversize_datagram_is_told_with_its_sender_and_the_next_one_comes(bare: socket.socket) -> None:
    async def main() -> bytes:
        async with bind("udp://127.0.0.1:0", max_datagram_bytes=1000) as ours:
            bare.sendto(bytes(1001), place(ours.address))
            with pytest.raises(DatagramTruncated, match="longer than 1000 bytes") as caught:
                await ours.receive()
            assert caught.value.sender == address_of(bare)
            bare.sendto(bytes(1000), place(ours.address))
            datagram = await ours.receive()
            assert str(datagram.sender) == address_of(bare)
            return datagram.message

    assert asyncio.run(main()) == bytes(1000)


def test_an_oversize_datagram_is_told_without_asyncio_too(bare: socket.socket) -> None:
    with blocking.bind("udp://127.0.0.1:0", max_datagram_bytes=1000) as ours:
        bare.sendto(bytes(1001), place(ours.address))
        with pytest.raises(DatagramTruncated, match="longer than 1000 bytes") as caught:
            ours.receive(timeout=SECONDS)
        assert caught.value.sender == address_of(bare)
        bare.sendto(bytes(1000), place(ours.address))
        message, sender, _ = ours.receive(timeout=SECONDS)
        assert (message, str(sender)) == (bytes(1000), address_of(bare))


def _capitals(bare: socket.socket, count: int) -> None:
    for _ in range(count):
        message, sender = bare.recvfrom(70_000)
        bare.sendto(message.upper(), sender)


@pytest.fixture
def bare_server(bare: socket.socket) -> Iterator[socket.socket]:
    """A bare server that answers three datagrams."""
    thread = Thread(target=_capitals, args=(bare, 3))
    thread.start()
    yield bare
    thread.join(SECONDS)


QUESTIONS = [b"one", b"", b"three"]


def test_a_bare_server_answers_a_channel(bare_server: socket.socket) -> None:
    async def main() -> list[bytes]:
        async with connect(address_of(bare_server)) as channel:
            assert channel.peer_address == address_of(bare_server)
            answers = []
            for question in QUESTIONS:
                await channel.send(question)
                answers.append(await asyncio.wait_for(channel.receive(), SECONDS))
            return answers

    assert asyncio.run(main()) == [b"ONE", b"", b"THREE"]


def test_a_bare_server_answers_a_channel_without_asyncio(bare_server: socket.socket) -> None:
    answers = []
    with blocking.connect(address_of(bare_server)) as channel:
        assert channel.peer_address == address_of(bare_server)
        for question in QUESTIONS:
            channel.send(question)
            answers.append(channel.receive(timeout=SECONDS))
    assert answers == [b"ONE", b"", b"THREE"]


def test_a_bare_server_that_vanishes_is_told_as_a_refusal_and_may_come_back(bare: socket.socket) -> None:
    where = bare.getsockname()
    bare.close()

    async def main() -> bytes:
        async with connect("udp://{}:{}".format(*where)) as channel:
            await channel.send(b"anybody?")
            with pytest.raises(DatagramRefused):
                await asyncio.wait_for(channel.receive(), SECONDS)
            with closing(_back_at(where)) as again:
                await channel.send(b"and now?")
                return again.recv(100)

    assert asyncio.run(main()) == b"and now?"


def test_a_bare_server_that_vanishes_is_told_without_asyncio_too(bare: socket.socket) -> None:
    where = bare.getsockname()
    bare.close()
    with blocking.connect("udp://{}:{}".format(*where)) as channel:
        channel.send(b"anybody?")
        with pytest.raises(DatagramRefused):
            channel.receive(timeout=SECONDS)
        with closing(_back_at(where)) as again:
            channel.send(b"and now?")
            assert again.recv(100) == b"and now?"


def test_a_message_that_fits_into_no_datagram_is_refused_before_it_is_sent(bare: socket.socket) -> None:
    async def main() -> None:
        async with connect(address_of(bare)) as channel:
            with pytest.raises(MessageTooLarge):
                await channel.send(bytes(65_508))
            await channel.send(b"small")

    asyncio.run(main())
    assert bare.recv(100) == b"small"
    with blocking.connect(address_of(bare)) as channel:
        with pytest.raises(MessageTooLarge):
            channel.send(bytes(65_508))
        channel.send(b"small")
    assert bare.recv(100) == b"small"


@pytest.mark.parametrize("has_heard", [False, True])
def test_whoever_receives_wakes_up_when_another_thread_closes(bare: socket.socket, has_heard: bool) -> None:
    with blocking.bind("udp://127.0.0.1:0") as ours, blocking.connect(address_of(bare)) as channel:
        if has_heard:
            bare.sendto(b"one", place(ours.address))
            assert ours.receive(timeout=SECONDS).message == b"one"
            channel.send(b"two")
            bare.sendto(b"three", bare.recvfrom(100)[1])
            assert channel.receive(timeout=SECONDS) == b"three"
        for receiver in (ours, channel):
            closer = Thread(target=receiver.close)
            closer.start()
            assert list(receiver) == []
            closer.join(SECONDS)
            with pytest.raises(ChannelClosed):
                receiver.receive()


def _back_at(where: tuple[str, int]) -> socket.socket:
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.settimeout(SECONDS)
    sock.bind(where)
    return sock
