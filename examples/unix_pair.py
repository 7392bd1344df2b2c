"""Two processes of one machine over a Unix socket: the kernel says who the other one is, and the file who may connect.

python examples/unix_pair.py serve unix://pair.sock
python examples/unix_pair.py unix://pair.sock
"""

import os
import sys

from lanline import Lines, blocking, clean_bytes


def answer(channel: blocking.Channel) -> None:
    print("connected:", channel.peer_address)  # with the user and the process, as the kernel saw them
    for line in channel:
        channel.send(b"process %d heard %d bytes" % (os.getpid(), len(line)))


def main() -> None:
    if sys.argv[1] == "serve":
        with blocking.serve(answer, sys.argv[2], framing=Lines()) as server:
            print("serving", *server.addresses)
            server.wait_closed()
    else:
        with blocking.connect(sys.argv[1], framing=Lines()) as channel:
            channel.send(b"hello from process %d" % os.getpid())
            print(clean_bytes(channel.receive(timeout=5.0)))


if __name__ == "__main__":
    if len(sys.argv) < 2 or (sys.argv[1] == "serve" and len(sys.argv) != 3):
        sys.exit("usage: python unix_pair.py [serve] ADDRESS")
    main()
