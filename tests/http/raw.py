"""The other side of HTTP tests: raw bytes over a socket, and a server around a small site."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from lanline.address import Address
from lanline.http.body import body_of
from lanline.http.exchange import Exchange
from lanline.http.limits import WEB, HttpLimits
from lanline.http.refusal import Refusal
from lanline.http.server import HttpServer

Site = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, taken apart: field names in small letters."""

    status: int
    fields: dict[str, str]
    body: bytes


class Raw:
    """A client that sends exactly what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def header(self) -> Answer:
        """Status line and fields alone: of an interim answer, or one whose body is read by hand."""
        block = await self.reader.readuntil(b"\r\n\r\n")
        line, *rest = block.decode("latin-1").strip().split("\r\n")
        fields = {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}
        return Answer(int(line.split(" ")[1]), fields, b"")

    async def answer(self, *, method: str = "GET") -> Answer:
        """One whole answer, its body by Content-Length."""
        head = await self.header()
        length = 0 if method == "HEAD" else int(head.fields.get("content-length", "0"))
        return Answer(head.status, head.fields, await self.reader.readexactly(length))

    async def ask(self, data: bytes) -> Answer:
        await self.send(data)
        return await self.answer(method="HEAD" if data.startswith(b"HEAD") else "GET")

    async def rest(self) -> bytes:
        """Whatever comes until the server closes; a reset is an error."""
        return await self.reader.read()

    def reset(self) -> None:
        """Ends the connection so that the server learns that nobody reads any more; a mere end leaves that open."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            return  # the server was first, or was not asked to be polite


@asynccontextmanager
async def connected(
    server: HttpServer, *, tls: ssl.SSLContext | None = None, host: str | None = None
) -> AsyncIterator[Raw]:
    """A client of the server's first address, at an address of its own where `host` names one."""
    at = server.addresses[0]
    name = "localhost" if tls is not None else None
    reader, writer = await asyncio.open_connection(
        at.host, at.port, ssl=tls, server_hostname=name, local_addr=None if host is None else (host, 0)
    )
    raw = Raw(reader, writer)
    try:
        yield raw
    finally:
        await raw.close()


@asynccontextmanager
async def serving(
    site: Site | None = None,
    *,
    limits: HttpLimits = WEB,
    tls: ssl.SSLContext | None = None,
    heard: Callable[[Exchange], None] | None = None,
) -> AsyncIterator[HttpServer]:
    """A server at a free port of this machine."""
    address = Address("tls" if tls is not None else "tcp", "127.0.0.1", 0)
    async with HttpServer(site or echo, address, tls=tls, limits=limits, heard=heard) as server:
        yield server


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    """PUT answers with its body, everything else with the target; /refuse refuses, /fail fails."""
    if request.path == "/refuse":
        raise Refusal(403, "not this one")
    if request.path == "/fail":
        raise ValueError("a fault of ours with a secret")
    if request.method == "PUT":
        limit = int(request.query["limit"]) if "limit" in request.query else None
        return web.Response(body=b"".join([piece async for piece in body_of(request, limit=limit)]))
    return web.Response(text=request.raw_path)


def request(target: str = "/", *fields: str, method: str = "GET", version: str = "1.1", body: bytes = b"") -> bytes:
    """The bytes of a request with a Host field, and a Content-Length where it has a body."""
    lines = [f"{method} {target} HTTP/{version}", "Host: x", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """For the length of the block this process can open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 64, hard))
    try:
        while True:
            try:
                taken.append(os.dup(taken[0]))
            except OSError as error:
                if error.errno != errno.EMFILE:
                    raise
                break
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for one in taken:
            os.close(one)


async def until(condition: Callable[[], Any]) -> None:
    """Returns once the condition holds; the test's own timeout ends a wait in vain."""
    while not condition():  # noqa: ASYNC110  # what is waited for is the server's, which sets no event for tests
        await asyncio.sleep(0)
