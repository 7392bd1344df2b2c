"""Datagrams that did not arrive: which peer refused, and in which words."""

from __future__ import annotations

import errno
import socket
import sys

import pytest

from lanline.errors import DatagramRefused, TransportError
from lanline.transport.udp.undelivered import next_error, too_large, translate_undelivered, watch_errors

LOCAL = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


@pytest.mark.skipif(sys.platform != "linux", reason="the error queue is Linux's own")
@pytest.mark.parametrize("family", LOCAL)
def test_each_refusal_is_kept_with_the_place_it_is_about(family: socket.AddressFamily) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sock, socket.socket(family, socket.SOCK_DGRAM) as gone:
        sock.setblocking(False)
        watch_errors(sock)
        gone.bind((LOCAL[family], 0))
        place = gone.getsockname()
        gone.close()
        assert next_error(sock) is None
        sock.sendto(b"one", place)
        assert next_error(sock) == (errno.ECONNREFUSED, place)
        assert next_error(sock) is None


@pytest.mark.skipif(sys.platform != "linux", reason="the error queue is Linux's own")
def test_a_socket_of_both_kinds_is_told_of_its_ipv4_datagrams() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock, socket.socket(type=socket.SOCK_DGRAM) as gone:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setblocking(False)
        watch_errors(sock)
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
        gone.close()
        sock.sendto(b"one", ("::ffff:127.0.0.1", port))
        found = next_error(sock)
        assert found is not None
        assert (found[0], found[1][:2]) == (errno.ECONNREFUSED, ("::ffff:127.0.0.1", port))


@pytest.mark.parametrize("number", [errno.ECONNREFUSED, errno.ECONNRESET])
def test_a_refusal_names_the_peer(number: int) -> None:
    error = translate_undelivered("udp://10.0.0.7:9", number)
    assert isinstance(error, DatagramRefused)
    assert "nobody listens at udp://10.0.0.7:9" in str(error)
    assert "start the far program" in error.advice


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EHOSTUNREACH, "no machine answers"),
        (errno.ENETUNREACH, "no route"),
        (errno.EACCES, "permission denied"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_other_reasons_are_said_in_words(number: int, words: str) -> None:
    error = translate_undelivered("udp://10.0.0.7:9", number)
    assert type(error) is TransportError
    assert words in str(error)
    assert "udp://10.0.0.7:9" in str(error)


def test_the_limit_that_is_named_is_that_of_the_ip_version_or_of_this_system() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as ipv4, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as ipv6:
        assert str(too_large(ipv4, 65_508, None)) == "datagram of 65508 bytes, limit 65507 bytes"
        assert too_large(ipv6, 65_528, ("::1", 9, 0, 0)).limit_bytes == 65_527
        assert too_large(ipv6, 65_528, ("::ffff:127.0.0.1", 9, 0, 0)).limit_bytes == 65_507
        ipv4.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        assert too_large(ipv4, 60_000, None).limit_bytes == ipv4.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
