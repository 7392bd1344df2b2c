"""A share that is really served, for tests with blocking clients: the server has a thread and a loop of its own."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lanline.address import Address
from lanline.beneath import Folder
from lanline.http.limits import WEB, HttpLimits
from lanline.http.server import HttpServer
from lanline.services.share.assembly import site_of
from lanline.services.share.shared import Permissions, Shared

_MAY_ADD = Permissions(upload=True)

PATIENCE = 60.0
"""Seconds a test waits for what must happen, on a machine that may stand still for a while."""


class Answered(NamedTuple):
    """One answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Served:
    """A running share: where it is, and a client for it."""

    def __init__(self, port: int, path: Path, stop: Any) -> None:
        self.port = port
        self.path = path
        self.stop = stop
        """Ends the server at once; a second call does nothing."""

    def ask(
        self, method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None, **more: str
    ) -> Answered:
        """Sends one request on a connection of its own. `Upload_Offset="5"` is a header, too."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        fields = {**(headers or {}), **{name.replace("_", "-"): value for name, value in more.items()}}
        try:
            connection.request(method, target, body, fields)
            response = connection.getresponse()
            return Answered(response.status, response.headers, response.read())
        finally:
            connection.close()

    def dial(self) -> socket.socket:
        """A bare connection; the caller closes it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def files(self) -> list[str]:
        """Everything on the disk below the share, parts of uploads too."""
        return sorted(str(each.relative_to(self.path)) for each in self.path.rglob("*"))


@contextmanager
def served(
    path: Path, *, limits: HttpLimits = WEB, may: Permissions = _MAY_ADD, only: str | None = None, **settings: Any
) -> Iterator[Served]:
    """Serves a folder, or `only` one file of it, until the block ends."""
    began: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def main() -> None:
        with Folder(path) as folder:
            site = site_of(Shared(folder, may, name=only or path.name, only=only), **settings)
            async with HttpServer(site, Address.parse("tcp://127.0.0.1:0"), limits=limits) as server:
                over = asyncio.Event()
                began.set_result((server.addresses[0].port or 0, asyncio.get_running_loop(), over))
                await over.wait()
                await server.close(0)

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            if began.done():
                raise
            began.set_exception(error)

    thread = threading.Thread(target=run)
    thread.start()

    def stop() -> None:
        if thread.is_alive() and not loop.is_closed():
            loop.call_soon_threadsafe(over.set)
        thread.join()

    try:
        port, loop, over = began.result(PATIENCE)
        yield Served(port, path, stop)
    finally:
        if began.exception() is None:
            stop()
