"""The cures for messages that stick together: a terminator, a length, a structure. The receiver reads late here, too.

python examples/sticky_cures.py tcp://127.0.0.1:0            both sides in one program
"""

import queue
import struct
import sys
import threading

from lanline import Framing, LengthPrefixed, Lines, blocking

READING = struct.Struct("!HdI")  # a record: sensor, temperature, seconds. `!` fixes order and sizes for all machines


def run(cure: str, framing: Framing, messages: list[bytes]) -> list[bytes]:
    everything_is_sent, heard = threading.Event(), queue.SimpleQueue[list[bytes]]()

    def read_late(channel: blocking.Channel) -> None:
        everything_is_sent.wait()
        heard.put(list(channel))

    with blocking.serve(read_late, sys.argv[1], framing=framing) as server:
        with blocking.connect(server.addresses[0], framing=framing) as channel:
            for message in messages:
                channel.send(message)
        everything_is_sent.set()
        came = heard.get()
    print(f"{cure}: {len(messages)} sent, {len(came)} came: {came}")
    return came


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python sticky_cures.py ADDRESS")
    run("terminator", Lines(), [b"one", b"two", b"three"])
    run("length", LengthPrefixed(), [b"any\nbytes", b"", bytes(3)])
    records = run("structure", LengthPrefixed(), [READING.pack(7, 21.5, 1), READING.pack(8, -3.25, 2)])
    print([READING.unpack(record) for record in records])
