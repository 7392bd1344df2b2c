"""Channels over UDP: one datagram is one message, and a message may get lost, come twice or out of order.

There is no connection. What a channel has of one: it sends to one peer, and hears only that peer. Rules:

- An empty datagram is an empty message, never the end. Nothing that comes ends a channel; closing it does, and on the
  serving side silence.
- A datagram that was cut, refused or found no way is told by `receive` (a refusal by `send` as well), and the channel
  goes on. `async for` passes over such tidings; they are counted, and in the log at most one a second.
- Nobody can be told to send less. What waits to be received is bounded, and beyond that the newest is dropped, counted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from lanline.address import Address
from lanline.errors import (
    ChannelClosed,
    ChannelEnded,
    DatagramRefused,
    DatagramTruncated,
    LanlineError,
    TransportError,
)
from lanline.limits import LAN, Limits
from lanline.link.channel import Channel
from lanline.link.datagrams.datagram import MESSAGE_BYTES, WAITING_BYTES, DatagramStatistics
from lanline.transport.udp.driver import UdpDriver
from lanline.transport.udp.opening import open_towards
from lanline.transport.udp.undelivered import Place


class DatagramChannel(Channel):
    """Datagrams to and from one peer. Made by `connect` and `serve`, never by hand.

    Args:
        driver: the socket; on the serving side many channels share it.
        peer: who is at the other end.
        place: where to send to on a shared socket; None on a connected one.
        came_to: the address of this machine that the peer asked, as `UdpSocket.send` takes it.
        limits: `drain` is used here.
        leave: called once when this channel is over, on the serving side; None: the socket is this channel's own.
    """

    __slots__ = (
        "_driver",
        "_peer",
        "place",
        "came_to",
        "_limits",
        "_leave",
        "_waiting_bytes",
        "_trouble",
        "_dropped",
        "_truncated",
        "_undelivered",
    )

    def __init__(
        self,
        driver: UdpDriver,
        peer: Address,
        place: Place | None = None,
        *,
        came_to: bytes = b"",
        limits: Limits = LAN,
        leave: Callable[[DatagramChannel], None] | None = None,
    ) -> None:
        super().__init__()
        self._driver = driver
        self._peer = peer
        self.place = place
        self.came_to = came_to
        self._limits = limits
        self._leave = leave
        self._waiting_bytes = 0
        self._trouble: LanlineError | None = None
        self._dropped = self._truncated = self._undelivered = 0

    # -- sending -------------------------------------------------------------------------------------------

    async def send(self, message: bytes) -> None:
        """See `Channel.send`. One message is one datagram, sent at once, up to 65,507 bytes.

        Raises:
            DatagramRefused: on a channel of `connect`, an earlier datagram was refused, and nobody was told yet; this
                one was not sent. On the serving side only `receive` tells: one forged refusal must not end a handler.
            TransportError: it cannot leave this machine, or as above an earlier one did not arrive.
        """
        if not self._driver.has_room:
            await self._driver.wait_room()
        self.send_now(message)

    def send_now(self, message: bytes) -> None:
        """See `Channel.send_now`, and `send`. BufferFull: 256 datagrams wait for this machine's network."""
        if self._closed_here or self._driver.is_closed:
            raise self._cannot_send()
        if self._trouble is not None and self._leave is None:
            raise self._told()
        self._driver.send(message, self.place, self.came_to)
        self._sent_messages += 1
        self._sent_bytes += len(message)

    # -- receiving -----------------------------------------------------------------------------------------

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Messages until this side closes, or on the serving side until the peer has been silent for long. Datagrams
        that were cut or refused are passed over."""
        while True:
            try:
                message = await self.receive()
            except (ChannelEnded, ChannelClosed):
                return
            except (DatagramRefused, DatagramTruncated, TransportError) as trouble:
                if self._leave is None:
                    self._driver.warn(type(trouble).__name__, str(trouble))
                else:
                    self._driver.pass_over(trouble)
            else:
                yield message

    def heard(self, message: bytes, came_to: bytes) -> None:
        """A datagram of the peer came. It is dropped where too much waits."""
        size = len(message) + MESSAGE_BYTES
        # Counted from above: what is taken while there is room is not subtracted, but forgotten when nothing waits.
        waiting = self._waiting_bytes + size if self._messages else size
        if waiting > WAITING_BYTES and not self._is_full:
            waiting = size + sum(map(len, self._messages)) + MESSAGE_BYTES * len(self._messages)
            self._is_full = waiting > WAITING_BYTES
        if self._is_full and waiting > WAITING_BYTES:
            self._waiting_bytes = waiting - size
            self._dropped += 1
            self._driver.warn("full", f"more datagrams of {self._peer} wait than may: the newest are dropped")
            return
        self._waiting_bytes = waiting
        self.came_to = came_to
        self._received_bytes += len(message)
        self._deliver([message])

    def fell_short(self, trouble: LanlineError) -> None:
        """A datagram from or to the peer was cut, refused or lost its way. The newest tidings count."""
        if isinstance(trouble, DatagramTruncated):
            self._truncated += 1
        else:
            self._undelivered += 1
        self._trouble = trouble
        self._wake_receiver()

    # -- ending --------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Closes: a datagram cannot say that it is the last."""
        self._finish()

    async def close(self) -> None:
        """Closes, once the system has taken what was sent, or after `limits.drain` seconds. The peer is not told."""
        try:
            if self._leave is None:
                self._close_here()
                await self._driver.close(drain=self._limits.drain)
        finally:
            self._finish()

    def abort(self) -> None:
        """Closes at once."""
        self._finish()

    def take_unserved(self) -> list[bytes]:
        """Takes out what nobody has received, the oldest first. The datagram that began the channel is not in it: the
        handler was called for that one, whatever it did with it."""
        unserved = list(reversed(self._messages))
        was_any_received = self._received_messages > len(unserved)
        self._messages = ()
        return unserved if was_any_received else unserved[1:]

    def end_receiving(self, why: str) -> None:
        """Nothing more of the peer will be handed to this channel; what came is received first, and it may still
        send."""
        self._end_receiving(ChannelEnded(why))

    # -- facts ---------------------------------------------------------------------------------------------

    @property
    def peer_address(self) -> str:
        """See `Channel.peer_address`. Anybody in the network can write it on a datagram."""
        return str(self._peer)

    @property
    def local_address(self) -> str:
        """See `Channel.local_address`; of a socket on every interface, the address that the peer asked."""
        return "" if self._driver.is_closed else str(self._driver.port.local_address(self.came_to))

    @property
    def waiting_bytes(self) -> int:
        """At most so much waits to be received, 64 bytes for each message included."""
        return self._waiting_bytes if self._messages else 0

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

    @property
    def _kind(self) -> str:
        return "datagrams"

    def _taken(self, message: bytes) -> None:
        self._waiting_bytes -= len(message) + MESSAGE_BYTES
        if self._waiting_bytes * 2 < WAITING_BYTES:
            self._is_full = False

    def _check_receiving(self) -> None:
        if self._trouble is not None and not self._closed_here:
            raise self._told()
        super()._check_receiving()

    def _told(self) -> LanlineError:
        """The tidings that nobody was told yet; once."""
        trouble, self._trouble = self._trouble, None
        assert trouble is not None, "asked where there is some"
        return trouble

    def _finish(self) -> None:
        if self._is_gone:
            return
        self._close_here()
        if self._leave is None:
            self._driver.abort()
        else:
            self._leave(self)
        self._be_gone()


async def connect_datagrams(address: Address, *, timeout: float, limits: Limits = LAN) -> DatagramChannel:
    """A channel to whoever has this UDP address. Nothing is sent by this: whether anybody is there shows later.

    Args:
        address: scheme udp; not `*`.
        timeout: seconds for the name lookup.
        limits: `drain` is used.

    Raises:
        ConnectFailed: the name does not resolve, or there is no way there. AddressError: not an address to send to.
    """
    port = await open_towards(address, timeout=timeout)
    assert port.peer is not None, "it is connected"
    driver = UdpDriver(
        port,
        receive=lambda message, _sender, came_to: channel.heard(message, came_to),
        on_trouble=lambda trouble, _place: channel.fell_short(trouble),
    )
    channel = DatagramChannel(driver, port.peer, limits=limits)  # before the loop has a turn to call either
    return channel
