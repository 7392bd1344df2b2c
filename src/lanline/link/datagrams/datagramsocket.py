"""`bind`: one UDP socket that hears everybody and sends to anybody, for programs that know what datagrams are.

Where each sender shall have a channel of its own, `serve` does that; towards one peer, `connect`. Rules:

- An answer leaves from the address that its sender asked, also on a socket that is bound to every interface.
- What was cut, refused or found no way is told by `receive`, with the peer's address and in its place among the
  datagrams, and the socket goes on. `async for` passes over such tidings; they are counted, and in the log at most one
  a second.
- What waits to be received is bounded; beyond that the newest is dropped, counted. So it is with tidings.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Final, Self

from lanline.address import Address
from lanline.errors import (
    ChannelClosed,
    DatagramRefused,
    DatagramTruncated,
    LanlineError,
    LocalProtocolError,
    TransportError,
)
from lanline.link.client import Connecting
from lanline.link.datagrams.datagram import MESSAGE_BYTES, Datagram, DatagramStatistics
from lanline.translation import _
from lanline.transport.udp.driver import UdpDriver
from lanline.transport.udp.opening import open_at, place_of
from lanline.transport.udp.udpsocket import UdpSocket
from lanline.transport.udp.undelivered import MAX_DATAGRAM_BYTES, Place

_WAITING_BYTES: Final = 4 * 1024 * 1024
"""Received and not yet taken, for the whole socket: more than a channel may keep, because everybody shares it."""

_KNOWN_WAYS: Final = 4096
"""Senders whose way back is remembered. A flood of made-up ones only empties the table."""

_TROUBLES: Final = 64
"""Tidings that wait to be told. Few, so that a flood of oversize datagrams leaves the room to the others."""

_DRAIN: Final = 5.0


class DatagramSocket:
    """Datagrams from and to anybody. Made by `bind`, closed by whoever made it.

    Used by one task for receiving and any number for sending."""

    def __init__(self, port: UdpSocket) -> None:
        self._loop = asyncio.get_running_loop()
        self._driver = UdpDriver(port, receive=self._heard, on_trouble=self._fell_short)
        self._address = port.address
        self._waiting: deque[Datagram | LanlineError] = deque()
        self._waiting_bytes = 0
        self._waiting_troubles = 0
        self._receiver: asyncio.Future[None] | None = None
        self._ways: dict[Address, tuple[Place, bytes]] = {}
        self._is_closed = False
        self._sent_bytes = self._received_bytes = self._dropped = 0

    def __repr__(self) -> str:
        return f"<DatagramSocket {self._address} {'closed' if self._is_closed else 'open'}>"

    @property
    def address(self) -> Address:
        """Where it is bound, with the real port; host `*` for every interface."""
        return self._address

    # -- sending -------------------------------------------------------------------------------------------

    async def send(self, message: bytes, to: Address | str) -> None:
        """Sends one datagram, whole or not at all; waits while this machine's network takes none.

        Args:
            message: up to 65,507 bytes; none at all is a datagram too.
            to: where to, such as a datagram's `sender`, or `udp://192.168.1.7:9529`. A name is looked up once.

        Raises:
            MessageTooLarge: it does not fit into a datagram. TextNotBytes: it is text.
            AddressError: not an address to send to from here. ConnectFailed: the name does not resolve.
            TransportError: it cannot leave this machine. What becomes of it later, `receive` tells.
            ChannelClosed: this side has closed.
        """
        if self._is_closed:
            raise ChannelClosed(_("this side has closed the socket already"))
        way = self._ways.get(to) if isinstance(to, Address) else None
        if way is None:
            way = await self._find_way(to)
        if not self._driver.has_room:
            await self._driver.wait_room()
        self._driver.send(message, way[0], way[1])
        self._sent_bytes += len(message)

    # -- receiving -----------------------------------------------------------------------------------------

    async def receive(self) -> Datagram:
        """The next datagram, or what was learned of one before the next came.

        Raises:
            DatagramTruncated: one came that is longer than `max_datagram_bytes`; the rest of it is lost.
            DatagramRefused: nobody listens where one was sent to. TransportError: it did not arrive for another
                reason. After any of these the socket goes on.
            ChannelClosed: this side has closed. LocalProtocolError: another task is receiving already.
        """
        while not self._waiting:
            if self._is_closed:
                raise ChannelClosed(_("this side has closed the socket already"))
            if self._receiver is not None:
                raise LocalProtocolError("two tasks receive from one socket")
            self._receiver = self._loop.create_future()
            try:
                await self._receiver
            finally:
                self._receiver = None
        oldest = self._waiting.popleft()
        if isinstance(oldest, LanlineError):
            self._waiting_troubles -= 1
            raise oldest
        self._waiting_bytes -= len(oldest.message) + MESSAGE_BYTES
        return oldest

    async def __aiter__(self) -> AsyncIterator[Datagram]:
        """Datagrams until this side closes. What was cut or refused is passed over."""
        while True:
            try:
                datagram = await self.receive()
            except ChannelClosed:
                return
            except (DatagramRefused, DatagramTruncated, TransportError) as trouble:
                self._driver.warn(type(trouble).__name__, str(trouble))
            else:
                yield datagram

    # -- ending --------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Gives the port back, once the system has taken what was sent, or after 5 seconds. What has come can still be
        received. A second call does nothing."""
        self._is_closed = True
        self._wake()
        await self._driver.close(drain=_DRAIN)

    async def __aenter__(self) -> Self:
        """Leaving the block closes the socket."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the socket."""
        await self.close()

    def statistics(self) -> DatagramStatistics:
        """Figures since the socket was bound."""
        figures = self._driver.figures
        return DatagramStatistics(
            sent_messages=figures.sent,
            sent_bytes=self._sent_bytes,
            received_messages=figures.received - self._dropped,
            received_bytes=self._received_bytes,
            waiting_messages=len(self._waiting) - self._waiting_troubles,
            dropped_messages=self._dropped,
            truncated_messages=figures.truncated,
            undelivered_messages=figures.undelivered,
        )

    # -- private pieces ------------------------------------------------------------------------------------

    def _heard(self, message: bytes, sender: Place, came_to: bytes) -> None:
        size = len(message) + MESSAGE_BYTES
        if self._waiting_bytes + size > _WAITING_BYTES:
            self._dropped += 1
            self._driver.warn("full", "4 MiB of datagrams wait to be received, the limit: the newest are dropped")
            return
        address = self._driver.port.address_of(sender)
        if len(self._ways) >= _KNOWN_WAYS and address not in self._ways:
            self._ways.clear()
        self._ways[address] = sender, came_to
        self._waiting_bytes += size
        self._received_bytes += len(message)
        self._waiting.append(Datagram(message, address, time.time_ns()))
        self._wake()

    def _fell_short(self, trouble: LanlineError, _place: Place | None) -> None:
        if self._waiting_troubles == _TROUBLES:
            self._driver.warn("untold", f"{_TROUBLES} tidings wait to be received, the limit: {trouble}")
            return
        self._waiting_troubles += 1
        self._waiting.append(trouble)
        self._wake()

    async def _find_way(self, to: Address | str) -> tuple[Place, bytes]:
        address = Address.parse(to) if isinstance(to, str) else to
        way = self._ways.get(address)
        return way or (await place_of(self._driver.port, address), b"")

    def _wake(self) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)


def bind(address: str | Address, *, max_datagram_bytes: int = MAX_DATAGRAM_BYTES) -> Connecting[DatagramSocket]:
    """A UDP socket of one's own: `async with bind("udp://*:9529") as socket`, or `await` it and close it.

    Args:
        address: `udp://:9529` is loopback, `udp://*:9529` every interface, port 0 any free one. A name that stands for
            several addresses is served at the first one only; `serve` takes all.
        max_datagram_bytes: a longer datagram is told as DatagramTruncated; 1 to 65,507.

    Raises:
        AddressError: at once. ListenFailed, UsageError: when entered or awaited; the process that has the port is
            named where that can be known.
    """
    where = address if isinstance(address, Address) else Address.parse(address)

    async def make() -> DatagramSocket:
        first, *others = await open_at(where, max_datagram_bytes=max_datagram_bytes)
        for one in others:
            one.close()
        return DatagramSocket(first)

    return Connecting(make)
