"""The blocking scripts that people write in their first hour with sockets: send and recv(1024), no newline anywhere.

Each is a whole program for `python -c`. The first argument is a port, or the path of a Unix socket. It says what it
got on standard output, one `repr` on each line, and answers each message with the same in brackets; `q` ends it.
"""

from __future__ import annotations

_OPEN = """
import socket, sys
where = sys.argv[1]
family = socket.AF_INET if where.isdigit() else socket.AF_UNIX
place = ("127.0.0.1", int(where)) if where.isdigit() else where
"""

_TALK = """
while True:
    message = line.recv(1024)
    print(repr(message.decode()), flush=True)
    if not message or message == b"q":
        break
    line.send(b"[" + message + b"]")
line.close()
"""

CLIENT = _OPEN + 'line = socket.socket(family)\nline.connect(place)\nline.send("你好".encode())\n' + _TALK
"""Connects, and speaks first."""

SERVER = (
    _OPEN
    + 'desk = socket.socket(family)\ndesk.bind(place)\ndesk.listen(1)\nline, _ = desk.accept()\nline.send(b"hello")\n'
    + _TALK
)
"""Listens for one client, and greets it."""

UDP_SERVER = """
import socket, sys
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
line.bind(("127.0.0.1", int(sys.argv[1])))
print("bound", flush=True)
while True:
    message, sender = line.recvfrom(1024)
    print(repr(message.decode()), flush=True)
    if message.strip() == b"q":
        break
    line.sendto(b"[" + message.strip() + b"]", sender)
"""
"""Answers each datagram, until one is `q`."""

UDP_CLIENT = """
import socket, sys
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
place = ("127.0.0.1", int(sys.argv[1]))
line.sendto("你好".encode(), place)
message, sender = line.recvfrom(1024)
print(repr(message.decode()), flush=True)
line.sendto(b"q", place)
"""
"""Speaks first, waits for one answer, leaves."""
