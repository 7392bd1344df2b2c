"""A connected stream for code without an event loop: takes and gives what it can at once, and can be waited for.

Whoever drives it (a blocking channel or link) decides when to wait, and for how long. Over TLS it is `tlswire.py`, with
the same verbs. It loads neither asyncio nor ssl.

Two rules. No call but `wait` ever blocks. `shut` may be called from any thread and wakes every `wait`; `close` only
when no other thread is inside, as the number of a closed descriptor belongs to whoever opens the next file.

Sources: poll(2), shutdown(2), tcp(7).
"""

from __future__ import annotations

import select
import socket
import time
from typing import Final, Protocol

READ_BYTES: Final = 64 * 1024
"""What one call takes at most. A buffer of 128 KiB or more is taken from the system and given back for each call
(mallopt(3), M_MMAP_THRESHOLD), which costs six times as much as receiving a short message."""


class Wire(Protocol):
    """What a stream offers, with TLS or without."""

    @property
    def sock(self) -> socket.socket:
        """The socket underneath, for its names."""

    @property
    def can_half_close(self) -> bool:
        """Whether one direction can end while the other goes on."""

    @property
    def is_tls(self) -> bool:
        """Whether bytes are encrypted on the way."""

    @property
    def unsent_bytes(self) -> int:
        """How many bytes that `send_now` took are still on this side: `flush_now` sends them."""

    @property
    def has_received(self) -> bool:
        """Whether bytes wait on this side already, which the descriptor does not tell of."""

    def fileno(self) -> int:
        """The descriptor; -1 when it is closed."""

    def receive_now(self) -> bytes | None:
        """What has come; None for nothing yet, no bytes for the end of the stream. Raises OSError when it broke."""

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        """How many of the bytes were taken, from none to all. Raises OSError when the stream broke."""

    def flush_now(self) -> bool:
        """Sends what was taken before. True: nothing of it is left. Raises OSError when the stream broke."""

    def end(self) -> None:
        """Says that nothing more will be sent."""

    def shut(self) -> None:
        """Ends both directions at once and wakes whoever waits; the descriptor stays."""

    def shut_receiving(self) -> None:
        """Wakes whoever waits to receive; what was sent still goes out."""

    def close(self) -> None:
        """Gives the descriptor back. A second call does nothing."""


class PlainWire:
    """A stream as the kernel gives it: TCP or Unix.

    Args:
        sock: connected; owned by this object from now on.
    """

    __slots__ = ("sock",)

    can_half_close: Final = True
    is_tls: Final = False
    unsent_bytes: Final = 0
    has_received: Final = False

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock

    def fileno(self) -> int:
        """See `Wire`."""
        return self.sock.fileno()

    def receive_now(self) -> bytes | None:
        """See `Wire`."""
        try:
            return self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return None

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        """See `Wire`."""
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0

    def flush_now(self) -> bool:
        """See `Wire`: this one keeps nothing."""
        return True

    def end(self) -> None:
        """See `Wire`."""
        _shut(self.sock, socket.SHUT_WR)

    def shut(self) -> None:
        """See `Wire`."""
        _shut(self.sock, socket.SHUT_RDWR)

    def shut_receiving(self) -> None:
        """See `Wire`."""
        _shut(self.sock, socket.SHUT_RD)

    def close(self) -> None:
        """See `Wire`."""
        self.sock.close()


def wait(wire: Wire, deadline: float | None, *, to_receive: bool = False, to_send: bool = False) -> bool:
    """Blocks until the stream can go on in one of the directions asked for, or broke, or was shut.

    Args:
        wire: to be waited for.
        deadline: on the monotonic clock; None for ever.
        to_receive: until bytes or the end came.
        to_send: until the system takes bytes.

    Returns:
        False when the time was over.
    """
    if to_receive and wire.has_received:
        return True
    left = None if deadline is None else max(0.0, deadline - time.monotonic())
    if not hasattr(select, "poll"):  # Windows
        return any(select.select([wire] if to_receive else [], [wire] if to_send else [], [], left))
    poll = select.poll()
    poll.register(wire, (select.POLLIN if to_receive else 0) | (select.POLLOUT if to_send else 0))
    return bool(poll.poll(None if left is None else left * 1000))


def _shut(sock: socket.socket, how: int) -> None:
    try:
        sock.shutdown(how)
    except OSError:
        return  # the peer was faster: whoever waits is awake, and learns from the next call what it was
