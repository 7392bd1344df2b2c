"""The accept loop without an event loop: several sockets, an end from elsewhere, and a lasting shortage."""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time

import pytest

from lanline.transport.acceptor import Acceptor
from lanline.transport.shortage import SHORTEST_PAUSE


def _taken(taken: list[tuple[socket.socket, socket.socket]], count: int, enough: threading.Event) -> None:
    if len(taken) >= count:
        enough.set()


def test_connections_of_all_sockets_are_taken_until_it_is_stopped() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.2", 0)) as other:
        taken: list[tuple[socket.socket, socket.socket]] = []
        enough = threading.Event()

        def take(accepted: socket.socket, listening: socket.socket) -> None:
            taken.append((accepted, listening))
            _taken(taken, 6, enough)

        acceptor = Acceptor([one, other], take)
        thread = threading.Thread(target=acceptor.run)
        thread.start()
        clients = [socket.create_connection(sock.getsockname()) for sock in (one, other) for _ in range(3)]
        assert enough.wait(10)
        acceptor.stop()
        thread.join(10)
        assert not thread.is_alive()
        acceptor.close()
        assert acceptor.accepted == 6
        assert {listening for _, listening in taken} == {one, other}
        with socket.create_connection(one.getsockname()):
            assert len(taken) == 6, "what comes later stays in the queue"
        for sock in (*clients, *(accepted for accepted, _ in taken)):
            sock.close()


def test_a_lasting_shortage_is_rested_out_and_logged_seldom(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # A machine without memory for sockets cannot be had in a test: accept(2) is told to say so for a while.
    real = socket.socket.accept
    moments: list[float] = []
    enough = threading.Event()

    def accept(sock: socket.socket) -> tuple[socket.socket, object]:
        moments.append(time.monotonic())
        if len(moments) <= 6:
            raise OSError(errno.ENOBUFS, "No buffer space available")
        return real(sock)

    def take(accepted: socket.socket, _listening: socket.socket) -> None:
        accepted.close()
        enough.set()

    with socket.create_server(("127.0.0.1", 0)) as server:
        acceptor = Acceptor([server], take)
        monkeypatch.setattr(socket.socket, "accept", accept)
        thread = threading.Thread(target=acceptor.run)
        thread.start()
        with caplog.at_level(logging.WARNING), socket.create_connection(server.getsockname()):
            assert enough.wait(10)
        acceptor.stop()
        thread.join(10)
        acceptor.close()
    # Each failure is tried once by itself and once with the reserve, then twice the time passes.
    assert moments[-1] - moments[0] >= SHORTEST_PAUSE * (1 + 2)
    assert acceptor.accept_errors == 3
    assert len([record for record in caplog.records if "accept on" in record.message]) <= 2


def test_one_that_never_ran_gives_everything_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        acceptor = Acceptor([server], lambda accepted, _: accepted.close())
        acceptor.stop()
        acceptor.run()
        acceptor.close()
        acceptor.close()
        assert acceptor.accepted == 0
