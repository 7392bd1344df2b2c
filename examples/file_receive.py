"""Receives files into a folder: for each its name and size, then its bytes, then an acknowledgement goes back.

python examples/file_receive.py tcp://127.0.0.1:9007 inbox
python examples/file_send.py tcp://127.0.0.1:9007 picture.png
"""

import os
import sys
import tempfile

from lanline import LengthPrefixed, blocking


def receive(channel: blocking.Channel) -> None:
    name, size = channel.receive(timeout=10.0).decode(), int(channel.receive(timeout=10.0))
    # A name from a peer is never a path: no folders, no way up, nothing hidden, no control characters.
    if not name or name.startswith(".") or {"/", "\\"} & {*name} or not name.isprintable():
        return channel.send(b"refused: that is no plain name of a file")
    with tempfile.NamedTemporaryFile(dir=sys.argv[2]) as file:  # it vanishes if it does not become whole
        while file.tell() < size:
            file.write(channel.receive(timeout=10.0))
        file.flush()
        try:
            os.link(file.name, os.path.join(sys.argv[2], name))  # now it has a name; never that of another file
            answer = f"received {name}, {file.tell()} bytes"
        except FileExistsError:
            answer = "refused: there is a file of that name"
    channel.send(answer.encode())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python file_receive.py ADDRESS FOLDER")
    with blocking.serve(receive, sys.argv[1], framing=LengthPrefixed()) as server:
        print("serving", *server.addresses)
        server.wait_closed()
