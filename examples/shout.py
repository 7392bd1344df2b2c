"""Broadcast: one datagram for everybody in this network, and a listener that hears it.

python examples/shout.py listen udp://*:9006                 on as many machines as you like
python examples/shout.py udp://255.255.255.255:9006 lunch    (to 127.255.255.255: this machine only)

A study of one way out. Without an address, `blocking.shout` takes all, as `lanline shout` does: broadcast and
multicast, IPv4 and IPv6, by every interface.
"""

import contextlib
import sys

from lanline import Address, blocking, clean_bytes

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python shout.py listen ADDRESS, or: python shout.py ADDRESS TEXT")
    if sys.argv[1] == "listen":
        with contextlib.suppress(KeyboardInterrupt), blocking.hear(Address.parse(sys.argv[2]).port) as shouts:
            print("listening at", shouts.address)  # several listeners may share a port; servers never do
            for message, sender, _ in shouts:
                print(f"{sender}:", clean_bytes(message))
    else:
        [delivery] = blocking.shout(sys.argv[2].encode(), sys.argv[1])  # without an address: by every interface
        print(f"sent to {delivery.to}; whether anybody hears it, nobody knows")
