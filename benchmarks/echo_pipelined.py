"""Claim: with many messages on their way, an `async for` handler echoes several times as many as others do.

64-byte messages over one connection, 1,024 outstanding, the server in a process of its own. The handler is what
everybody writes: `async for message in channel: await channel.send(message)`. Peers, in the same run, each as its own
documentation shows it: asyncio streams (readline, or readexactly twice, then write and drain), on uvloop and on the
stock loop; `websockets` on uvloop, without compression; pyzmq's ROUTER, blocking, against its DEALER. All but the last
get the same client, a blocking socket that counts bytes.

Run: python -m benchmarks.echo_pipelined [ROUNDS]
"""

from __future__ import annotations

import asyncio
import struct
import sys
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection

import uvloop
import zmq
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websockets

from benchmarks.measure import compare, measure_in_turns, report
from benchmarks.pipelines import MESSAGE_BYTES, Client, served, tell, websocket_frame
from lanline.framing.base import Framing
from lanline.framing.length import LengthPrefixed
from lanline.framing.lines import Lines
from lanline.link.channel import Channel
from lanline.link.server import serve

MESSAGES = 100_000
OUTSTANDING = 1024
MESSAGE = b"x" * MESSAGE_BYTES
HEADER = struct.Struct(">I")

Loop = Callable[[], asyncio.AbstractEventLoop]
STOCK, FAST = asyncio.new_event_loop, uvloop.new_event_loop


# -- the serving processes -------------------------------------------------------------------------------------


def serve_lanline(ready: Connection, framing: Framing, loop: Loop) -> None:
    """A handler over channels."""

    async def echo(channel: Channel) -> None:
        async for message in channel:
            await channel.send(message)

    async def main() -> None:
        async with serve(echo, "tcp://127.0.0.1:0", framing=framing) as server:
            tell(ready, server.addresses[0].port)
            await server.wait_closed()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


async def _echo_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()


async def _echo_lengths(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        try:
            header = await reader.readexactly(4)
        except asyncio.IncompleteReadError:
            return
        body = await reader.readexactly(HEADER.unpack(header)[0])
        writer.write(header + body)
        await writer.drain()


def serve_streams(ready: Connection, framing: Framing, loop: Loop) -> None:
    """asyncio streams."""

    async def main() -> None:
        echo = _echo_lines if isinstance(framing, Lines) else _echo_lengths
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        tell(ready, server.sockets[0].getsockname()[1])
        await server.serve_forever()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


def serve_websocket(ready: Connection) -> None:
    """`websockets`."""

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async def main() -> None:
        # No pings: a client that counts bytes would count them.
        async with serve_websockets(echo, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
            tell(ready, next(iter(server.sockets)).getsockname()[1])
            await server.serve_forever()

    with asyncio.Runner(loop_factory=FAST) as runner:
        runner.run(main())


def serve_zmq(ready: Connection) -> None:
    """A ROUTER."""
    router: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    router.sndhwm = router.rcvhwm = 0  # beyond its high-water mark it would drop messages
    tell(ready, router.bind_to_random_port("tcp://127.0.0.1"))
    while True:
        router.send_multipart(router.recv_multipart())


# -- the asking side -------------------------------------------------------------------------------------------


def echo_zmq(dealer: zmq.Socket[bytes]) -> None:
    """MESSAGES over a DEALER, as many outstanding."""
    for _ in range(OUTSTANDING):
        dealer.send(MESSAGE)
    for _ in range(MESSAGES - OUTSTANDING):
        dealer.recv()
        dealer.send(MESSAGE)
    for _ in range(OUTSTANDING):
        assert dealer.recv() == MESSAGE


def contest(framing: Framing, rounds: int) -> None:
    """Everybody in turns, for one framing."""
    question = framing.encode(MESSAGE)
    ours: dict[str, tuple[Callable[..., None], Loop]] = {
        "asyncio streams, stock loop": (serve_streams, STOCK),
        "asyncio streams, uvloop": (serve_streams, FAST),
        "lanline, stock loop": (serve_lanline, STOCK),
        "lanline, uvloop": (serve_lanline, FAST),
    }
    calls: dict[str, Callable[[], None]] = {}
    with ExitStack() as stack:
        for name, (what, loop) in ours.items():
            port = stack.enter_context(served(what, framing, loop))
            calls[name] = _echoing(stack, Client(port, question, len(question), OUTSTANDING))
        frame = websocket_frame(MESSAGE)
        client = Client(stack.enter_context(served(serve_websocket)), frame, len(frame) - 4, OUTSTANDING)
        client.upgrade_to_websocket()
        calls["websockets, uvloop"] = _echoing(stack, client)
        dealer: zmq.Socket[bytes] = stack.enter_context(zmq.Context.instance().socket(zmq.DEALER))
        dealer.sndhwm = dealer.rcvhwm = 0
        dealer.connect(f"tcp://127.0.0.1:{stack.enter_context(served(serve_zmq))}")
        calls["pyzmq DEALER and ROUTER"] = lambda: echo_zmq(dealer)
        seconds = measure_in_turns(calls, rounds)
    title = f"echo of {MESSAGE_BYTES}-byte messages, {framing.name}, {OUTSTANDING} outstanding, one connection"
    for peer in ("asyncio streams, uvloop", "websockets, uvloop", "pyzmq DEALER and ROUTER"):
        report(f"{title}, against {peer}", compare(seconds, MESSAGES, "messages/s", peer))


def _echoing(stack: ExitStack, client: Client) -> Callable[[], None]:
    stack.callback(client.close)
    return lambda: client.echo(MESSAGES)


def main() -> None:
    """Measures and prints."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    for framing in (LengthPrefixed(), Lines()):
        contest(framing, rounds)


if __name__ == "__main__":
    main()
