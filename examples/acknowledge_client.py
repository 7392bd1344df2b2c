"""Request and acknowledgement over UDP, the side that asks: a request is repeated until it is acknowledged.

python examples/acknowledge_server.py udp://127.0.0.1:9002
python examples/acknowledge_client.py udp://127.0.0.1:9002 'open the door' 'close the door'
"""

import contextlib
import sys

from lanline import DatagramRefused, blocking

TRIES = 5


def ask(channel: blocking.Channel, number: int, what: str) -> str:
    for tries in range(1, TRIES + 1):
        with contextlib.suppress(TimeoutError, DatagramRefused):
            channel.send(f"{number} {what}".encode())
            while channel.receive(timeout=1.0) != b"done %d" % number:
                pass  # late: it was for the request before
            return f"acknowledged at try {tries}: {what}"
    return f"never acknowledged, in {TRIES} tries: {what}"


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python acknowledge_client.py ADDRESS REQUEST...")
    with blocking.connect(sys.argv[1]) as channel:
        for number, what in enumerate(sys.argv[2:], 1):
            print(ask(channel, number, what))
