"""The blocking channel against bare sockets."""

from __future__ import annotations

import socket

import pytest

from lanline.errors import ChannelEnded
from lanline.framing.lines import Lines
from lanline.link import blocking


def test_messages_go_both_ways_until_the_peer_closes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with blocking.connect(f"tcp://127.0.0.1:{port}", framing=Lines()) as channel:
            peer, _ = server.accept()
            with peer:
                channel.send(b"hi")
                assert peer.recv(100) == b"hi\n"
                peer.sendall(b"one\ntwo\n")
                assert [channel.receive(timeout=10.0), channel.receive(timeout=10.0)] == [b"one", b"two"]
            with pytest.raises(ChannelEnded):
                channel.receive(timeout=10.0)
