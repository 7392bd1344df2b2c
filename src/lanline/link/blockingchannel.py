"""A channel without an event loop: messages to and from one peer, over a blocking socket."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from lanline.errors import ChannelBroken, ChannelClosed, ChannelEnded

if TYPE_CHECKING:
    from lanline.framing.base import Framing

_READ_BYTES: Final = 256 * 1024


class Channel:
    """Messages to and from one peer, over a blocking socket.

    Args:
        sock: connected; owned by this object from now on.
        framing: how messages lie in the stream.
        peer_address: for people.
    """

    def __init__(self, sock: socket.socket, framing: Framing, peer_address: str) -> None:
        self.peer_address = peer_address
        self._sock = sock
        self._framing = framing
        self._decoder = framing.decoder()
        self._messages: deque[bytes] = deque()
        self._is_closed = False
        self._has_ended = False

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "ended" if self._has_ended else "open"
        return f"<Channel {self._framing.name} {self.peer_address} {state}>"

    def send(self, message: bytes) -> None:
        """Sends one message, waiting as long as the peer is slow.

        Raises:
            ChannelClosed: this side has closed. ChannelBroken: the connection broke.
            UsageError, MessageTooLarge: the framing cannot carry it. TypeError: it is text: write `text.encode()`.
        """
        data = self._framing.encode(message)
        self._check_open()
        try:
            self._sock.sendall(data)
        except OSError as error:
            raise ChannelBroken(f"the connection broke: {error.strerror or error}") from error

    def receive(self, *, timeout: float | None = None) -> bytes:
        """The next message.

        Args:
            timeout: seconds to wait for it; None to wait for ever.

        Raises:
            TimeoutError: it did not come in time; nothing is lost, a later call gets it.
            ChannelEnded: the peer has closed. ChannelBroken: the connection broke. ChannelClosed: this side has.
            EndedInMessage, RemoteProtocolError: the peer does not keep to the framing.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._messages:
            self._check_open()
            if self._has_ended:
                raise ChannelEnded("the peer has closed the channel")
            chunk = self._read(deadline)
            if chunk:
                self._messages.extend(self._decoder.receive_data(chunk))
            else:
                self._has_ended = True
                self._messages.extend(self._decoder.receive_eof())
        return self._messages.popleft()

    def __iter__(self) -> Iterator[bytes]:
        """Messages until the peer closes."""
        while True:
            try:
                yield self.receive()
            except ChannelEnded:
                return

    def end(self) -> None:
        """Sends nothing more, but goes on receiving (half-close)."""
        self._check_open()
        self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Closes; a second time does nothing."""
        self._is_closed = True
        self._sock.close()

    def __enter__(self) -> Self:
        """Leaving the block closes the channel."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes."""
        self.close()

    def _read(self, deadline: float | None) -> bytes:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            self._sock.settimeout(left if left != 0.0 else 1e-6)
            return self._sock.recv(_READ_BYTES)
        except TimeoutError:
            raise TimeoutError(f"no message came from {self.peer_address} in time") from None
        except OSError as error:
            raise ChannelBroken(f"the connection broke: {error.strerror or error}") from error
        finally:
            if not self._is_closed:
                self._sock.settimeout(None)

    def _check_open(self) -> None:
        if self._is_closed:
            raise ChannelClosed("this side has closed the channel already")
