"""The echo client with the socket module alone, to compare with echo_client.py. The comments name its pitfalls.

python examples/echo_server_bare.py 127.0.0.1 9000          (or echo_server.py)
python examples/echo_client_bare.py 127.0.0.1 9000
"""

import socket
import sys


def main() -> None:
    with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as sock:  # no timeout: may wait two minutes
        received = b""  # recv(1024) alone would work in every try, and fail when two lines come in one read
        while True:
            while b"\n" not in received:
                chunk = sock.recv(1024)  # not a message: any number of bytes, even half a character
                if not chunk:  # the one sign that the server has closed; a loop that forgets it never ends
                    print("the server has ended the conversation")
                    return
                received += chunk  # grows for as long as no newline comes
            answer, _, received = received.partition(b"\n")
            print(answer.decode())  # bytes that are no UTF-8 end the program; escape codes reach the terminal
            line = sys.stdin.readline()
            if not line:
                return
            sock.sendall(line.encode())  # a str here is a TypeError


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python echo_client_bare.py HOST PORT")
    main()
