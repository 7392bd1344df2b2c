"""A time server for many machines, over UDP and TCP at once: whatever is asked, the answer is the time here.

python examples/time_server.py udp://127.0.0.1:9004 tcp://127.0.0.1:9004
python examples/time_poll.py udp://127.0.0.1:9004            on each machine that wants to know
"""

import asyncio
import contextlib
import sys
from datetime import datetime

from lanline import Address, Channel, Lines, serve


class Clock:
    """`answer` is called for each datagram: nothing is kept about who asks, so any number of machines may."""

    def answer(self, message: bytes, sender: Address) -> bytes | None:
        return datetime.now().astimezone().isoformat(" ", "milliseconds").encode()

    async def handle(self, channel: Channel) -> None:
        """For connections: one line is one question."""
        async for line in channel:
            await channel.send(self.answer(line, Address.parse(channel.peer_address)) or b"")


async def main() -> None:
    async with serve(Clock(), *sys.argv[1:], framing=Lines()) as server:
        print("serving", *server.addresses)
        await server.wait_closed()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python time_server.py ADDRESS...")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
