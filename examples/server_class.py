"""A server as a class: one object, shared by all clients, passes what each says on to the others.

python examples/server_class.py tcp://127.0.0.1:9003         and in two terminals: nc 127.0.0.1 9003
"""

import asyncio
import contextlib
import sys

from lanline import Channel, Group, Lines, serve


class Board:
    """What all clients share lives here. (Give `serve` the class itself, and each client gets an object of its own.)"""

    def __init__(self) -> None:
        self._everyone = Group()

    async def handle(self, channel: Channel) -> None:
        self._everyone.add(channel)
        await channel.send(f"{len(self._everyone)} here".encode())
        try:
            async for line in channel:
                self._everyone.send(line, skip=channel)  # one write per client; one that does not read is cut off
        finally:
            self._everyone.discard(channel)


async def main() -> None:
    async with serve(Board(), *sys.argv[1:], framing=Lines(strip_cr=True)) as server:
        print("serving", *server.addresses)
        await server.wait_closed()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python server_class.py ADDRESS...")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
