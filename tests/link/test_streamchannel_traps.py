"""Every trap of a stream has a name: reset, broken pipe, full buffer, text in place of bytes, a peer that vanishes."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import struct
from pathlib import Path
from typing import Any, cast

import pytest

from lanline.address import Address
from lanline.errors import BufferFull, ChannelClosed, ChannelEnded, ChannelReset, PipeBroken, TextNotBytes
from lanline.framing.lines import Lines
from lanline.framing.raw import Raw
from lanline.limits import LAN
from lanline.link import streamchannel
from lanline.link.channel import Channel
from lanline.link.client import connect
from lanline.link.server import serve
from lanline.link.streamchannel import StreamChannel
from tests.link.both import both
from tests.link.conftest import Run
from tests.link.desk import PATIENCE, until

CLIENTS = 1000


def _dial(address: Address) -> socket.socket:
    return socket.create_connection((address.host, address.port), timeout=PATIENCE)


def _reset(sock: socket.socket) -> None:
    """Closes as a crashed program's system does: with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_a_peer_that_crashed_is_a_reset(run: Run[Any]) -> None:
    ended: list[Any] = []

    async def hear(channel: Channel) -> None:
        try:
            await channel.receive()
        finally:
            ended.append(channel.ended_by)

    async def main() -> None:
        async with serve(hear, "tcp://127.0.0.1:0") as server:
            _reset(_dial(server.addresses[0]))
            await until(lambda: bool(ended))

    run(main())
    assert isinstance(ended[0], ChannelReset) and "was reset" in str(ended[0]) and "127.0.0.1" in str(ended[0])


@pytest.mark.parametrize("scheme", ["tcp", "unix"])
def test_a_peer_that_crashed_is_noticed_though_nothing_is_read(
    scheme: str, run: Run[Any], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setattr(streamchannel, "_LOOK", 0.001)
    lines, ends, channels = 30_000, [], list[Channel]()

    async def busy(channel: Channel) -> None:
        channels.append(channel)
        await channel.wait_gone() if scheme == "tcp" else await until(lambda: channel.ended_by is not None)
        count = 0
        with contextlib.suppress(ChannelReset):
            async for _ in channel:
                count += 1
        ends.append((count, type(channel.ended_by)))

    async def main() -> None:
        path = home / "paused.sock"
        where = "tcp://127.0.0.1:0" if scheme == "tcp" else f"unix://{path}"
        async with asyncio.timeout(PATIENCE), serve(busy, where, framing=Lines()) as server:
            sock = socket.socket(socket.AF_UNIX) if scheme == "unix" else _dial(server.addresses[0])
            if scheme == "unix":
                sock.connect(str(path))
            sock.setblocking(False)
            sent = 0
            await until(lambda: bool(channels))
            while not cast(StreamChannel, channels[0])._is_full and sent < lines:
                await asyncio.get_running_loop().sock_sendall(sock, b"nine char\n" * 1000)
                sent += 1000
                await asyncio.sleep(0)
            _reset(sock)
            await until(lambda: bool(ends))
            assert ends == [(sent, ChannelReset if scheme == "tcp" else ChannelEnded)]

    run(main())


def test_sending_to_a_peer_that_has_closed_breaks_the_pipe(run: Run[Any]) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            async with connect(f"tcp://127.0.0.1:{listener.getsockname()[1]}") as channel:
                accepted, _ = listener.accept()
                accepted.close()
                with pytest.raises(ChannelEnded):
                    await channel.receive()
                with pytest.raises(PipeBroken, match="had closed the connection before it was sent more"):
                    while True:
                        await channel.send(b"too late")
                        await asyncio.sleep(0)
                assert isinstance(channel.ended_by, ChannelEnded)

    run(main())


def test_sending_without_waiting_says_when_the_peer_takes_nothing(address: str, run: Run[Any]) -> None:
    async def main() -> None:
        async with both(address, Raw()) as (near, far):
            far._transport.pause_reading()
            count = 0
            with pytest.raises(BufferFull, match="more than"):
                for _ in range(1000):
                    near.send_now(bytes(100_000))
                    count += 1
                    await asyncio.sleep(0)
            assert near.statistics().sent_messages == count
            far._transport.resume_reading()
            got = 0
            while got < count * 100_000:
                got += len(await far.receive())
            near.send_now(b"there is room again")
            assert await far.receive() == b"there is room again"
            await near.close()
            with pytest.raises(ChannelClosed):
                near.send_now(b"x")

    run(main())


def test_text_is_refused_with_what_to_write(mem: str, run_once: Run[Any]) -> None:
    async def main() -> None:
        async with both(mem, Lines()) as (near, _):
            with pytest.raises(TextNotBytes, match=r"text\.encode\(\)"):
                near.send_now("text")  # type: ignore[arg-type]  # the mistake a beginner makes
            with pytest.raises(TextNotBytes, match=r"text\.encode\(\)"):
                await near.send("text")  # type: ignore[arg-type]

    run_once(main())


async def _upper(channel: Channel) -> None:
    async for message in channel:
        await channel.send(message.upper())


def test_who_vanishes_in_the_middle_of_a_message_harms_nobody(run: Run[Any]) -> None:
    async def main() -> None:
        async with serve(_upper, "tcp://127.0.0.1:0", framing=Lines()) as server:
            async with connect(server.addresses[0], framing=Lines()) as channel:
                for leave in (socket.socket.close, _reset):
                    sock = _dial(server.addresses[0])
                    sock.sendall(b"whole\nhal")
                    leave(sock)
                    await channel.send(b"still here")
                    assert await channel.receive() == b"STILL HERE"
                await until(lambda: server.statistics().peers == 1)

    run(main())


def test_a_thousand_clients_at_once_are_served(run: Run[Any]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4 * CLIENTS:
        pytest.skip(f"a thousand clients need {4 * CLIENTS} files in one process, and {hard} are allowed here")

    async def main() -> None:
        async with serve(_upper, "tcp://127.0.0.1:0", framing=Lines()) as server:

            async def client(number: int) -> Channel:
                channel = await connect(server.addresses[0], framing=Lines(), timeout=PATIENCE)
                await channel.send(b"client %d" % number)
                assert await channel.receive() == b"CLIENT %d" % number
                return channel

            channels = await asyncio.gather(*map(client, range(CLIENTS)))
            assert server.statistics().peers == CLIENTS
            assert server.statistics().listeners[0].refused == 0
            await asyncio.gather(*(channel.close() for channel in channels))

    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        run(main())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_handlers_that_never_end_are_stopped_within_the_limit(mem: str, run_virtual: Run[Any]) -> None:
    async def stubborn(channel: Channel) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = serve(stubborn, mem, limits=LAN._replace(drain=3.0))
        async with server:
            channels = [await connect(mem) for _ in range(5)]
            began = loop.time()
        assert loop.time() - began <= 3.0 + 1.0, "the limit, and a second for the good-byes"
        assert server.statistics().peers == 0
        for channel in channels:
            await channel.close()

    run_virtual(main())
