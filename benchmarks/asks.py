"""Claim: about three times as many typed asks a second over one link as bare messages through pyzmq's DEALER and
ROUTER, and more than three times as many as the same work done over them.

Two processes, TCP on loopback, 256 asks outstanding, a text of 64 characters each way. Ours is the whole way: endpoint,
argument and answer with their types checked, an awaited call for each ask, on uvloop at both ends; the endpoint once as
`def`, answered in place, and once as `async def`, a task for each ask.

Peers, in the same run: pyzmq carrying bare messages of 64 bytes between two blocking loops, which is the least a
program can do with it; and pyzmq doing the same work as ours: msgspec requests of number, endpoint and arguments, a
table of endpoints, types checked, answers matched to awaited futures by their number, on uvloop, the socket drained
whenever it is readable (zmq.asyncio, the usual way, is several times slower and would be no fair peer).

Run: python -m benchmarks.asks [ROUNDS]
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any

import msgspec
import uvloop
import zmq

from benchmarks.measure import compare, measure_in_turns, report
from lanline.link.client import connect_link
from lanline.link.link import Link
from lanline.link.server import serve
from lanline.link.service import Service, endpoint

ASKS = 50_000
OUTSTANDING = 256
TEXT = "x" * 64


class Request(msgspec.Struct, array_like=True):
    """What the typed peer sends: number, endpoint, arguments."""

    number: int
    endpoint: str
    arguments: msgspec.Raw


class Response(msgspec.Struct, array_like=True):
    """What it gets back."""

    number: int
    result: msgspec.Raw


class Echo(Service):
    """Gives back what it gets, in both ways an ask can be answered."""

    name = "echo"

    @endpoint
    def say(self, text: str) -> str:
        """In place."""
        return text

    @endpoint
    async def later(self, text: str) -> str:
        """In a task of its own."""
        return text


# -- the serving processes -------------------------------------------------------------------------------------


def serve_lanline(ready: Connection) -> None:
    """Serves `Echo` until the process is ended."""

    async def main() -> None:
        async with serve(Echo(), "tcp://127.0.0.1:0") as server:
            ready.send(server.addresses[0].port)
            await server.wait_closed()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def serve_zmq_bare(ready: Connection) -> None:
    """Sends every message back to whom it came from."""
    socket = _router(ready)
    while True:
        socket.send_multipart(socket.recv_multipart())


def serve_zmq_typed(ready: Connection) -> None:
    """Answers typed requests from a table of endpoints."""
    socket = _router(ready)
    decode = msgspec.msgpack.Decoder(Request).decode
    encode = msgspec.msgpack.Encoder().encode
    table = {"echo.say": (msgspec.msgpack.Decoder(tuple[str]).decode, lambda text: text)}
    while True:
        who, message = socket.recv_multipart()
        request = decode(message)
        decode_arguments, method = table[request.endpoint]
        socket.send_multipart((who, encode((request.number, method(*decode_arguments(request.arguments))))))


def _router(ready: Connection) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    ready.send(socket.bind_to_random_port("tcp://127.0.0.1"))
    return socket


@contextmanager
def served(what: Callable[[Connection], None]) -> Iterator[int]:
    """Runs one of the above in a process of its own, and gives its port."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=what, args=(there,), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.kill()
        process.join()


# -- the asking side -------------------------------------------------------------------------------------------


async def ask_many(ask: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """ASKS asks, OUTSTANDING of them at any time."""

    async def worker() -> None:
        for _ in range(ASKS // OUTSTANDING):
            assert await ask() == TEXT

    await asyncio.gather(*(worker() for _ in range(OUTSTANDING)))


def bare(socket: zmq.Socket[bytes]) -> None:
    """The same number of bare messages, as many outstanding."""
    message = TEXT.encode()
    for _ in range(OUTSTANDING):
        socket.send(message)
    for _ in range(ASKS - OUTSTANDING):
        assert socket.recv() == message
        socket.send(message)
    for _ in range(OUTSTANDING):
        assert socket.recv() == message


class TypedPeer:
    """Typed asks over a DEALER, matched to futures by their number, on an event loop."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, tuple[asyncio.Future[Any], Callable[[Any], Any]]] = {}
        self._number = 0
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Response).decode
        self._decode_text = msgspec.msgpack.Decoder(str).decode
        self._drain_is_due = False
        self._fd = int(socket.getsockopt(zmq.FD))
        self._loop.add_reader(self._fd, self._drain)

    async def ask(self, endpoint: str, *arguments: Any) -> Any:
        """One answer."""
        self._number = number = self._number + 1
        future = self._loop.create_future()
        self._waiting[number] = (future, self._decode_text)
        self._socket.send(self._encode((number, endpoint, arguments)), zmq.NOBLOCK)
        if not self._drain_is_due:
            # The descriptor tells of changes only: what came meanwhile has to be looked for after a send
            # (zmq_getsockopt).
            self._drain_is_due = True
            self._loop.call_soon(self._drain)
        return await future

    def close(self) -> None:
        """Stops listening."""
        self._loop.remove_reader(self._fd)

    def _drain(self) -> None:
        self._drain_is_due = False
        receive, waiting, decode = self._socket.recv, self._waiting, self._decode
        try:
            while True:
                response = decode(receive(zmq.NOBLOCK))
                future, decode_result = waiting.pop(response.number)
                future.set_result(decode_result(response.result))
        except zmq.Again:
            return


def main() -> None:
    """Measures and prints."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with ExitStack() as stack:
        ports = [stack.enter_context(served(what)) for what in (serve_lanline, serve_zmq_bare, serve_zmq_typed)]
        sockets = [_dealer(port) for port in ports[1:]]
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        link: Link = runner.run(_connected(ports[0]))
        peer = runner.run(_typed_peer(sockets[1]))
        seconds = measure_in_turns(
            {
                "lanline, def endpoint": lambda: runner.run(ask_many(lambda: link.ask("echo.say", TEXT, returns=str))),
                "lanline, async endpoint": lambda: runner.run(
                    ask_many(lambda: link.ask("echo.later", TEXT, returns=str))
                ),
                "pyzmq, bare messages": lambda: bare(sockets[0]),
                "pyzmq, typed asks": lambda: runner.run(ask_many(lambda: peer.ask("echo.say", TEXT))),
            },
            rounds,
        )
        runner.run(link.close())
        peer.close()
        title = f"typed asks, {OUTSTANDING} outstanding, {len(TEXT)} bytes, one connection, {rounds} rounds"
        report(f"{title}, against bare messages", compare(seconds, ASKS, "asks/s", "pyzmq, bare messages"))
        report("the same, against the same work", compare(seconds, ASKS, "asks/s", "pyzmq, typed asks"))


def _dealer(port: int) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    socket.connect(f"tcp://127.0.0.1:{port}")
    return socket


async def _connected(port: int) -> Link:
    return await connect_link(f"tcp://127.0.0.1:{port}")


async def _typed_peer(socket: zmq.Socket[bytes]) -> TypedPeer:
    return TypedPeer(socket)


if __name__ == "__main__":
    main()
