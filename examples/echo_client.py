"""A client for the echo server: shows the greeting, then sends what is typed and shows what comes back.

python examples/echo_server.py tcp://127.0.0.1:9000
python examples/echo_client.py tcp://127.0.0.1:9000
"""

import sys

from lanline import ChannelError, Lines, blocking, clean_bytes


def main() -> None:
    with blocking.connect(sys.argv[1], framing=Lines()) as channel:
        print(clean_bytes(channel.receive(timeout=5.0)))
        try:
            for line in sys.stdin:
                channel.send(line.rstrip("\n").encode())
                print(clean_bytes(channel.receive(timeout=5.0)))
        except ChannelError as error:
            print("the conversation is over:", error)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python echo_client.py ADDRESS")
    main()
