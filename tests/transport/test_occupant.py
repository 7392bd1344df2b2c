"""Who has the port: this very process, another one, or nobody."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from lanline.transport.occupant import occupant_of_port


def test_the_process_that_listens_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        found = occupant_of_port("127.0.0.1", sock.getsockname()[1])
    assert found.endswith(f"(process {os.getpid()})")


def test_another_process_is_named_too() -> None:
    code = (
        "import socket, sys; s = socket.create_server(('::1', 0), family=socket.AF_INET6);"
        "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        assert occupant_of_port("::1", port).endswith(f"(process {other.pid})")
        other.communicate()


def test_a_port_that_only_carries_connections_has_no_occupant() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
        assert occupant_of_port("127.0.0.1", client.getsockname()[1]) == ""


def test_a_listener_on_another_address_is_not_blamed() -> None:
    with socket.create_server(("127.0.0.2", 0)) as other:
        port = other.getsockname()[1]
        assert occupant_of_port("127.0.0.1", port) == ""
        assert occupant_of_port("127.0.0.2", port).endswith(f"(process {os.getpid()})")


def test_a_wildcard_meets_every_address_on_either_side() -> None:
    me = f"(process {os.getpid()})"
    with socket.create_server(("127.0.0.2", 0)) as one, socket.create_server(("", 0)) as all_of_them:
        for host in ("*", "0.0.0.0", "::", "localhost"):
            assert occupant_of_port(host, one.getsockname()[1]).endswith(me), host
        for host in ("127.0.0.7", "::1"):
            assert occupant_of_port(host, all_of_them.getsockname()[1]).endswith(me), host


def test_an_ipv4_address_written_as_ipv6_is_the_same() -> None:
    with socket.socket(socket.AF_INET6) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind(("::ffff:127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert occupant_of_port("127.0.0.1", port).endswith(f"(process {os.getpid()})")
        assert occupant_of_port("127.0.0.2", port) == ""


def test_whoever_is_bound_to_a_udp_port_has_it_connected_or_not() -> None:
    me = f"(process {os.getpid()})"
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        assert occupant_of_port("127.0.0.1", port, is_udp=True).endswith(me)
        sock.connect(("127.0.0.1", 9))
        assert occupant_of_port("*", port, is_udp=True).endswith(me)
        assert occupant_of_port("127.0.0.1", port) == "", "TCP has ports of its own"
