"""HTTP by hand, the server: request line, headers, an empty line, the body; and the same for the answer.

python examples/http_server.py tcp://127.0.0.1:9008
curl -i --data 'some text' http://127.0.0.1:9008/            (or a browser, or examples/http_client.py)
"""

import asyncio
import contextlib
import sys

from lanline import Channel, serve


async def answer(channel: Channel) -> None:
    """One request, one answer, and the connection is closed."""
    received = b""
    while b"\r\n\r\n" not in received and len(received) < 65536:
        received += await channel.receive()
    head, _, body = received.partition(b"\r\n\r\n")
    request, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < min(int(headers.get("content-length", "0")), 65536):
        body += await channel.receive()
    text = f"{request}\n".encode("latin-1") + body
    answer_head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\nConnection: close\r\n"
    await channel.send(answer_head.encode() + b"\r\n" + text)


async def main() -> None:
    async with serve(answer, *sys.argv[1:]) as server:
        print("serving", *server.addresses)
        await server.wait_closed()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python http_server.py ADDRESS...")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
