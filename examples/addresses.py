"""Own and peer's address, as each side sees them, and as they look from the other side.

python examples/addresses.py serve tcp://*:9010 udp://*:9010
python examples/addresses.py tcp://127.0.0.1:9010
"""

import sys

from lanline import Lines, blocking, clean_bytes


def tell(channel: blocking.Channel) -> None:
    for _ in channel:
        channel.send(f"you are {channel.peer_address}, I am {channel.local_address}".encode())


def main() -> None:
    if sys.argv[1] == "serve":
        with blocking.serve(tell, *sys.argv[2:], framing=Lines()) as server:
            print("serving", *server.addresses)  # what was asked for; a client comes to one address of it
            server.wait_closed()
    else:
        with blocking.connect(sys.argv[1], framing=Lines()) as channel:
            print(f"here: I am {channel.local_address}, you are {channel.peer_address}")
            channel.send(b"who am I?")
            print("there:", clean_bytes(channel.receive(timeout=5.0)))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python addresses.py [serve] ADDRESS...")
    main()
