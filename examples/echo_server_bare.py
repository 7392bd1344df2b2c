"""The echo server with the socket module alone, to compare with echo_server.py. The comments name its pitfalls.

python examples/echo_server_bare.py 127.0.0.1 9000
python examples/echo_client_bare.py 127.0.0.1 9000          (or echo_client.py, or nc)
"""

import contextlib
import socket
import sys
import threading


def echo(sock: socket.socket) -> None:
    # Without this suppress, a client that vanishes gives a traceback; and with it, nobody hears that it did.
    with contextlib.suppress(ConnectionError), sock, sock.makefile("rb") as lines:
        sock.sendall("你好, 客户端!\n".encode())  # send() may take a part only, and says so in a number nobody reads
        for line in lines:  # recv() gives pieces of lines, or several; this gives whole ones, of any length: no limit
            sock.sendall("服务端已收到: ".encode() + line)  # blocks for ever if the client does not read
            if line.strip() == b"quit":  # a last line without its end looks the same as a whole one
                return


def main() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # else "address in use" for a minute
        listener.bind((sys.argv[1], int(sys.argv[2])))  # IPv4 only; "" would be every interface, for everybody
        listener.listen()
        print("serving", *listener.getsockname())
        while True:
            sock, _ = listener.accept()  # out of descriptors: an exception here ends the server for all
            threading.Thread(target=echo, args=(sock,), daemon=True).start()  # one per client, and no limit on them


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python echo_server_bare.py HOST PORT")
    with contextlib.suppress(KeyboardInterrupt):
        main()
