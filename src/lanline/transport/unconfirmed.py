"""How much of what was written to a connection its peer's system has not confirmed yet.

What a program writes lies in its transport, then in the kernel, until the other kernel has confirmed it; "written" says
nothing about "arrived". For those who may not take the one for the other, such as whoever gives something away once.
Confirmed is what the peer's kernel has; whether the program there has read it, no TCP can tell.

It holds a duplicate of the descriptor, because a peer that has everything may close at any moment, and the transport
with it; what was confirmed is known as long as the socket lives.

Sources: tcp(7) (SIOCOUTQ, TCP_INFO), linux/tcp.h (tcpi_state is the first byte; 7 is CLOSE).
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from types import TracebackType
from typing import Final, Self

_CLOSED: Final = 7
_ACKED_AT: Final = 120
"""Where tcpi_bytes_acked stands in struct tcp_info, eight bytes; Linux 4.1 and newer."""


class Unconfirmed:
    """What one connection has not confirmed; a context manager.

    Args:
        transport: of a TCP connection, with or without TLS; of asyncio or uvloop.

    Raises:
        ConnectionResetError: it is closed already.
    """

    def __init__(self, transport: asyncio.Transport | None) -> None:
        sock = None if transport is None else transport.get_extra_info("socket")
        descriptor = -1 if sock is None else sock.fileno()
        if transport is None or descriptor < 0:
            raise ConnectionResetError("the connection is lost")
        self._transport = transport
        self._held = transport.get_write_buffer_size()
        self._goal = 0
        """How many bytes will be confirmed once all that was written before the transport closed has arrived."""
        # Not socket.dup(): uvloop's socket is not one that may be duplicated.
        self._socket = socket.socket(fileno=os.dup(descriptor))

    def bytes_left(self) -> int:
        """How many bytes are not confirmed.

        Where the system does not tell what its kernel holds (all but Linux), only those that it has not been given.

        Raises:
            ConnectionResetError: the connection is over, and they never will be.
        """
        if not self._transport.is_closing():
            self._held = self._transport.get_write_buffer_size()
        elif self._held:
            raise _lost()  # what a transport holds is gone with it
        if not sys.platform.startswith("linux"):
            return self._held
        confirmed, unsent = self.confirmed_bytes(), self._queued_bytes()
        if unsent and self._transport.is_closing() and confirmed is not None and 0 < self._goal <= confirmed:
            return 0  # what is left is the transport's own: the end of TLS, which a peer that has closed does not take
        if unsent and self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _CLOSED:
            raise _lost()
        if not self._transport.is_closing() and not self._held and confirmed is not None:
            self._goal = confirmed + unsent
        return self._held + unsent

    def confirmed_bytes(self) -> int | None:
        """How many bytes the peer's system has confirmed since the connection began, also once it is over; None where
        this system does not tell. Over TLS its own bytes count too."""
        if not sys.platform.startswith("linux"):
            return None
        told = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED_AT + 8)
        return int.from_bytes(told[_ACKED_AT:], sys.byteorder) if len(told) == _ACKED_AT + 8 else None

    def written_bytes(self) -> int | None:
        """How many bytes will be confirmed once all that was written so far has arrived; None as above. Over TLS
        without the frames of what the transport still holds."""
        confirmed = self.confirmed_bytes()
        return None if confirmed is None else confirmed + self._queued_bytes() + self._transport.get_write_buffer_size()

    def _queued_bytes(self) -> int:
        import fcntl
        import termios

        # TIOCOUTQ is the number of SIOCOUTQ.
        queued: int = struct.unpack("i", fcntl.ioctl(self._socket, termios.TIOCOUTQ, b"\0" * 4))[0]
        return queued

    def close(self) -> None:
        """Lets go of the descriptor."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _lost() -> ConnectionResetError:
    return ConnectionResetError("the connection ended before all of it had arrived")
