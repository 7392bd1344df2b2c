"""A peer that vanishes without a word: two machines, a cable, and the cable is pulled."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.namespaces import Machine, machines

SERVER = """
import asyncio
from lanline import serve

async def silent(channel):
    await channel.wait_gone()

async def main():
    async with serve(silent, "tcp://10.9.8.2:9000") as server:
        print("ready", flush=True)
        await server.wait_closed()

asyncio.run(main())
"""

CLIENT = """
import asyncio, socket, sys
from lanline import LanlineError, connect

async def main():
    async with connect("tcp://10.9.8.2:9000") as channel:
        sock = channel._transport.get_extra_info("socket")
        for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"):
            assert 0 < sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) <= 30, name
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), 1)
        assert 0 < sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 30_000
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000)
        print("ready", flush=True)
        sys.stdin.readline()
        if sys.argv[1] == "sends":
            await channel.send(b"hello?")
        try:
            await asyncio.wait_for(channel.receive(), 20)
        except LanlineError as error:
            print(type(error).__name__, error, flush=True)

asyncio.run(main())
"""


def _start(machine: Machine, *words: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = machine.command(sys.executable, "-c", *words)
    started = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    assert started.stdout is not None and started.stdout.readline() == "ready\n"
    return started


@pytest.mark.parametrize("what", ["waits", "sends"])
def test_a_peer_whose_cable_was_pulled_is_found_out(what: str) -> None:
    with machines(2) as (here, there):
        here.cable("e0", there, "e0")
        here.give("e0", "10.9.8.1/24")
        there.give("e0", "10.9.8.2/24")
        with _start(there, SERVER) as server:
            try:
                with _start(here, CLIENT, what) as client:
                    try:
                        there.ip("link set dev e0 down")
                        said, _ = client.communicate("pulled\n", timeout=30)
                    finally:
                        client.kill()
            finally:
                server.kill()
    assert said.startswith("PeerSilent tcp://10.9.8.2:9000 no longer answers")
