"""One-to-one chat over UDP: no connection, so what is typed goes to whoever spoke last; q ends it for both.

python examples/chat_udp.py udp://127.0.0.1:9001                             waits for the first word
python examples/chat_udp.py udp://127.0.0.1:0 udp://127.0.0.1:9001           says it to that address
"""

import contextlib
import sys
import threading

from lanline import Address, blocking, clean_bytes

partner = [Address.parse(text) for text in sys.argv[2:3]]  # nobody yet, or one


def send_what_is_typed(sock: blocking.DatagramSocket) -> None:
    with open(0, "rb", buffering=0, closefd=False) as keyboard:  # unbuffered: the program may end while this waits
        for line in iter(keyboard.readline, b""):
            for address in partner:
                sock.send(line.rstrip(b"\r\n"), address)
            if line.strip() == b"q":
                break
    sock.close()  # the loop below waits in another thread: it ends


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python chat_udp.py OWN-ADDRESS [PARTNER-ADDRESS]")
    with contextlib.suppress(KeyboardInterrupt), blocking.bind(sys.argv[1]) as sock:
        print("waiting at", sock.address)
        threading.Thread(target=send_what_is_typed, args=(sock,), daemon=True).start()
        for message, sender, _ in sock:
            if message == b"q":
                break
            partner[:] = [sender]
            print(f"{sender}:", clean_bytes(message))
        print("the chat is over")
