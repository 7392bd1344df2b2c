"""The reserve: one newcomer at a time is told, also when there is no descriptor left."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lanline.transport.shortage import Reserve, descriptors


@contextmanager
def _nothing_left() -> Iterator[None]:
    """No descriptor can be opened within this block, as none may have a number that large."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 2, hard))
    try:
        while True:
            try:
                taken.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                break
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_newcomers_are_told_one_by_one_without_any_descriptor_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        clients = [socket.create_connection(server.getsockname()) for _ in range(2)]
        reserve = Reserve()
        with _nothing_left():
            with pytest.raises(OSError, match="Too many open files"):
                server.accept()
            assert reserve.refuse_one(server)
            assert reserve.refuse_one(server)
            assert not reserve.refuse_one(server), "the queue is empty"
        for client in clients:
            assert client.recv(1) == b""
            client.close()
        reserve.close()
        reserve.close()


def test_a_reserve_that_was_never_there_refuses_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        with socket.create_connection(server.getsockname()), _nothing_left():
            assert not Reserve().refuse_one(server)


def test_the_number_of_descriptors_is_known() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert descriptors() == (None if soft == resource.RLIM_INFINITY else soft)
