"""Listening sockets that somebody else made: what they serve, and who may share them."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from lanline.address import Address
from lanline.errors import UsageError
from lanline.limits import LAN
from lanline.link.channel import Channel
from lanline.link.client import connect
from lanline.link.server import serve
from lanline.transport.given import address_of, listen_on


def test_a_socket_says_where_it_is_reached(tmp_path: Path, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        assert address_of(tcp) == Address("tcp", "127.0.0.1", tcp.getsockname()[1])
    with socket.create_server(("", 0)) as everywhere:
        assert address_of(everywhere).is_every_interface
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        assert address_of(udp).scheme == "udp"
    with socket.socket(socket.AF_UNIX) as unix, socket.socket(socket.AF_UNIX) as abstract:
        unix.bind(str(home / "s"))
        assert str(address_of(unix)) == f"unix://{home}/s"
        abstract.bind(f"\0ll-{os.getpid()}")
        assert address_of(abstract).path == f"@ll-{os.getpid()}"


def test_a_socket_that_is_bound_nowhere_or_does_not_listen_is_refused() -> None:
    with socket.socket() as unbound, pytest.raises(UsageError, match="is bound to"):
        address_of(unbound)
    with socket.socket() as silent, pytest.raises(UsageError, match="does not listen"):
        silent.bind(("127.0.0.1", 0))
        listen_on(silent, lambda _: asyncio.Protocol(), limits=LAN)


async def _answer(channel: Channel) -> None:
    async for message in channel:
        await channel.send(message)


def test_two_servers_share_one_listening_socket_and_one_goes_on_when_the_other_closes() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            first, second = serve(_answer, sock.dup()), serve(_answer, sock.dup())
            async with second:
                async with first:
                    assert first.addresses == second.addresses == (address_of(sock),)
                async with connect(address_of(sock)) as channel:
                    await channel.send(b"still there")
                    assert await channel.receive() == b"still there"

    asyncio.run(main())


_ACTIVATED = """
import os, sys
from lanline.transport.given import activated_sockets, address_of
os.environ["LISTEN_PID"] = sys.argv[1] or str(os.getpid())
print(*(address_of(one) for one in activated_sockets()), "LISTEN_FDS" in os.environ)
"""


def _activated(sock: socket.socket | BinaryIO, pid: str = "") -> str:
    """What a process says that was given a socket as systemd gives it: as descriptor 3."""

    def as_three() -> None:
        os.dup2(sock.fileno(), 3)

    command = [sys.executable, "-c", _ACTIVATED, pid]
    done = subprocess.run(
        command,
        env={**os.environ, "LISTEN_FDS": "1"},
        preexec_fn=as_three,  # this process has no other thread
        close_fds=False,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.stdout.strip() or done.stderr


def test_sockets_that_systemd_gives_are_found_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        assert _activated(sock) == f"{address_of(sock)} False"
        assert _activated(sock, pid="1") == "True", "they are another process's"


def test_a_descriptor_that_is_no_socket_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        assert "descriptor 3 is a socket to be served, and it is none" in _activated(file)
