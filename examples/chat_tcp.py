"""One-to-one chat over TCP: either side types whenever it likes; q, or Ctrl-D, ends it for both.

python examples/chat_tcp.py listen tcp://127.0.0.1:9000
python examples/chat_tcp.py tcp://127.0.0.1:9000            (or: nc 127.0.0.1 9000)"""

import contextlib
import sys
import threading

from lanline import PLAIN, Lines, blocking, clean_bytes


def send_what_is_typed(channel: blocking.Channel) -> None:
    with open(0, "rb", buffering=0, closefd=False) as keyboard:  # unbuffered: the program may end while this waits
        while (line := keyboard.readline()) and line.strip().lower() != b"q":
            channel.send(line.rstrip(b"\r\n"))
    channel.end()  # no more from us: the other side's loop ends, it closes, and then our loop ends, too


def chat(channel: blocking.Channel) -> None:
    print("talking with", channel.peer_address)
    threading.Thread(target=send_what_is_typed, args=(channel,), daemon=True).start()
    for line in channel:
        print("they:", clean_bytes(line))
    print("the chat is over")
    if sys.argv[1] == "listen":
        server.close()  # a server for one partner: `wait_closed` below returns, as it does at Ctrl-C


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python chat_tcp.py [listen] ADDRESS")
    elif sys.argv[1] == "listen":
        with blocking.serve(chat, sys.argv[2], framing=Lines(), limits=PLAIN._replace(max_connections=1)) as server:
            print("waiting at", *server.addresses)
            server.wait_closed()
    else:
        with contextlib.suppress(KeyboardInterrupt), blocking.connect(sys.argv[1], framing=Lines()) as channel:
            chat(channel)
