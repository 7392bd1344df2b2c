"""A few commands of another machine, asked for by name; the output comes back as bytes, with its length before it.

python examples/remote_command.py serve tcp://127.0.0.1:9005
python examples/remote_command.py tcp://127.0.0.1:9005 date

A study without keys: whoever reaches the port may ask. The real thing is `lanline run`, with roles, policy and audit.
"""

import subprocess
import sys

from lanline import LengthPrefixed, blocking

COMMANDS = {b"date": ["date"], b"kernel": ["uname", "-sr"], b"disk": ["df", "-h", "/"]}  # nothing else is ever run


def obey(channel: blocking.Channel) -> None:
    for name in channel:
        if name in COMMANDS:
            done = subprocess.run(COMMANDS[name], capture_output=True, timeout=10, check=False)
            channel.send(done.stdout + done.stderr)
        else:
            channel.send(b"there are: " + b", ".join(COMMANDS) + b"\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python remote_command.py serve ADDRESS, or: python remote_command.py ADDRESS NAME")
    if sys.argv[1] == "serve":
        with blocking.serve(obey, sys.argv[2], framing=LengthPrefixed()) as server:
            print("serving", *server.addresses)
            server.wait_closed()
    else:
        with blocking.connect(sys.argv[1], framing=LengthPrefixed()) as channel:
            channel.send(sys.argv[2].encode())
            sys.stdout.buffer.write(channel.receive(timeout=15.0))
