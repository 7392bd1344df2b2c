"""Plain peers for tests of words: a server of a few lines with blocking sockets, as people write them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answering = Callable[[bytes], bytes | None]
"""What a peer answers to what one recv gave; None closes."""


def keeping(seen: list[bytes]) -> Answering:
    """An echo that keeps what it got."""

    def echo(data: bytes) -> bytes:
        seen.append(data)
        return data

    return echo


@contextmanager
def tcp_peer(answer: Answering, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serves one connection after another until the block is left; gives the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    is_over = threading.Event()

    def serve() -> None:
        while not is_over.is_set():
            sock, _ = listener.accept()
            with sock:
                while not is_over.is_set() and (data := sock.recv(1024)):
                    reply = answer(data)
                    if reply is None:
                        break
                    sock.sendall(reply)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"tcp://{shown}:{listener.getsockname()[1]}"
    finally:
        is_over.set()
        socket.create_connection(listener.getsockname()[:2], timeout=5.0).close()
        thread.join(10.0)
        listener.close()


@contextmanager
def udp_peer(answer: Answering) -> Iterator[str]:
    """Answers datagrams until the block is left; gives the address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        over = b"over " + repr(sock.getsockname()).encode()

        def serve() -> None:
            while True:
                data, sender = sock.recvfrom(65535)
                if data == over:
                    return
                reply = answer(data)
                if reply is not None:
                    sock.sendto(reply, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"udp://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            sock.sendto(over, sock.getsockname())
            thread.join(10.0)


def free_port() -> int:
    """A port at which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port
