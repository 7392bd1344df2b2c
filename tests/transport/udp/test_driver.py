"""UDP under an event loop: many datagrams a turn, answers at once, errors told and survived, queues that end."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from typing import Any

import pytest

from lanline.address import Address
from lanline.errors import BufferFull, ChannelClosed, DatagramRefused, DatagramTruncated, LanlineError, TextNotBytes
from lanline.testing.room import until
from lanline.transport.udp.datagrams import Place, open_bound, open_connected
from lanline.transport.udp.driver import MAX_UNSENT, UdpDriver
from lanline.transport.udp.udpsocket import UdpSocket

from ..conftest import Run

LOOPBACK = Address.parse("udp://127.0.0.1:0")


class Shelf:
    """Keeps what a driver hands on."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[tuple[bytes, Place, bytes]] = asyncio.Queue()
        self.troubles: asyncio.Queue[LanlineError] = asyncio.Queue()

    def driver(self, port: UdpSocket) -> UdpDriver:
        """A driver that fills this shelf."""
        return UdpDriver(
            port,
            receive=lambda *received: self.messages.put_nowait(received),
            on_trouble=lambda trouble, place: self.troubles.put_nowait(trouble),
        )


class _BusySocket(socket.socket):
    """A socket whose system takes nothing for a while: what a loaded network card does, which no test can order."""

    busy_with = 0

    def sendto(self, *arguments: Any) -> int:
        if self.busy_with:
            raise OSError(self.busy_with, "busy")
        return super().sendto(*arguments)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "*"])
def test_what_comes_is_handed_on_in_order_and_answers_reach_the_sender(run: Run[Any], host: str) -> None:
    async def main() -> None:
        shelf = Shelf()
        driver = shelf.driver(open_bound(Address.parse(f"udp://{host}:0")))
        target = Address("udp", {"[::1]": "::1", "*": "127.0.0.2"}.get(host, host), driver.port.address.port)
        with open_connected(target) as peer:
            async with asyncio.timeout(15):
                for number in range(150):
                    peer.send(b"%d" % number)
                for number in range(150):
                    message, sender, came_to = await shelf.messages.get()
                    assert message == b"%d" % number
                driver.send(b"answer", sender, came_to)
            assert peer.receive().message == b"answer"
        assert (driver.figures.received, driver.figures.sent) == (150, 1)
        await driver.close()

    run(main())


@pytest.mark.parametrize("host", ["127.0.0.1", "*"])
def test_an_answer_is_sent_at_once_and_none_is_no_answer(run: Run[Any], host: str) -> None:
    def answer(message: bytes, sender: Address) -> bytes | None:
        if message == b"fail":
            raise ValueError("no idea")
        return None if message == b"hush" else message.upper() + b" " + str(sender).encode()

    async def main() -> None:
        driver = UdpDriver(open_bound(Address.parse(f"udp://{host}:0")), answer=answer)
        with open_connected(Address("udp", "127.0.0.1", driver.port.address.port)) as peer:
            for message in (b"hush", b"fail", b"", b"hello"):
                peer.send(message)
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(15):
                assert await loop.sock_recv(peer.sock, 100) == f" {peer.address}".encode()
                assert await loop.sock_recv(peer.sock, 100) == f"HELLO {peer.address}".encode()
        assert (driver.figures.received, driver.figures.sent, driver.figures.failed_answers) == (4, 2, 1)
        await driver.close()

    run(main())


def test_an_answer_that_is_no_bytes_is_a_failed_one() -> None:
    def answer(message: bytes, sender: Address) -> Any:
        return 7 if message == b"seven" else message

    async def main() -> None:
        for where in (LOOPBACK, Address.parse("udp://*:0")):
            driver = UdpDriver(open_bound(where), answer=answer)
            with open_connected(Address("udp", "127.0.0.1", driver.port.address.port)) as peer:
                peer.send(b"seven")
                peer.send(b"hello")
                async with asyncio.timeout(15):
                    assert await asyncio.get_running_loop().sock_recv(peer.sock, 100) == b"hello"
            assert (driver.figures.sent, driver.figures.failed_answers) == (1, 1)
            await driver.close()

    asyncio.run(main())


def test_a_flood_of_failing_answers_writes_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    def answer(message: bytes, sender: Address) -> bytes | None:
        raise ValueError("no idea")

    async def main() -> None:
        driver = UdpDriver(open_bound(LOOPBACK), answer=answer)
        with open_connected(driver.port.address) as peer:
            for _ in range(100):
                peer.send(b"x")
            await until(lambda: driver.figures.failed_answers == 100)
        await driver.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    assert 1 <= len(caplog.records) <= 2
    assert "ValueError: no idea" in caplog.text


@pytest.mark.parametrize("host", ["127.0.0.1", "*"])
def test_a_truncated_datagram_is_told_and_the_next_one_is_handed_on(run: Run[Any], host: str) -> None:
    async def main() -> None:
        shelf = Shelf()
        driver = shelf.driver(open_bound(Address.parse(f"udp://{host}:0"), max_datagram_bytes=10))
        with open_connected(Address("udp", "127.0.0.1", driver.port.address.port)) as peer:
            peer.send(b"x" * 11)
            peer.send(b"next")
            async with asyncio.timeout(15):
                assert isinstance(await shelf.troubles.get(), DatagramTruncated)
                assert (await shelf.messages.get())[0] == b"next"
        assert driver.figures.truncated == 1
        await driver.close()

    run(main())


@pytest.mark.parametrize("is_connected", [False, True])
def test_refusals_are_told_with_the_peers_name_and_reading_goes_on(run: Run[Any], is_connected: bool) -> None:
    async def main() -> None:
        gone = open_bound(LOOPBACK)
        nobody, place = gone.address, gone.sock.getsockname()
        gone.close()
        shelf = Shelf()
        driver = shelf.driver(open_connected(nobody) if is_connected else open_bound(LOOPBACK))
        to = None if is_connected else place
        async with asyncio.timeout(15):
            for _ in range(3):
                driver.send(b"anybody?", to)
                trouble = await shelf.troubles.get()
                assert isinstance(trouble, DatagramRefused)
                assert str(nobody) in str(trouble)
            with open_bound(nobody) as late:
                driver.send(b"and now?", to)
                late.send(b"yes", late.receive().sender)
                assert (await shelf.messages.get())[0] == b"yes"
        assert driver.figures.undelivered == 3
        await driver.close()

    run(main())


def test_refusals_of_answers_are_counted_and_harm_no_other_answer(run: Run[Any]) -> None:
    async def main() -> None:
        driver = UdpDriver(open_bound(LOOPBACK), answer=lambda message, sender: message)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(15):
            for number in range(20):
                with open_connected(driver.port.address) as hasty:
                    hasty.send(b"x")
                with open_connected(driver.port.address) as peer:
                    peer.send(b"%d" % number)
                    assert await loop.sock_recv(peer.sock, 100) == b"%d" % number
            await until(lambda: driver.figures.undelivered == 20)
        await driver.close()

    run(main())


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOBUFS])
def test_what_the_system_does_not_take_waits_in_a_queue_that_ends(run: Run[Any], number: int) -> None:
    async def main() -> None:
        sock = _BusySocket(type=socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        shelf = Shelf()
        driver = shelf.driver(UdpSocket(sock, max_datagram_bytes=100))
        with open_bound(LOOPBACK) as peer:
            place = peer.sock.getsockname()
            sock.busy_with = number
            for count in range(MAX_UNSENT):
                assert driver.has_room
                driver.send(b"%d" % count, place)
            with pytest.raises(BufferFull, match=f"{MAX_UNSENT} datagrams wait"):
                driver.send(b"one too many", place)
            async with asyncio.timeout(15), asyncio.TaskGroup() as tasks:
                waiting = tasks.create_task(driver.wait_room())
                await asyncio.sleep(0)
                assert not waiting.done()
                sock.busy_with = 0
            await driver.close(drain=5)
            for count in range(MAX_UNSENT):
                assert peer.receive().message == b"%d" % count
        assert (driver.figures.sent, driver.figures.unsent_dropped) == (MAX_UNSENT, 1)

    run(main())


def test_closing_does_not_wait_for_a_system_that_takes_nothing(run: Run[Any]) -> None:
    async def main() -> None:
        sock = _BusySocket(type=socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        driver = Shelf().driver(UdpSocket(sock, max_datagram_bytes=100))
        sock.busy_with = errno.EAGAIN
        driver.send(b"x", ("127.0.0.1", 9))
        await driver.close(drain=0.02)
        assert driver.is_closed
        with pytest.raises(ChannelClosed):
            driver.send(b"y", ("127.0.0.1", 9))
        await driver.close()

    run(main())


def test_whoever_is_handed_a_datagram_may_close_the_socket(run: Run[Any]) -> None:
    async def main() -> None:
        got: list[bytes] = []

        def receive(message: bytes, sender: Place, came_to: bytes) -> None:
            got.append(message)
            driver.abort()

        driver = UdpDriver(open_bound(LOOPBACK), receive=receive)
        with open_connected(driver.port.address) as peer:
            for _ in range(3):
                peer.send(b"x")
            await until(lambda: driver.is_closed)
            await asyncio.sleep(0)
        assert got == [b"x"]

    run(main())


def test_what_is_no_bytes_is_refused_at_once_though_others_wait(run: Run[Any]) -> None:
    async def main() -> None:
        sock = _BusySocket(type=socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        driver = Shelf().driver(UdpSocket(sock, max_datagram_bytes=100))
        with open_bound(LOOPBACK) as peer:
            place = peer.sock.getsockname()
            sock.busy_with = errno.EAGAIN
            changing = bytearray(b"first")
            driver.send(changing, place)  # type: ignore[arg-type]
            changing[:] = b"later"
            with pytest.raises(TextNotBytes):
                driver.send("text", place)  # type: ignore[arg-type]
            with pytest.raises(TypeError):
                driver.send([1], place)  # type: ignore[arg-type]
            driver.send(b"second", place)
            sock.busy_with = 0
            await driver.close(drain=5)
            assert [peer.receive().message for _ in range(2)] == [b"first", b"second"]

    run(main())
