"""Claim: while 100 clients each download 1 GiB slowly, a server takes at most 64 MiB of memory more than idle.

Each client has asked, and reads 64 KiB every half second or so for some seconds; the file is one of 1 GiB in memory.
It is measured for a file, and for a zip of it, which is made while it is sent. Memory is the proportional set size of
the server's process; what the kernel keeps in socket buffers is not in it. Peer, reported beside it: nginx, for the
file.

Run: python -m benchmarks.share_slow [SECONDS]
"""

from __future__ import annotations

import socket
import sys
import time
from contextlib import ExitStack
from functools import partial

from benchmarks.sharing import MIB, Server, lanline, large_file, nginx, resident_mib, shared_folder, started

CLIENTS = 100
SIZE_MIB = 1024
READ_BYTES = 64 * 1024
PAUSE = 0.5


def download_slowly(server: Server, path: str, seconds: float) -> float:
    """The most MiB that the server held while all were downloading."""
    question = f"GET /{path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
    most = 0.0
    with ExitStack() as stack:
        clients = []
        for _ in range(CLIENTS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
            client.sendall(question)
            clients.append(client)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for client in clients:
                assert client.recv(READ_BYTES), f"{server.name} hung up"
            most = max(most, resident_mib(server.pid))
            time.sleep(PAUSE)
    return most


def main() -> None:
    """Measures and prints."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 15.0
    with ExitStack() as stack:
        folder = stack.enter_context(shared_folder())
        large_file(folder / "big.bin", SIZE_MIB * MIB)
        print(f"memory of a server while {CLIENTS} clients download {SIZE_MIB} MiB slowly, in MiB")
        for server in started(stack, partial(lanline, folder), partial(nginx, folder)):
            idle = resident_mib(server.pid)
            for path in ("big.bin", "?zip") if server.name == "lanline" else ("big.bin",):
                most = download_slowly(server, path, seconds)
                judged = "holds" if most - idle <= 64 else "DOES NOT HOLD"
                said = f"idle {idle:>6.1f}   at most {most:>6.1f}   more {most - idle:>6.1f}"
                print(
                    f"  {server.name:<8} {path:<8} {said}" + (f"   {judged}" if server.name == "lanline" else ""),
                    flush=True,
                )


if __name__ == "__main__":
    main()
