"""A site for one download, and visitors from addresses of their own, in one event loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from lanline.address import Address
from lanline.beneath import Folder
from lanline.http.server import HttpServer
from lanline.services.share.answers.once import Once
from lanline.services.share.assembly import site_of
from lanline.services.share.shared import Permissions, Shared


class Visitor:
    """One connection; requests one after the other.

    Args:
        port: of the server at 127.0.0.1.
        host: the visitor's own address.
        tls: speaks TLS.
    """

    def __init__(self, port: int, host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._port = port
        self._host = host
        self.headers: dict[str, str] = {}
        self.length = 0
        """Bytes of the last body."""

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._port, local_addr=(self._host, 0), limit=1 << 20, ssl=self._tls
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    async def begin(self, target: str, *, method: str = "GET", **fields: str) -> int:
        """Asks, and reads the header of the answer; its status."""
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *(f"{name}: {fields[name]}" for name in fields)]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.headers = {one.partition(":")[0].lower(): one.partition(":")[2].strip() for one in head[1:] if one}
        return int(head[0].split()[1])

    async def get(self, target: str, *, method: str = "GET", **fields: str) -> bytes:
        """The body of an answer, which has to be a good one."""
        status = await self.begin(target, method=method, **fields)
        assert status in (200, 206), status
        return b"" if method == "HEAD" else await self.body()

    async def status(self, target: str, **fields: str) -> int:
        """The status of an answer, whose body is read."""
        status = await self.begin(target, **fields)
        self.length = len(await self.body())
        return status

    async def some(self, count: int) -> None:
        """Reads so many bytes of a body."""
        await self._reader.readexactly(count)

    async def when_begun(self, target: str, **fields: str) -> int:
        """As `when_free`, but the body of a good answer is left to be read."""
        status = await self.begin(target, **fields)
        while status == 503:
            await self.body()
            status = await self.begin(target, **fields)
        return status

    async def when_free(self, target: str, **fields: str) -> int:
        """The same, asked again for as long as somebody else has it: each answer makes this wait a round trip."""
        status = await self.status(target, **fields)
        while status == 503:
            status = await self.status(target, **fields)
        return status

    async def chunk(self) -> bytes:
        """The next piece of a chunked body; empty at its end."""
        size = int(await self._reader.readuntil(b"\r\n"), 16)
        return (await self._reader.readexactly(size + 2))[:-2]

    async def chunks(self) -> bytes:
        """The rest of a chunked body."""
        pieces = []
        while piece := await self.chunk():
            pieces.append(piece)
        return b"".join(pieces)

    async def body(self) -> bytes:
        """The body of the answer whose header was read."""
        return await self._reader.readexactly(int(self.headers["content-length"]))

    def reset(self) -> None:
        """Breaks off, with a reset."""
        sock: socket.socket = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


@asynccontextmanager
async def once_site(folder: Path, name: str) -> AsyncIterator[tuple[Once, Callable[..., Visitor]]]:
    """Shares one file of the folder for one download; gives that, and what makes visitors: `visitor("127.0.0.2")`."""
    with Folder(folder) as held:
        once = Once((name,))
        site = once.around(site_of(Shared(held, Permissions(), name=name, only=name), guards=[once.guard]))
        async with HttpServer(site, Address("tcp", "127.0.0.1", 0)) as server:
            yield once, lambda host="127.0.0.1": Visitor(server.addresses[0].port, host)
            await server.close(0)
