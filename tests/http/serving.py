"""An HTTP server on a port of its own for the length of a test, and requests to it, byte by byte where that matters.

The server has a loop in a thread; requests are blocking, by `http.client` or bare sockets, which share no code with it.
"""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

from lanline.address import Address
from lanline.http.answering import Site
from lanline.http.exchange import Heard
from lanline.http.limits import WEB, HttpLimits
from lanline.http.server import HttpServer

PATIENCE = 60.0
"""Seconds a test waits for what must happen, on a machine that may stand still for a while."""


class Reply:
    """One answer."""

    def __init__(self, status: int, headers: http.client.HTTPMessage, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def __getitem__(self, name: str) -> str:
        """A header field that must be there."""
        value = self.headers.get(name)
        assert value is not None, f"{self.status} without {name}: {self.headers}"
        return value

    def __contains__(self, name: str) -> bool:
        return name in self.headers


class Served:
    """A server that is up.

    Args:
        port: on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> Reply:
        """One request over a connection of its own, the target as it is given."""
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        connection = _Connection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            has_host = any(name.lower() == "host" for name, _ in pairs)
            connection.putrequest(method, target, skip_host=has_host, skip_accept_encoding=True)
            for name, value in pairs:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return Reply(answer.status, answer.msg, answer.read())
        finally:
            connection.close()

    def get(self, target: str, **headers: str) -> Reply:
        """GET, with header fields as keywords: `If_Range=...`."""
        return self.ask("GET", target, {name.replace("_", "-"): value for name, value in headers.items()})

    def connect(self) -> socket.socket:
        """A bare connection, which the caller closes."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def raw(self, data: bytes) -> bytes:
        """All that comes back for these bytes, until the server closes."""
        with self.connect() as sock:
            sock.sendall(data)
            received = b""
            while piece := sock.recv(65536):
                received += piece
            return received


class _Connection(http.client.HTTPConnection):
    """Sends bad targets too: they are what is tested."""

    def _validate_path(self, url: str) -> None:
        pass


@contextmanager
def running(site: Site, *, limits: HttpLimits = WEB, heard: Heard | None = None) -> Iterator[Served]:
    """Serves a site until the block ends."""
    began: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def main() -> None:
        async with HttpServer(site, Address.parse("tcp://127.0.0.1:0"), limits=limits, heard=heard) as server:
            over = asyncio.Event()
            began.set_result((server.addresses[0].port, asyncio.get_running_loop(), over))
            await over.wait()
            await server.close(0)

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            if began.done():
                raise
            began.set_exception(error)

    thread = threading.Thread(target=run, name="server under test")
    thread.start()
    try:
        port, loop, over = began.result(PATIENCE)
        try:
            yield Served(port)
        finally:
            loop.call_soon_threadsafe(over.set)
    finally:
        thread.join(PATIENCE)
        assert not thread.is_alive()
