"""Options of TCP connections."""

from __future__ import annotations

import socket

from lanline.transport.tuning import USER_TIMEOUT_MS, bear_silence, tune


def test_a_tcp_connection_sends_at_once_and_finds_out_a_dead_peer() -> None:
    with socket.socket() as sock:
        tune(sock)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == USER_TIMEOUT_MS
        idle, interval, probes = (
            sock.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert idle + interval * probes == 45


def test_a_unix_socket_is_left_alone() -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        tune(sock)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0


def test_a_reader_who_rests_may_be_borne_longer() -> None:
    with socket.socket() as sock, socket.socket(socket.AF_UNIX) as other:
        tune(sock)
        bear_silence(sock, 61.5)
        bear_silence(other, 61.5)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 61_500
