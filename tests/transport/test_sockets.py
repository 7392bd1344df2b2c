"""Blocking connections, and what they must not load."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lanline.address import Address
from lanline.errors import AddressError, ConnectFailed
from lanline.transport.sockets import connect, lookup
from lanline.transport.unixname import socket_name


def test_it_connects_over_tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address("tcp", "127.0.0.1", server.getsockname()[1])
        with connect(address, timeout=15) as client, server.accept()[0] as accepted:
            assert client.gettimeout() is None
            assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            client.sendall(b"hello")
            assert accepted.recv(5) == b"hello"


def test_it_tries_each_address_of_a_name() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        names = {place[0] for *_, place in lookup("localhost", port)}
        address = Address("tcp", "localhost" if "::1" in names else "::1", port)
        with connect(address, timeout=15) as client:
            assert client.getpeername()[:2] == ("::1", port)


@pytest.mark.parametrize("depth", [0, 3])
def test_it_connects_to_a_path_of_any_length(home: Path, depth: int) -> None:
    folder = home.joinpath(*["d" * 60] * depth)
    folder.mkdir(parents=True, exist_ok=True)
    path = str(folder / "x")
    with socket.socket(socket.AF_UNIX) as server:
        with socket_name(path) as name:
            server.bind(name)
        server.listen()
        with connect(Address("unix", path=path), timeout=15) as client, server.accept()[0] as accepted:
            assert client.gettimeout() is None
            client.sendall(b"hello")
            assert accepted.recv(5) == b"hello"


def test_nobody_there_says_what_to_do(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: the port is surely refused
        address = Address("tcp", "127.0.0.1", taken.getsockname()[1])
        with pytest.raises(ConnectFailed, match="nothing listens at tcp://127"):
            connect(address, timeout=15)
    with pytest.raises(ConnectFailed, match="there is no such socket"):
        connect(Address("unix", path=str(home / "x")), timeout=15)


def test_a_server_that_does_not_accept_runs_into_the_timeout() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = Address("tcp", "127.0.0.1", server.getsockname()[1])
        waiting: list[socket.socket] = []
        with pytest.raises(ConnectFailed, match=r"no answer from tcp://.* within 0\.05 s"):
            # The queue takes one or two.
            waiting.extend(connect(address, timeout=0.05) for _ in range(10))
        for sock in waiting:
            sock.close()


@pytest.mark.parametrize("host", ["x" * 64 + ".invalid", "nowhere.invalid"])
def test_a_name_that_cannot_be_is_one_that_does_not_resolve(host: str) -> None:
    with pytest.raises(ConnectFailed, match="resolve"):
        connect(Address("tcp", host, 9), timeout=15)


@pytest.mark.parametrize("text", ["tcp://*:9", "tls://127.0.0.1:9", "udp://127.0.0.1:9", "mem://hub"])
def test_other_schemes_are_refused(text: str) -> None:
    with pytest.raises(AddressError):
        connect(Address.parse(text), timeout=15)


def test_it_loads_neither_asyncio_nor_ssl() -> None:
    code = "import sys, lanline.transport.sockets; print(*{'asyncio', 'ssl', 'logging'} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert done.stdout.split() == []
