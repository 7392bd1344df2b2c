"""Who has the port: this very process, another one, or nobody."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from lanline.transport.occupant import occupant_of_port


def test_the_process_that_listens_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        found = occupant_of_port(sock.getsockname()[1])
    assert found.endswith(f"(process {os.getpid()})")


def test_another_process_is_named_too() -> None:
    code = (
        "import socket, sys; s = socket.create_server(('::1', 0), family=socket.AF_INET6);"
        "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        assert occupant_of_port(port).endswith(f"(process {other.pid})")
        other.communicate()


def test_a_port_that_only_carries_connections_has_no_occupant() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
        assert occupant_of_port(client.getsockname()[1]) == ""
