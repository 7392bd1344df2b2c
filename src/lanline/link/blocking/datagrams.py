"""Channels of datagrams without an event loop: towards one peer, or from one of the senders of a served address.

One datagram is one message, and a message may get lost, come twice or out of order. An empty datagram is an empty
message, never the end. What was cut, refused or found no way is told by `receive`, and on a channel of `connect` by
`send` as well, and the channel goes on; iterating passes over such tidings, which are counted, and in the log at most
one a second.

The words and rules are those of `datagrams/channel.py`, its twin under asyncio.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from threading import Condition
from typing import Final

from lanline.address import Address
from lanline.errors import (
    BufferFull,
    ChannelClosed,
    ChannelEnded,
    DatagramRefused,
    DatagramTruncated,
    LanlineError,
    TransportError,
)
from lanline.link.blocking.channel import Channel
from lanline.link.datagrams.datagram import MESSAGE_BYTES, WAITING_BYTES, DatagramStatistics
from lanline.translation import _
from lanline.transport.quiet import QuietLog
from lanline.transport.udp.udpsocket import UdpSocket
from lanline.transport.udp.undelivered import Place
from lanline.transport.udp.waiting import receive_within, send_within, wake

_LOG: Final = logging.getLogger("lanline.link")

_TIDINGS: Final = (DatagramRefused, DatagramTruncated, TransportError)


class DatagramChannel(Channel):
    """Datagrams to and from one peer, over a socket of its own.

    Args:
        port: connected; owned by this object from now on.
        peer: who is at the other end.
    """

    _kind = "datagrams"

    def __init__(self, port: UdpSocket, peer: Address, place: Place | None = None, came_to: bytes = b"") -> None:
        super().__init__(str(peer))
        self._port = port
        self._peer = peer
        self._place = place
        self._came_to = came_to
        self._quiet = QuietLog(_LOG)
        self._dropped = self._truncated = self._undelivered = 0

    # -- sending -------------------------------------------------------------------------------------------

    def send(self, message: bytes, *, timeout: float | None = None) -> None:
        """See `Channel.send`. One message is one datagram, sent whole or not at all, up to 65,507 bytes; it waits only
        while this machine's own network takes none.

        Raises:
            DatagramRefused: an earlier datagram was refused, and nobody was told yet; this one was not sent.
            TransportError: it cannot leave this machine, or an earlier one did not arrive.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._turn_to_send(deadline):
            self._check_sending()
            if not send_within(self._port, message, self._place, self._came_to, deadline):
                text = _("this machine's network took no datagram within {timeout:g} s")
                raise TimeoutError(text.format(timeout=timeout))
            self._count_sent(message)

    def send_now(self, message: bytes) -> None:
        """See `Channel.send_now`, and `send`."""
        with self._turn_to_send(None):
            self._check_sending()
            if not send_within(self._port, message, self._place, self._came_to, 0.0):
                raise BufferFull(_("this machine's network takes nothing now: one datagram was not sent"))
            self._count_sent(message)

    # -- receiving -----------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[bytes]:
        """Messages until this side closes, or on the serving side until the peer has been silent for long. Datagrams
        that were cut or refused are passed over."""
        while True:
            try:
                yield self.receive()
            except (ChannelEnded, ChannelClosed):
                return
            except _TIDINGS as trouble:
                self._pass_over(trouble)

    # -- ending --------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Closes: a datagram cannot say that it is the last."""
        self.close()

    def close(self) -> None:
        """Closes. The peer is not told."""
        self._close_here()
        wake(self._port)
        self._turns.finish()

    def abort(self) -> None:
        """Closes."""
        self.close()

    # -- facts ---------------------------------------------------------------------------------------------

    @property
    def local_address(self) -> str:
        """See `Channel.local_address`; of a socket on every interface, the address that the peer asked. Empty once
        closed."""
        return "" if self._closed_here else str(self._port.local_address(self._came_to))

    def fileno(self) -> int:
        """See `Channel.fileno`."""
        return -1 if self._closed_here else self._port.fileno()

    def statistics(self) -> DatagramStatistics:
        """Figures since the channel began."""
        return DatagramStatistics(
            self._sent_messages,
            self._sent_bytes,
            self._received_messages,
            self._received_bytes,
            len(self._messages),
            self._dropped,
            self._truncated,
            self._undelivered,
        )

    # -- private pieces ------------------------------------------------------------------------------------

    def _check_sending(self) -> None:
        if self._closed_here:
            raise self._cannot_send()
        # While another thread receives, it is the one to be told.
        if self._port.undelivered and not self._turns.is_receiving:
            self._undelivered += 1
            raise self._port.undelivered.popleft()[0]

    def _pass_over(self, trouble: LanlineError) -> None:
        self._quiet.warn(type(trouble).__name__, str(trouble), time.monotonic())

    def _count_sent(self, message: bytes) -> None:
        self._sent_messages += 1
        self._sent_bytes += len(message)

    def _read_some(self, deadline: float | None) -> bool:
        try:
            received = receive_within(self._port, deadline)
        except _TIDINGS as trouble:
            self._count(trouble)
            raise
        if received is None:
            return self._closed_here  # woken by that: whoever asked looks again, and finds it closed
        if not self._closed_here:  # else it is no datagram, but what waking up looks like
            self._received_messages += 1
            self._received_bytes += len(received.message)
            self._messages.append(received.message)
        return True

    def _count(self, trouble: LanlineError) -> None:
        if isinstance(trouble, DatagramTruncated):
            self._truncated += 1
        else:
            self._undelivered += 1

    def _close_descriptor(self) -> None:
        self._port.close()


class SenderChannel(DatagramChannel):
    """Datagrams to and from one of many senders that share a socket: another thread reads it, and hands them over.

    Args:
        port: shared, and closed by whoever serves it.
        peer, place: who sends, and where answers go.
        came_to: the address of this machine that the peer asked, as `UdpSocket.send` takes it.
        on_gone: called once when this side has closed.
    """

    def __init__(
        self, port: UdpSocket, peer: Address, place: Place, came_to: bytes, on_gone: Callable[[SenderChannel], None]
    ) -> None:
        super().__init__(port, peer, place, came_to)
        self.place = place
        self._on_gone = on_gone
        self._inbox = Condition()
        self._waiting_bytes = 0
        self._trouble: LanlineError | None = None

    # -- for the thread that reads -------------------------------------------------------------------------

    def heard(self, message: bytes, came_to: bytes) -> None:
        """A datagram of the peer came. It is dropped where too much waits."""
        with self._inbox:
            size = len(message) + MESSAGE_BYTES
            if self._waiting_bytes + size > WAITING_BYTES:
                self._dropped += 1
                text = f"more datagrams of {self._peer} wait than may: the newest are dropped"
                self._quiet.warn("full", text, time.monotonic())
                return
            self._waiting_bytes += size
            self._came_to = came_to
            self._received_messages += 1
            self._received_bytes += len(message)
            self._messages.append(message)
            self._inbox.notify()

    def take_unserved(self) -> list[bytes]:
        """Takes out what nobody has received, the oldest first. The datagram that began the channel is not in it: the
        handler was called for that one, whatever it did with it."""
        with self._inbox:
            unserved = list(self._messages)
            was_any_received = self._received_messages > len(unserved)
            self._messages.clear()
            self._waiting_bytes = 0
        return unserved if was_any_received else unserved[1:]

    def fell_short(self, trouble: LanlineError) -> None:
        """A datagram from or to the peer was cut, refused or lost its way. The newest tidings count."""
        with self._inbox:
            self._count(trouble)
            self._trouble = trouble
            self._inbox.notify()

    def end_receiving(self, why: str) -> None:
        """Nothing more of the peer will be handed over; what came is received first, and it may still send."""
        with self._inbox:
            self._end_receiving(ChannelEnded(why))
            self._inbox.notify()

    @property
    def came_to(self) -> bytes:
        """The address of this machine that the peer asked last."""
        return self._came_to

    @property
    def waiting_bytes(self) -> int:
        """So much waits to be received, 64 bytes for each message included."""
        return self._waiting_bytes

    # -- for the handler -----------------------------------------------------------------------------------

    def receive(self, *, timeout: float | None = None) -> bytes:
        """See `Channel.receive`."""
        try:
            message = super().receive(timeout=timeout)
        except IndexError as error:  # it was there, and another thread has closed and taken it out
            raise ChannelClosed(_("this side has closed the channel already")) from error
        with self._inbox:
            self._waiting_bytes -= len(message) + MESSAGE_BYTES
        return message

    def close(self) -> None:
        """Closes. The peer is not told."""
        with self._inbox:
            was_open = not self._closed_here
            self._close_here()
            self._inbox.notify()
        if was_open:
            self._on_gone(self)

    def fileno(self) -> int:
        """-1: the socket is shared."""
        return -1

    # -- private pieces ------------------------------------------------------------------------------------

    def _check_sending(self) -> None:
        """Tells no refusals: anybody can forge one, and it would end a handler."""
        if self._closed_here:
            raise self._cannot_send()

    def _pass_over(self, trouble: LanlineError) -> None:
        self._quiet.pass_over(trouble, str(self._port.address), time.monotonic())

    def _check_receiving(self) -> None:
        if self._trouble is not None and not self._closed_here:
            with self._inbox:
                trouble, self._trouble = self._trouble, None
            if trouble is not None:
                raise trouble
        super()._check_receiving()

    def _read_some(self, deadline: float | None) -> bool:
        with self._inbox:
            if self._messages or self._trouble is not None or self._ended_by is not None:
                return True
            return self._inbox.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
