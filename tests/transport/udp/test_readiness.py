"""Being told that a socket is ready, on every event loop, errors and all."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from lanline.transport.udp.readiness import Readiness

from ..conftest import Run


def test_it_tells_of_datagrams_and_goes_on_after_each_refusal(run: Run[Any]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen: asyncio.Queue[str] = asyncio.Queue()
        with socket.socket(type=socket.SOCK_DGRAM) as sock, socket.socket(type=socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            place = peer.getsockname()
            peer.close()
            sock.setblocking(False)
            sock.connect(place)

            def read() -> None:
                try:
                    seen.put_nowait(sock.recv(100).decode())
                except BlockingIOError:
                    return
                except ConnectionRefusedError:
                    seen.put_nowait("refused")

            readiness = Readiness(loop, sock.fileno(), read, lambda: None)
            async with asyncio.timeout(15):
                for _ in range(3):
                    sock.send(b"x")
                    assert await seen.get() == "refused"
                with socket.socket(type=socket.SOCK_DGRAM) as late:
                    late.bind(place)
                    late.sendto(b"here", sock.getsockname())
                    assert await seen.get() == "here"
            readiness.close()

    run(main())


def test_it_tells_when_more_can_be_sent_only_while_that_is_wanted(run: Run[Any]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        told = 0
        wanted: asyncio.Future[None] = loop.create_future()

        def write() -> None:
            nonlocal told
            told += 1
            if not wanted.done():
                wanted.set_result(None)

        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            readiness = Readiness(loop, sock.fileno(), lambda: None, write)
            await asyncio.sleep(0)
            assert told == 0
            readiness.wants_to_write = True
            readiness.wants_to_write = True
            assert readiness.wants_to_write
            async with asyncio.timeout(15):
                await wanted
            readiness.wants_to_write = False
            before = told
            for _ in range(3):
                await asyncio.sleep(0)
            assert told == before
            readiness.wants_to_write = True
            readiness.close()

    run(main())


def test_who_stopped_reading_is_told_of_nothing_but_room_to_write(run: Run[Any]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        read: list[str] = []
        written: asyncio.Future[None] = loop.create_future()

        def write() -> None:
            if not written.done():
                written.set_result(None)

        with socket.socket(type=socket.SOCK_DGRAM) as sock, socket.socket(type=socket.SOCK_DGRAM) as gone:
            sock.bind(("127.0.0.1", 0))
            gone.bind(("127.0.0.1", 0))
            place = gone.getsockname()
            gone.close()
            readiness = Readiness(loop, sock.fileno(), lambda: read.append("read"), write)
            readiness.stop_reading()
            readiness.stop_reading()
            sock.sendto(b"to myself", sock.getsockname())
            sock.connect(place)
            sock.send(b"refused")
            readiness.wants_to_write = True
            async with asyncio.timeout(15):
                await written
            readiness.close()
        assert read == []

    run(main())
