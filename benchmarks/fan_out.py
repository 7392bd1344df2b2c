"""Claim: one line to many connections goes out many times as fast as others send it.

One sender, 100 and 1,000 receivers, 64-byte messages, at most 64 of them not yet delivered to everybody (a closed loop:
so nothing is dropped, and nobody is measured by how much it swallows). The server has a process of its own. Peers, in
the same run: `websockets.broadcast`, ngIRCd and Redis pub/sub; the last two are found on PATH. ngIRCd listens with a
backlog of 10, which makes 1,000 connects wait for minutes: it is measured with 100 only.

The receivers are one process with epoll that counts bytes; it is also the sender, so the clock is one.

Run: python -m benchmarks.fan_out [ROUNDS] [RECEIVERS...]
"""

from __future__ import annotations

import asyncio
import logging
import resource
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.asyncio.server import serve as serve_websockets

from benchmarks.measure import compare, measure_in_turns, report
from benchmarks.pipelines import MESSAGE_BYTES, READ_BYTES, served, tell, upgrade, websocket_frame
from lanline.framing.lines import Lines
from lanline.limits import PLAIN
from lanline.link.channel import Channel
from lanline.link.group import Group
from lanline.link.server import serve

OUTSTANDING = 64
DELIVERIES = 200_000
TEXT = b"x" * MESSAGE_BYTES
PATIENCE = 20.0
LISTEN = b"listen"


# -- the serving processes -------------------------------------------------------------------------------------


def serve_lanline(ready: Connection, loop: str) -> None:
    """A group: whoever says `listen` is in it; what others say goes to all in it."""
    group = Group()

    async def relay(channel: Channel) -> None:
        async for message in channel:
            if message == LISTEN:
                group.add(channel)
                await channel.send(message)
            else:
                group.send(message)

    async def main() -> None:
        async with serve(relay, "tcp://127.0.0.1:0", framing=Lines(), limits=PLAIN) as server:
            tell(ready, server.addresses[0].port)
            await server.wait_closed()

    _raise_descriptors()
    factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


def serve_broadcast(ready: Connection) -> None:
    """The same with `websockets.broadcast`."""
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # clients that are cut off at the end are no news
    listening: set[ServerConnection] = set()

    async def relay(connection: ServerConnection) -> None:
        async for message in connection:
            if message == LISTEN:
                listening.add(connection)
                await connection.send(message)
            else:
                broadcast(listening, message)

    async def main() -> None:
        # No pings: a client that counts bytes would count them.
        serving = serve_websockets(relay, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=1024)
        async with serving as server:
            tell(ready, next(iter(server.sockets)).getsockname()[1])
            await server.serve_forever()

    _raise_descriptors()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


@contextmanager
def program(*command: str, port: int) -> Iterator[int]:
    """A server that is no Python, until the block is left."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield port
    finally:
        process.kill()
        process.wait()


def wait_for(port: int) -> None:
    """Until somebody listens there."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < until, f"nobody listens at port {port}"
            time.sleep(0.02)
        else:
            return


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _raise_descriptors() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# -- the client ------------------------------------------------------------------------------------------------


class Crowd:
    """A sender and many receivers.

    Args:
        sender, receivers: connected, greeted and joined.
        question: one message as the sender writes it.
        answer_bytes: the same as a receiver gets it.
    """

    def __init__(
        self, sender: socket.socket, receivers: list[socket.socket], question: bytes, answer_bytes: int
    ) -> None:
        self._sender = sender
        self._receivers = {sock.fileno(): sock for sock in receivers}
        self._block = question * OUTSTANDING
        self._question_bytes = len(question)
        self._answer_bytes = answer_bytes
        self._epoll = select.epoll()
        for sock in receivers:
            sock.setblocking(False)
            self._epoll.register(sock.fileno(), select.EPOLLIN)

    def deliver(self, count: int) -> None:
        """Sends so many messages, and waits until everybody has all of them."""
        came = dict.fromkeys(self._receivers, 0)
        buffer, size = bytearray(READ_BYTES), self._answer_bytes
        everybody, sent, level = len(came), 0, 0
        while level < count:
            more = min(count, level + OUTSTANDING) - sent
            if more:
                self._sender.sendall(self._block[: more * self._question_bytes])
                sent += more
            goal = (level + 1) * size  # when everybody has that much, the sender may go on
            behind = sum(1 for got in came.values() if got < goal)
            while behind:
                events = self._epoll.poll(PATIENCE)
                assert events, f"{behind} of {everybody} receivers wait for message {level + 1} of {count}"
                for descriptor, _ in events:
                    taken = self._receivers[descriptor].recv_into(buffer)
                    assert taken, "a receiver was cut off"
                    before = came[descriptor]
                    came[descriptor] = before + taken
                    if before < goal <= before + taken:
                        behind -= 1
            level = min(came.values()) // size
        assert all(got == count * size for got in came.values())

    def close(self) -> None:
        """Everybody leaves."""
        self._epoll.close()
        for sock in (self._sender, *self._receivers.values()):
            sock.close()


def _connected(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _until(sock: socket.socket, end: bytes) -> bytes:
    got = b""
    while end not in got:
        chunk = sock.recv(READ_BYTES)
        assert chunk, f"the server hung up after {got[-200:]!r}"
        got += chunk
    return got


def crowd_of_lines(port: int, receivers: int) -> Crowd:
    """Lines, for lanline."""
    listening = [_connected(port) for _ in range(receivers)]
    for sock in listening:
        sock.sendall(LISTEN + b"\n")
        _until(sock, LISTEN + b"\n")
    return Crowd(_connected(port), listening, TEXT + b"\n", len(TEXT) + 1)


def crowd_of_websockets(port: int, receivers: int) -> Crowd:
    """Frames."""
    everybody = [_connected(port) for _ in range(receivers + 1)]
    for sock in everybody:
        upgrade(sock)
    for sock in everybody[1:]:
        sock.sendall(websocket_frame(LISTEN))
        _until(sock, LISTEN)
    return Crowd(everybody[0], everybody[1:], websocket_frame(TEXT), len(TEXT) + 2)


def crowd_of_redis(port: int, receivers: int) -> Crowd:
    """RESP: SUBSCRIBE and PUBLISH. The sender's answers are not asked for."""
    listening = [_connected(port) for _ in range(receivers)]
    for sock in listening:
        sock.sendall(b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n")
        _until(sock, b":1\r\n")
    sender = _connected(port)
    sender.sendall(b"CLIENT REPLY OFF\r\n")
    payload = b"$%d\r\n%s\r\n" % (len(TEXT), TEXT)
    return Crowd(
        sender,
        listening,
        b"*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n" + payload,
        len(b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n" + payload),
    )


def crowd_of_irc(port: int, receivers: int) -> Crowd:
    """A channel of IRC. The sender is outside of it, so that it hears nothing."""
    names = [f"n{index}" for index in range(receivers + 1)]
    everybody = []
    for name in names:
        sock = _connected(port)
        sock.sendall(f"NICK {name}\r\nUSER {name} 0 * :{name}\r\n".encode())
        _until(sock, b" 376 ")  # the end of the greeting
        everybody.append(sock)
    for sock in everybody[1:]:
        sock.sendall(b"JOIN #a\r\n")
    time.sleep(1.0)  # N clients that join make N * N lines: let them come
    for sock in everybody:
        sock.setblocking(False)
        _drain(sock)
        sock.setblocking(True)
    sender, listening = everybody[0], everybody[1:]
    sender.sendall(b"PRIVMSG #a :" + TEXT + b"\r\n")
    heard = {_until(sock, b"\r\n") for sock in listening}
    assert len(heard) == 1, heard
    return Crowd(sender, listening, b"PRIVMSG #a :" + TEXT + b"\r\n", len(heard.pop()))


def _drain(sock: socket.socket) -> None:
    try:
        while sock.recv(READ_BYTES):
            continue
    except BlockingIOError:
        return


# -- the contest -----------------------------------------------------------------------------------------------


def ngircd(stack: ExitStack) -> int:
    """ngIRCd, with nothing that slows it down on purpose."""
    port, folder = free_port(), Path(stack.enter_context(tempfile.TemporaryDirectory()))
    text = (
        f"[Global]\nName = a.b\nListen = 127.0.0.1\nPorts = {port}\nMotdPhrase =\nServerUID = nobody\n"
        "[Limits]\nMaxConnections = 0\nMaxConnectionsIP = 0\nMaxJoins = 0\nPingTimeout = 600\nMaxPenaltyTime = 0\n"
        "[Options]\nDNS = no\nIdent = no\nPAM = no\nSyslogFacility = local1\nDefaultChannelModes =\n"
    )
    (folder / "c").write_text(text)
    folder.chmod(0o755)
    command = ("ngircd", "-n", "-f", str(folder / "c"))
    return stack.enter_context(program(*command, port=port))


def redis(stack: ExitStack) -> int:
    """Redis, which stores nothing."""
    port = free_port()
    command = ("redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1")
    return stack.enter_context(program(*command, port=port))


def contest(receivers: int, rounds: int) -> None:
    """Everybody in turns."""
    count = max(OUTSTANDING * 4, DELIVERIES // receivers)
    calls: dict[str, Callable[[], None]] = {}
    with ExitStack() as stack:

        def enter(name: str, crowd: Crowd) -> None:
            stack.callback(crowd.close)
            calls[name] = lambda: crowd.deliver(count)

        for loop in ("uvloop", "stock loop"):
            port = stack.enter_context(served(serve_lanline, loop))
            enter(f"lanline, {loop}", crowd_of_lines(port, receivers))
        port = stack.enter_context(served(serve_broadcast))
        enter("websockets.broadcast, uvloop", crowd_of_websockets(port, receivers))
        for name, start, crowd_of in (("ngircd", ngircd, crowd_of_irc), ("redis-server", redis, crowd_of_redis)):
            if shutil.which(name) is None:
                print(f"MISSING: {name} is not on PATH: this run says nothing about it", flush=True)
            elif name == "ngircd" and receivers > 100:
                print(
                    f"ngIRCd is left out with {receivers} receivers: its backlog of 10 makes connects wait", flush=True
                )
            else:
                enter(name, crowd_of(start(stack), receivers))
        seconds = measure_in_turns(calls, rounds)
    title = f"{MESSAGE_BYTES}-byte messages to {receivers} connections, {OUTSTANDING} outstanding"
    for peer in calls:
        if not peer.startswith("lanline"):
            report(f"{title}, against {peer}", compare(seconds, count * receivers, "deliveries/s", peer))


def main() -> None:
    """Measures and prints."""
    _raise_descriptors()
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for receivers in map(int, sys.argv[2:] or ("100", "1000")):
        contest(receivers, rounds)


if __name__ == "__main__":
    main()
