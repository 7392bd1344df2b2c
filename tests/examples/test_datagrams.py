"""Examples over UDP: requests that are repeated, the time for many machines, a shout."""

from __future__ import annotations

import re
import socket

from tests.examples.program import output, started

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d  round trip \d+\.\d\d ms")


def test_each_request_is_acknowledged() -> None:
    with started("acknowledge_server.py", "udp://127.0.0.1:0") as server:
        lines = output("acknowledge_client.py", server.address(), "open the door", "close the door")
        assert lines == ["acknowledged at try 1: open the door", "acknowledged at try 1: close the door"]
        assert [server.line(), server.line()] == ["doing: open the door", "doing: close the door"]


def test_a_request_whose_acknowledgement_was_lost_is_acknowledged_again_and_done_once() -> None:
    with started("acknowledge_server.py", "udp://127.0.0.1:0") as server:
        host, _, port = server.address().removeprefix("udp://").partition(":")
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.settimeout(10.0)
            sock.connect((host, int(port)))
            for request in (b"1 open", b"1 open", b"2 close"):
                sock.send(request)
                assert sock.recv(100) == b"done " + request[:1]
        assert [server.line(), server.line()] == ["doing: open", "doing: close"]


def test_a_request_is_repeated_until_it_is_answered() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(10.0)
        sock.bind(("127.0.0.1", 0))
        with started("acknowledge_client.py", f"udp://127.0.0.1:{sock.getsockname()[1]}", "open") as client:
            assert sock.recvfrom(100)[0] == b"1 open", "and this one is lost"
            repeated, sender = sock.recvfrom(100)
            assert repeated == b"1 open"
            sock.sendto(b"done 1", sender)
            assert client.rest() == ["acknowledged at try 2: open"]


def test_the_time_is_polled_over_udp_by_several_machines() -> None:
    with started("time_server.py", "udp://127.0.0.1:0", "tcp://127.0.0.1:0") as server:
        udp, tcp = server.line().split()[1:]
        with started("time_poll.py", udp, "3", "0.01") as one, started("time_poll.py", udp, "2", "0.01") as two:
            lines = one.rest() + two.rest()
        assert len(lines) == 5
        assert all(TIME.fullmatch(line) for line in lines), lines
        host, _, port = tcp.removeprefix("tcp://").partition(":")
        with socket.create_connection((host, int(port))) as sock, sock.makefile("rb") as answers:
            sock.sendall(b"now?\n")
            assert re.match(rb"\d{4}-", answers.readline())


def test_a_time_server_that_is_away_is_said_and_survived() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    lines = output("time_poll.py", f"udp://127.0.0.1:{port}", "2", "0.01")
    assert [line.partition(":")[0] for line in lines] == ["no answer", "no answer"]


def test_a_shout_is_heard() -> None:
    with started("shout.py", "listen", "udp://*:0") as listener:
        port = listener.address().rpartition(":")[2]
        (said,) = output("shout.py", f"udp://127.255.255.255:{port}", "lunch")
        assert said.startswith(f"sent to udp://127.255.255.255:{port}")
        assert listener.line().endswith(": lunch")
