"""Peers as text: addresses, mapped addresses, and the process behind a Unix socket."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lanline.transport.peernames import (
    internet_peer_text,
    local_text,
    peer_process,
    peer_text,
    plain_host,
    unix_peer_text,
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (("10.0.0.7", 5), "tls://10.0.0.7:5"),
        (("::ffff:10.0.0.7", 5, 0, 0), "tls://10.0.0.7:5"),
        (("fe80::1%eth0", 5, 0, 2), "tls://[fe80::1%eth0]:5"),
        (("fe80::1", 5, 0, 1), f"tls://[fe80::1%{socket.if_indextoname(1)}]:5"),
        (("fe80::1", 5, 0, 4_000_000), "tls://[fe80::1%4000000]:5"),
    ],
)
def test_an_internet_peer_is_an_address(name: tuple[str, int], text: str) -> None:
    assert internet_peer_text("tls", name) == text


def test_an_ipv6_host_that_only_looks_mapped_stays() -> None:
    assert plain_host("::ffff:0:1") == "::ffff:0:1"


@pytest.mark.parametrize(
    ("name", "uid", "text"),
    [
        ("/run/x", 7, "unix:///run/x (uid 7, process 8)"),
        (b"\0hub", 7, "unix://@hub (uid 7, process 8)"),
        ("", 7, "unix:// (uid 7, process 8)"),
        (None, None, "unix://"),
    ],
)
def test_a_unix_peer_is_a_path_and_a_process(name: str | bytes | None, uid: int | None, text: str) -> None:
    assert unix_peer_text(name, uid, 8 if uid is not None else None) == text


def test_the_kernel_names_the_process_at_the_other_end() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_process(ours) == (os.getuid(), os.getpid())
    with socket.socket() as other:
        assert peer_process(other) == (None, None)


def test_both_ends_of_a_tcp_connection_are_named_alike() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as ours, server.accept()[0] as theirs:
            assert peer_text(ours) == local_text(theirs) == f"tcp://127.0.0.1:{server.getsockname()[1]}"
            assert peer_text(theirs, is_tls=True) == f"tls://127.0.0.1:{ours.getsockname()[1]}"


def test_an_end_that_is_gone_has_no_name() -> None:
    with socket.socket() as alone:
        assert peer_text(alone) == ""


def test_a_unix_socket_is_named_by_its_path_and_the_process_at_the_other_end(home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as ours:
        server.bind(str(home / "x"))
        server.listen()
        ours.connect(str(home / "x"))
        assert peer_text(ours) == f"unix://{home}/x (uid {os.getuid()}, process {os.getpid()})"
        assert local_text(server) == f"unix://{home}/x"


def test_a_datagram_socket_says_so() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        assert local_text(sock) == f"udp://127.0.0.1:{sock.getsockname()[1]}"
