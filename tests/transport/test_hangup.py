"""A connection that is over is told from one that is not, without reading from it."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from lanline.transport.hangup import can_be_asked, has_hung_up


class _Over(asyncio.Transport):
    """A transport over one socket, as far as it is asked about it."""

    def __init__(self, sock: socket.socket | None) -> None:
        super().__init__({"socket": sock} if sock else {})


def _pair(family: int) -> tuple[socket.socket, socket.socket]:
    if family == socket.AF_UNIX:
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        return near, listener.accept()[0]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX], ids=["tcp", "unix"])
def test_only_a_connection_that_is_over_in_both_directions_has_hung_up(family: int) -> None:
    near, far = _pair(family)
    with near, far:
        transport = _Over(near)
        assert can_be_asked(transport)
        assert not has_hung_up(transport)
        far.send(b"unread")
        far.shutdown(socket.SHUT_WR)
        assert near.recv(1, socket.MSG_PEEK) == b"u"
        assert not has_hung_up(transport), "it can still be answered"
        near.shutdown(socket.SHUT_WR)
        assert has_hung_up(transport)
        assert near.recv(10) == b"unread", "asking takes nothing away"
    assert has_hung_up(transport), "it was closed here"


def test_a_reset_is_told_and_left_for_whoever_reads() -> None:
    near, far = _pair(socket.AF_INET)
    with near:
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        assert has_hung_up(_Over(near))
        with pytest.raises(ConnectionResetError):
            near.recv(1)


def test_what_has_no_socket_cannot_be_asked() -> None:
    assert not can_be_asked(_Over(None))
