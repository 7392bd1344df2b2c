"""`blocking.hear`: what is shouted on the networks of this machine, without an event loop.

The rules are those of `shouts.py`, its twin under asyncio. What waits to be heard is the kernel's matter. One thread
receives, any may close.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from lanline.address import Address
from lanline.errors import ChannelClosed
from lanline.link.blocking.turns import Turns
from lanline.link.datagrams.datagram import Datagram
from lanline.translation import _
from lanline.transport.udp.copies import Copies
from lanline.transport.udp.hearing import Listener


class Shouts:
    """What is shouted at one port. Made by `blocking.hear`, closed by whoever made it.

    Args:
        listener: owned by this object from now on.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._copies = Copies()
        self._turns = Turns(listener.close)
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<Shouts {self.address} {'closed' if self._is_closed else 'open'}>"

    @property
    def address(self) -> Address:
        """Where it listens: every interface, with the real port."""
        return Address("udp", "*", self._listener.port)

    @property
    def interfaces(self) -> list[str]:
        """Names of the interfaces on which multicast is heard. Broadcasts are heard on all."""
        return self._listener.interfaces

    def receive(self, *, timeout: float | None = None) -> Datagram:
        """The next shout, once however many copies of it come.

        Args:
            timeout: seconds to wait for it, 0 to look only; None to wait for ever.

        Raises:
            TimeoutError: none was heard in time.
            ChannelClosed: this side has closed, in this thread or in another.
            LocalProtocolError: another thread is receiving already.
        """
        self._turns.begin_receiving("socket")
        try:
            if self._is_closed:
                raise ChannelClosed(_("this side has closed the socket already"))
            deadline = None if timeout is None else time.monotonic() + timeout
            while True:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                heard = self._listener.receive(left)
                if not self._copies.is_copy(heard.message, heard.sender.port, time.monotonic()):
                    return Datagram(heard.message, heard.sender, time.time_ns())
        finally:
            self._turns.end_receiving()

    def __iter__(self) -> Iterator[Datagram]:
        """Shouts until this side closes."""
        while True:
            try:
                yield self.receive()
            except ChannelClosed:
                return

    def close(self) -> None:
        """Gives the port back, from any thread: whoever receives wakes up. A second call does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._listener.wake()
        self._turns.finish()

    def __enter__(self) -> Self:
        """Leaving the block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        self.close()
