"""HTTP by hand, the client: what a browser sends, and what comes back, taken apart.

python examples/http_server.py tcp://127.0.0.1:9008          (or any server of plain HTTP)
python examples/http_client.py tcp://127.0.0.1:9008 /hello
python examples/http_client.py tcp://127.0.0.1:9008 / 'some text'
"""

import sys

from lanline import blocking, clean_bytes


def main() -> None:
    host = sys.argv[1].partition("://")[2]
    body = sys.argv[3].encode() if len(sys.argv) > 3 else b""
    request = [
        f"{'POST' if body else 'GET'} {sys.argv[2]} HTTP/1.1",  # request line: what, of what, in which version
        f"Host: {host}",
        f"Content-Length: {len(body)}",  # where the body ends: HTTP's cure for messages that stick together
        "Connection: close",
    ]
    with blocking.connect(sys.argv[1]) as channel:
        channel.send("\r\n".join([*request, "", ""]).encode() + body)
        answer = b"".join(channel)  # until the server closes, as we have asked it to
    head, _, text = answer.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        print("head:", clean_bytes(line))
    print("body:", clean_bytes(text, keep_newlines=True).rstrip())


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python http_client.py ADDRESS PATH [BODY]")
    main()
