"""An echo server for many clients: greets each one, answers every line, and ends with whoever says quit.

python examples/echo_server.py tcp://127.0.0.1:9000 unix://echo.sock
python examples/echo_client.py tcp://127.0.0.1:9000          (or: nc 127.0.0.1 9000)
"""

import asyncio
import contextlib
import sys

from lanline import Channel, Lines, serve


async def echo(channel: Channel) -> None:
    """Runs once for each client, beside all the others. When it returns, the channel is closed."""
    await channel.send("你好, 客户端!".encode())
    async for line in channel:
        await channel.send("服务端已收到: ".encode() + line)
        if line == b"quit":
            return


async def main() -> None:
    async with serve(echo, *sys.argv[1:], framing=Lines(strip_cr=True)) as server:
        print("serving", *server.addresses)
        await server.wait_closed()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python echo_server.py ADDRESS...")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
