"""The serving side of UDP without an event loop: one thread reads the socket and hands each sender its datagrams.

The rules are those of `datagrams/listener.py`, its twin under asyncio: a sender that was silent for
`limits.datagram_silence` seconds is forgotten; of more than `limits.max_connections` the one that was silent longest
makes way; what waits is bounded for each and for all; what a handler has not received when it returns, the next call
gets. Who a sender is, is what its datagrams say: no identity.

Handlers run in threads of their own; the table of senders is guarded by one lock, as they leave it by themselves.
"""

from __future__ import annotations

import errno
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

from lanline.address import Address
from lanline.errors import ChannelClosed, DatagramTruncated, LanlineError
from lanline.limits import Limits
from lanline.link.blocking.datagrams import SenderChannel
from lanline.link.blocking.handlers import Answer
from lanline.link.datagrams.datagram import ALL_WAITING_BYTES, LEAVING, MESSAGE_BYTES
from lanline.translation import _
from lanline.transport.quiet import QuietLog
from lanline.transport.udp.udpsocket import Received, UdpSocket
from lanline.transport.udp.undelivered import Place
from lanline.transport.waker import Waker

_LOG: Final = logging.getLogger("lanline.link")

_BATCH: Final = 64
"""Datagrams between two looks at the clock and at whether to stop."""

_NOTHING: Final = BlockingIOError(errno.EAGAIN, "nothing is there")


class Senders:
    """Everybody who sends to one UDP address.

    Args:
        port: bound; owned by this object from now on, `release` closes it.
        begin: called with the channel of each new sender; False refuses it.
        answer: answers each datagram at once, in place of channels; nothing is kept of senders.
        limits: `max_connections` and `datagram_silence` are used.
    """

    def __init__(
        self, port: UdpSocket, *, begin: Callable[[SenderChannel], bool], answer: Answer | None, limits: Limits
    ) -> None:
        self._port = port
        self._address = port.address
        self._begin = begin
        self._answer = answer
        self._limits = limits
        self._lock = Lock()
        self._channels: OrderedDict[Place, tuple[SenderChannel, float]] = OrderedDict()
        """By sender, the longest silent first; when it was heard last, on the monotonic clock."""

        self._unfinished: set[SenderChannel] = set()
        self._waiting_bytes = 0
        self._quiet = QuietLog(_LOG)
        self._waker = Waker()
        self._waker.watch(port.sock)
        self.accepted = self.refused = 0

    @property
    def address(self) -> Address:
        """Where it is bound, with the real port."""
        return self._address

    def run(self) -> None:
        """Reads, in the calling thread, until `stop` was called from another."""
        while not self._waker.is_awake:
            if self._waker.wait(self._forget_the_silent()):
                self._read_errors()
                for _ in range(_BATCH):
                    if not self._read_one():
                        break

    def stop(self) -> None:
        """Ends `run`: every channel ends once what came for it has been received. They may still send."""
        self._waker.wake()
        with self._lock:
            channels = [channel for channel, _ in self._channels.values()]
            self._channels.clear()
        for channel in channels:
            channel.end_receiving("the server is stopping")

    def release(self) -> None:
        """Gives the port back. Once `run` has ended, and the handlers have, or never began."""
        for channel in list(self._unfinished):
            channel.abort()
        self._port.close()
        self._waker.close()
        self._quiet.flush(time.monotonic())

    # -- one datagram --------------------------------------------------------------------------------------

    def _read_errors(self) -> None:
        """First at each wake-up: only so is it known whose datagrams did not arrive."""
        self._port.note(_NOTHING)
        while self._port.undelivered:
            self._fell_short(*self._port.undelivered.popleft())

    def _read_one(self) -> bool:
        """False: nothing more is there."""
        try:
            received = self._port.receive()
        except (BlockingIOError, ChannelClosed):
            return False
        except LanlineError as trouble:
            self._fell_short(trouble, None)
            return True
        if self._answer is not None:
            self._reply(self._answer, received)
        else:
            self._heard(received)
        return True

    def _reply(self, answer: Answer, received: Received) -> None:
        try:
            reply = answer(received.message, self._port.address_of(received.sender))
            if reply is not None:
                self._port.send(reply, received.sender, received.came_to)
        except BlockingIOError:
            self._warn("unsent", "this machine's network takes nothing now: one answer was not sent")
        except LanlineError as trouble:
            self._quiet.pass_over(trouble, str(self._address), time.monotonic())
        except Exception as error:
            _LOG.debug("an answering function failed", exc_info=error)
            self._warn("answer", f"no answer: {type(error).__name__}: {error}")

    def _heard(self, received: Received) -> None:
        size = len(received.message) + MESSAGE_BYTES
        if not self._has_room(size):
            return
        now = time.monotonic()
        with self._lock:  # while it is held, nobody leaves: what a channel is given here, it or its successor serves
            known = self._channels.get(received.sender)
            if known is not None:
                known[0].heard(received.message, received.came_to)
                self._channels[received.sender] = known[0], now  # dropped or not: it is not silent
                self._channels.move_to_end(received.sender)
                return
        if len(self._unfinished) >= self._limits.max_connections and not self._make_way():
            self.refused += 1
            self._warn("senders", f"{len(self._unfinished)} senders are being served: a new one was not heard")
            return
        with self._lock:
            channel = self._new([received.message], received.sender, received.came_to, now)
        self._serve(channel)

    def _new(self, messages: list[bytes], sender: Place, came_to: bytes, heard_at: float) -> SenderChannel:
        """The channel of a sender, in the table. Asked while the lock is held."""
        channel = SenderChannel(self._port, self._port.address_of(sender), sender, came_to, self._gone)
        for message in messages:
            channel.heard(message, came_to)
        self._channels[sender] = channel, heard_at
        self._unfinished.add(channel)
        self.accepted += 1
        return channel

    def _serve(self, channel: SenderChannel) -> None:
        """Has a handler called for it; not while the lock is held."""
        if not self._begin(channel):
            self.refused += 1
            self._forget(channel)
            channel.abort()

    def _fell_short(self, trouble: LanlineError, place: Place | None) -> None:
        with self._lock:
            known = self._channels.get(place) if place is not None else None
            if known is None and isinstance(trouble, DatagramTruncated):
                known = next((one for one in self._channels.values() if one[0].peer_address == trouble.sender), None)
        if known is not None:
            known[0].fell_short(trouble)
        else:
            self._quiet.pass_over(trouble, str(self._address), time.monotonic())

    def _has_room(self, size: int) -> bool:
        """Whether this much more may wait. Counted from above, and exactly only when it seems too much: whoever takes
        a message tells nobody."""
        self._waiting_bytes += size
        if self._waiting_bytes > ALL_WAITING_BYTES:
            with self._lock:
                self._waiting_bytes = size + sum(channel.waiting_bytes for channel in self._unfinished)
        if self._waiting_bytes <= ALL_WAITING_BYTES:
            return True
        self._waiting_bytes -= size
        self.refused += 1
        self._warn("full", "64 MiB of datagrams wait for their handlers, the limit: the newest are dropped")
        return False

    # -- the end of a channel ------------------------------------------------------------------------------

    def _make_way(self) -> bool:
        """Ends the channel that was silent longest. False: too many handlers have not ended though their channels
        have."""
        with self._lock:
            if not self._channels or len(self._unfinished) >= self._limits.max_connections + LEAVING:
                return False
            channel = self._channels.popitem(last=False)[1][0]
        text = _("{peer} made way: it was silent longest of too many senders")
        channel.end_receiving(text.format(peer=channel.peer_address))
        return True

    def _forget_the_silent(self) -> float | None:
        """Ends the channels of those that were silent for too long. Seconds until the next of them; None: nobody."""
        now, silence = time.monotonic(), self._limits.datagram_silence
        forgotten: list[SenderChannel] = []
        left: float | None = None
        with self._lock:
            while self._channels:
                sender, (channel, heard_at) = next(iter(self._channels.items()))
                if heard_at + silence > now:
                    left = heard_at + silence - now
                    break
                del self._channels[sender]
                forgotten.append(channel)
        for channel in forgotten:
            text = _("{peer} has sent nothing for {silence:g} s")
            channel.end_receiving(text.format(peer=channel.peer_address, silence=silence))
        return left

    def _gone(self, channel: SenderChannel) -> None:
        """A channel was closed by its handler. What came for it and was not received begins the next one."""
        successor: SenderChannel | None = None
        with self._lock:
            self._unfinished.discard(channel)
            known = self._channels.get(channel.place)
            if known is not None and known[0] is channel:
                if unserved := channel.take_unserved():
                    successor = self._new(unserved, channel.place, channel.came_to, known[1])
                else:
                    del self._channels[channel.place]
        if successor is not None:
            self._serve(successor)

    def _forget(self, channel: SenderChannel) -> None:
        """Takes it out of the table."""
        with self._lock:
            known = self._channels.get(channel.place)
            if known is not None and known[0] is channel:
                del self._channels[channel.place]

    def _warn(self, kind: str, text: str) -> None:
        self._quiet.warn(kind, f"{self._address}: {text}", time.monotonic())
