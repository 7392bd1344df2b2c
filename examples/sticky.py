"""Messages that stick together: three are sent, each after a pause, and one comes, because the receiver reads late.

python examples/sticky.py tcp://127.0.0.1:0                  both sides in one program

A pause between sends is no cure: it only helps while the receiver is faster. sticky_cures.py has the cures.
"""

import sys
import threading
import time

from lanline import Raw, blocking

PAUSE = 0.05
everything_is_sent = threading.Event()
everything_is_read = threading.Event()


def read_late(channel: blocking.Channel) -> None:
    everything_is_sent.wait()  # busy with something else: a slow disk, another client, a person
    for number, message in enumerate(channel, 1):
        print(f"message {number}: {message!r}")
    everything_is_read.set()


def main() -> None:
    with blocking.serve(read_late, sys.argv[1], framing=Raw()) as server:
        with blocking.connect(server.addresses[0], framing=Raw()) as channel:
            for message in (b"one", b"two", b"three"):
                channel.send(message)
                time.sleep(PAUSE)
        everything_is_sent.set()
        everything_is_read.wait()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python sticky.py ADDRESS")
    main()
