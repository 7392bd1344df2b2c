"""Waiting for sockets until another thread wakes."""

from __future__ import annotations

import socket
from threading import Thread

from lanline.transport.waker import Waker


def test_a_ready_socket_ends_the_wait_and_an_ignored_one_does_not() -> None:
    waker = Waker()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        waker.watch(ours)
        assert list(waker.wait(0)) == []
        theirs.send(b"x")
        assert list(waker.wait(None)) == [ours]
        waker.ignore(ours)
        assert list(waker.wait(0)) == []
    waker.close()
    waker.close()


def test_another_thread_wakes_for_good() -> None:
    waker = Waker()
    thread = Thread(target=waker.wait, args=(None,))
    thread.start()
    waker.wake()
    waker.wake()
    thread.join(10)
    assert not thread.is_alive()
    assert waker.is_awake
    assert list(waker.wait(None)) == []
    waker.close()
