"""Request and acknowledgement over UDP, the side that obeys: each request is acknowledged, and done only once.

python examples/acknowledge_server.py udp://127.0.0.1:9002
python examples/acknowledge_client.py udp://127.0.0.1:9002 'open the door' 'close the door'
"""

import sys

from lanline import blocking, clean_bytes


def obey(channel: blocking.Channel) -> None:
    """Runs once for each sender."""
    done = b""
    for request in channel:
        number, _, what = request.partition(b" ")
        if number != done:  # the same number again means that our answer was lost, not that it is to be done twice
            print("doing:", clean_bytes(what))
            done = number
        channel.send(b"done " + number)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python acknowledge_server.py ADDRESS")
    with blocking.serve(obey, sys.argv[1]) as server:
        print("serving", *server.addresses)
        server.wait_closed()
