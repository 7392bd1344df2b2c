"""`blocking.bind`: one UDP socket that hears everybody and sends to anybody, without an event loop.

The rules are those of `datagrams/datagramsocket.py`, its twin under asyncio: an answer leaves from the address that
its sender asked; what was cut, refused or found no way is told by `receive`, and the socket goes on. What waits to be
received is the kernel's matter. One thread receives, any number send, any may close.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from lanline.address import Address
from lanline.errors import ChannelClosed, DatagramRefused, DatagramTruncated, TransportError
from lanline.link.blocking.turns import Turns
from lanline.link.datagrams.datagram import Datagram, DatagramStatistics
from lanline.translation import _
from lanline.transport.quiet import QuietLog
from lanline.transport.udp.udpsocket import Received, UdpSocket
from lanline.transport.udp.undelivered import Place
from lanline.transport.udp.waiting import receive_within, send_within, wake

_LOG: Final = logging.getLogger("lanline.link")

_KNOWN_WAYS: Final = 4096
"""Senders whose way back is remembered. A flood of made-up ones only empties the table."""


class DatagramSocket:
    """Datagrams from and to anybody. Made by `blocking.bind`, closed by whoever made it.

    One thread receives, any number of threads send.

    Args:
        port: bound; owned by this object from now on.
    """

    def __init__(self, port: UdpSocket) -> None:
        self._port = port
        self._address = port.address
        self._turns = Turns(port.close)
        self._quiet = QuietLog(_LOG)
        self._ways: dict[Address, tuple[Place, bytes]] = {}
        self._is_closed = False
        self._sent_messages = self._sent_bytes = self._received_messages = self._received_bytes = 0
        self._truncated = self._undelivered = 0

    def __repr__(self) -> str:
        return f"<DatagramSocket {self._address} {'closed' if self._is_closed else 'open'}>"

    @property
    def address(self) -> Address:
        """Where it is bound, with the real port; host `*` for every interface."""
        return self._address

    def send(self, message: bytes, to: Address | str, *, timeout: float | None = None) -> None:
        """Sends one datagram, whole or not at all; waits while this machine's network takes none.

        Args:
            message: up to 65,507 bytes; none at all is a datagram too.
            to: where to, such as a datagram's `sender`, or `udp://192.168.1.7:9529`. A name is looked up once.
            timeout: seconds to wait; None for ever.

        Raises:
            TimeoutError: this machine's network took none in time.
            MessageTooLarge: it does not fit into a datagram. TextNotBytes: it is text.
            AddressError: not an address to send to from here. ConnectFailed: the name does not resolve.
            TransportError: it cannot leave this machine. What becomes of it later, `receive` tells.
            ChannelClosed: this side has closed.
        """
        address = Address.parse(to) if isinstance(to, str) else to
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._turns.begin_sending(timeout):
            raise TimeoutError(_("another thread was sending all the time"))
        try:
            self._check_open()
            place, came_to = self._ways.get(address) or (self._port.place_of(address), b"")
            if not send_within(self._port, message, place, came_to, deadline):
                text = _("this machine's network took no datagram within {timeout:g} s")
                raise TimeoutError(text.format(timeout=timeout))
            self._sent_messages += 1
            self._sent_bytes += len(message)
        finally:
            self._turns.end_sending()

    def receive(self, *, timeout: float | None = None) -> Datagram:
        """The next datagram.

        Args:
            timeout: seconds to wait for it, 0 to look only; None to wait for ever.

        Raises:
            TimeoutError: none came in time.
            DatagramTruncated: one came that is longer than `max_datagram_bytes`; the rest of it is lost.
            DatagramRefused: nobody listens where one was sent to. TransportError: it did not arrive for another
                reason. After any of these the socket goes on.
            ChannelClosed: this side has closed, in this thread or in another.
            LocalProtocolError: another thread is receiving already.
        """
        self._turns.begin_receiving("socket")
        try:
            self._check_open()
            deadline = None if timeout is None else time.monotonic() + timeout
            received = self._received(deadline)
            self._check_open()
            if received is None:
                text = _("no datagram came to {address} within {timeout:g} s")
                raise TimeoutError(text.format(address=self._address, timeout=timeout))
            return self._noted(received)
        finally:
            self._turns.end_receiving()

    def __iter__(self) -> Iterator[Datagram]:
        """Datagrams until this side closes. What was cut or refused is passed over."""
        while True:
            try:
                yield self.receive()
            except ChannelClosed:
                return
            except (DatagramRefused, DatagramTruncated, TransportError) as trouble:
                self._quiet.warn(type(trouble).__name__, str(trouble), time.monotonic())

    def close(self) -> None:
        """Gives the port back, from any thread: whoever receives wakes up. A second call does nothing."""
        self._is_closed = True
        wake(self._port)
        self._turns.finish()

    def __enter__(self) -> Self:
        """Leaving the block closes the socket."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the socket."""
        self.close()

    def fileno(self) -> int:
        """The descriptor, for `select` and `poll`; -1 once closed."""
        return -1 if self._is_closed else self._port.fileno()

    def statistics(self) -> DatagramStatistics:
        """Figures since the socket was bound. What waits, and what was dropped because too much did, only the kernel
        knows."""
        return DatagramStatistics(
            self._sent_messages,
            self._sent_bytes,
            self._received_messages,
            self._received_bytes,
            0,
            0,
            self._truncated,
            self._undelivered,
        )

    # -- private pieces ------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._is_closed:
            raise ChannelClosed(_("this side has closed the socket already"))

    def _received(self, deadline: float | None) -> Received | None:
        try:
            return receive_within(self._port, deadline)
        except DatagramTruncated:
            self._truncated += 1
            raise
        except (DatagramRefused, TransportError):
            self._undelivered += 1
            raise

    def _noted(self, received: Received) -> Datagram:
        sender = self._port.address_of(received.sender)
        if received.came_to:
            if len(self._ways) >= _KNOWN_WAYS:
                self._ways.clear()
            self._ways[sender] = received.sender, received.came_to
        self._received_messages += 1
        self._received_bytes += len(received.message)
        return Datagram(received.message, sender, time.time_ns())
