"""Bare sockets as peers of blocking channels: what a program without lanline does, well or badly."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lanline.framing.base import Framing
from lanline.framing.lines import Lines
from lanline.link import blocking

PATIENCE = 20.0
"""Seconds after which a test that waits for something gives up. Nothing here takes that long."""


@contextmanager
def channel_and_peer(
    address: str = "tcp://127.0.0.1:0", framing: Framing | None = None
) -> Iterator[tuple[blocking.Channel, socket.socket]]:
    """A channel (of lines unless told otherwise), and the bare socket at its other end."""
    scheme, _, place = address.partition("://")
    with socket.socket(socket.AF_UNIX if scheme == "unix" else socket.AF_INET) as listener:
        listener.bind(place if scheme == "unix" else ("127.0.0.1", 0))
        listener.listen()
        if scheme == "tcp":
            address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        with blocking.connect(address, framing=framing or Lines()) as channel:
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(PATIENCE)
                yield channel, peer


def reset(peer: socket.socket) -> None:
    """Closes so that the other side gets RST, as when a program crashes with bytes unread."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def read_all(peer: socket.socket) -> bytes:
    """All that comes until the end."""
    pieces: list[bytes] = []
    while piece := peer.recv(1024 * 1024):
        pieces.append(piece)
    return b"".join(pieces)


def until(condition: Callable[[], object]) -> None:
    """Gives other threads their turn until the condition holds; for conditions that nothing announces."""
    deadline = time.monotonic() + PATIENCE
    turn = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        turn.wait(0.001)


class InThread:
    """One call in a thread of its own: `with InThread(channel.receive) as call: ...; call.outcome()`."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self._result: object = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self._result = self._call()
        except Exception as error:
            self._result = error

    def __enter__(self) -> InThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.outcome()

    def outcome(self) -> object:
        """What it returned or raised."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the call does not come back"
        return self._result
