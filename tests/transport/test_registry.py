"""From a scheme to its module."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from lanline.address import Address
from lanline.errors import AddressError, UsageError
from lanline.transport import registry
from lanline.transport.tls import client_context

from .recorder import Recorder


def test_datagrams_are_no_stream() -> None:
    async def main() -> None:
        address = Address.parse("udp://127.0.0.1:9")
        with pytest.raises(AddressError, match="carries datagrams"):
            await registry.listen(address, Recorder)
        with pytest.raises(AddressError, match="carries datagrams"):
            await registry.connect(address, Recorder, timeout=1)

    asyncio.run(main())


def test_tls_has_no_meaning_in_memory() -> None:
    async def main() -> None:
        address = Address.parse("mem://hub")
        with pytest.raises(UsageError, match="never leaves this process"):
            await registry.listen(address, Recorder, tls=client_context())
        with pytest.raises(UsageError, match="never leaves this process"):
            await registry.connect(address, Recorder, tls=client_context(), timeout=1)

    asyncio.run(main())


def test_a_protocol_that_welcomes_by_itself_is_a_stranger_until_then() -> None:
    async def main() -> None:
        for text in ("tcp://:0", "mem://hub"):
            server = Recorder()

            def factory(arrival: object, server: Recorder = server) -> Recorder:
                server.arrival = arrival  # type: ignore[assignment]
                return server

            listener = await registry.listen(Address.parse(text), factory, welcome_at_once=False)
            client = Recorder()
            await registry.connect(listener.addresses[0], lambda client=client: client, timeout=15)  # type: ignore[misc]
            await server.until_event("made")
            assert listener.statistics().strangers == 1
            assert server.arrival is not None
            assert server.arrival.welcomed("pc7")
            assert listener.statistics().strangers == 0
            await client.end()
            await server.end()
            await listener.close()

    asyncio.run(main())


def test_a_program_that_speaks_unix_only_does_not_read_the_tls_module() -> None:
    code = """
import asyncio, sys
from lanline.address import Address
from lanline.transport import registry
async def main():
    listener = await registry.listen(Address("unix", path=sys.argv[1]), lambda arrival: asyncio.Protocol())
    await listener.close()
asyncio.run(main())
print(*(name for name in ("lanline.transport.tls", "lanline.transport.memory") if name in sys.modules))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, f"@lanline-registry-{os.getpid()}"]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert done.stdout.split() == []
