"""IPv6: the same program; the host stands in brackets, and a link-local address names its interface.

python examples/ipv6.py serve 'tcp://[::1]:9009'             this machine only
python examples/ipv6.py serve 'tcp://*:9009'                 every interface, IPv6 and IPv4 on one socket
python examples/ipv6.py 'tcp://[::1]:9009'
python examples/ipv6.py 'tcp://[fe80::1%eth0]:9009'          a neighbour, over eth0
"""

import sys

from lanline import Lines, blocking, clean_bytes


def answer(channel: blocking.Channel) -> None:
    for line in channel:
        channel.send(f"{channel.peer_address} said ".encode() + line)


def main() -> None:
    if sys.argv[1] == "serve":
        with blocking.serve(answer, sys.argv[2], framing=Lines()) as server:
            print("serving", *server.addresses)
            server.wait_closed()
    else:
        with blocking.connect(sys.argv[1], framing=Lines()) as channel:
            channel.send(b"hello")
            print(clean_bytes(channel.receive(timeout=5.0)))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python ipv6.py [serve] ADDRESS")
    main()
