"""Broadcast: one datagram for everybody in this network, and a listener that hears it.

python examples/shout.py listen udp://*:9006                 on as many machines as you like
python examples/shout.py udp://255.255.255.255:9006 lunch    (to 127.255.255.255: this machine only)

A study of one way out. `lanline shout` takes all: broadcast and multicast, IPv4 and IPv6, on every interface.
"""

import contextlib
import sys

from lanline import Address
from lanline.clean import clean_bytes
from lanline.transport.multicast import Listener, send_to

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python shout.py listen ADDRESS, or: python shout.py ADDRESS TEXT")
    if sys.argv[1] == "listen":
        with contextlib.suppress(KeyboardInterrupt), Listener(Address.parse(sys.argv[2]).port) as listener:
            print(f"listening at udp://*:{listener.port}")  # several listeners may share a port; servers never do
            while True:
                message, sender = listener.receive()
                print(f"{sender}:", clean_bytes(message))
    else:
        delivery = send_to(sys.argv[2].encode(), Address.parse(sys.argv[1]))
        print(delivery.error or f"sent to {delivery.to}; whether anybody hears it, nobody knows")
