"""Sends a file: its name and size, then its bytes in pieces; ends when the other side has acknowledged it.

python examples/file_receive.py tcp://127.0.0.1:9007 inbox
python examples/file_send.py tcp://127.0.0.1:9007 picture.png
"""

import sys
from pathlib import Path

from lanline import LengthPrefixed, blocking, clean_bytes

PIECE_BYTES = 64 * 1024


def main() -> None:
    path = Path(sys.argv[2])
    with blocking.connect(sys.argv[1], framing=LengthPrefixed()) as channel, path.open("rb") as file:
        channel.send(path.name.encode())
        channel.send(str(path.stat().st_size).encode())
        for piece in iter(lambda: file.read(PIECE_BYTES), b""):
            channel.send(piece)  # waits while the other side is slow: memory does not grow
        print(clean_bytes(channel.receive(timeout=30.0)))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python file_send.py ADDRESS FILE")
    main()
