"""Asks a time server again and again, as a machine does that shows the time; survives a server that is away.

python examples/time_server.py udp://127.0.0.1:9004
python examples/time_poll.py udp://127.0.0.1:9004            every 5 seconds, until Ctrl-C
python examples/time_poll.py udp://127.0.0.1:9004 3 0.5      three times, every half second
"""

import contextlib
import sys
import time

from lanline import DatagramRefused, blocking, clean_bytes


def main() -> None:
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    pause = float(sys.argv[3]) if len(sys.argv) > 3 else 5.0
    asked = 0
    with blocking.connect(sys.argv[1]) as channel:
        while not count or asked < count:
            if asked:
                time.sleep(pause)
            asked += 1
            began = time.perf_counter()
            try:
                channel.send(b"")  # an empty datagram is a message, too
                answer = clean_bytes(channel.receive(timeout=1.0))
                print(f"{answer}  round trip {(time.perf_counter() - began) * 1000:.2f} ms")
            except (TimeoutError, DatagramRefused) as error:
                print("no answer:", error)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python time_poll.py ADDRESS [COUNT [SECONDS]]")
    with contextlib.suppress(KeyboardInterrupt):
        main()
