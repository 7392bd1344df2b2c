"""What the benchmarks of plain channels share: servers in processes of their own, and a client that costs little.

The client knows the size of a message on the wire in each direction and counts bytes: what it measures is the server.
Messages outstanding are never more than a window. Not a benchmark by itself.
"""

from __future__ import annotations

import base64
import multiprocessing
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

MESSAGE_BYTES = 64
READ_BYTES = 256 * 1024


@contextmanager
def served(what: Callable[..., None], *arguments: object) -> Iterator[int]:
    """Runs `what(ready, *arguments)` in a process of its own, and gives the port that it sent through `ready`."""
    with conversing(what, *arguments) as (_, port):
        yield port


@contextmanager
def conversing(what: Callable[..., None], *arguments: object) -> Iterator[tuple[Connection, int]]:
    """As `served`, for a process that is spoken to later: the pipe to it, and its port."""
    here, there = multiprocessing.Pipe()
    target, words = _run, (what, there, *arguments)
    process = multiprocessing.get_context("spawn").Process(target=target, args=words, daemon=True)
    process.start()
    there.close()
    try:
        yield here, here.recv()
    finally:
        process.kill()
        process.join()


def _run(what: Callable[..., None], ready: Connection, *arguments: object) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    what(ready, *arguments)


def _end_with_parent() -> None:
    """A benchmark that is killed leaves no server behind."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "this is no child"
    parent.join()
    os._exit(0)


def tell(ready: Connection, port: int) -> None:
    """The serving process: it listens now."""
    ready.send(port)


class Client:
    """A blocking socket that keeps a window of equal messages on their way.

    Args:
        port: where the server listens on loopback.
        question: one message as it goes out.
        answer_bytes: size of what comes back for it.
        window: messages outstanding at most.
    """

    def __init__(self, port: int, question: bytes, answer_bytes: int, window: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._question = question
        self._block = question * window
        self._answer_bytes = answer_bytes
        self._window = window

    def upgrade_to_websocket(self) -> None:
        """See `upgrade`."""
        upgrade(self._socket)

    def echo(self, count: int) -> None:
        """Sends so many messages and takes their answers."""
        receive, send, size = self._socket.recv, self._socket.sendall, len(self._question)
        sent = min(count, self._window)
        send(self._block[: sent * size])
        came, wanted = 0, count * self._answer_bytes
        while came < wanted:
            came += len(receive(READ_BYTES))
            more = min(count, came // self._answer_bytes + self._window) - sent
            if more:
                send(self._block[: more * size])
                sent += more
        assert came == wanted, f"{came} bytes came back, not {wanted}"

    def close(self) -> None:
        """Hangs up."""
        self._socket.close()


def websocket_frame(payload: bytes) -> bytes:
    """A masked binary frame of a client, below 126 bytes (RFC 6455 section 5.2). The mask of zeros is a mask."""
    return bytes([0x82, 0x80 | len(payload)]) + bytes(4) + payload


def upgrade(sock: socket.socket) -> None:
    """The opening handshake of a WebSocket (RFC 6455 section 4.1)."""
    key = base64.b64encode(os.urandom(16)).decode()
    request = f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
    sock.sendall(f"{request}Sec-WebSocket-Version: 13\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += sock.recv(1)
    assert answer.startswith(b"HTTP/1.1 101"), answer
