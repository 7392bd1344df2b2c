"""The serving side of UDP without an event loop: one thread reads the socket and hands each sender its datagrams.

The rules are those of `datagrams/listener.py`, its twin under asyncio, and so is the table of senders
(`datagrams/sendertable.py`). Handlers run in threads of their own; the table is guarded by one lock, as they leave it
by themselves. Nobody calls a handler while holding that lock.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from lanline.address import Address
from lanline.errors import ChannelClosed, DatagramTruncated, LanlineError
from lanline.limits import Limits
from lanline.link.blocking.datagrams import SenderChannel
from lanline.link.blocking.handlers import Answer
from lanline.link.datagrams.sendertable import SenderTable
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
        self._lock = Lock()
        self._table = SenderTable(self._make, self._warn, limits)
        self._quiet = QuietLog(_LOG)
        self._waker = Waker()
        self._waker.watch(port.sock)

    @property
    def address(self) -> Address:
        """Where it is bound, with the real port."""
        return self._address

    @property
    def accepted(self) -> int:
        """Channels begun."""
        return self._table.accepted

    @property
    def refused(self) -> int:
        """Datagrams dropped because too much waited, and senders too many."""
        return self._table.refused

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
            self._table.end_all("the server is stopping")

    def release(self) -> None:
        """Gives the port back. Once `run` has ended, and the handlers have, or never began."""
        with self._lock:
            unfinished = self._table.unfinished
        for channel in unfinished:
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
        with self._lock:  # while it is held, nobody leaves: what a channel is given here, it or its successor serves
            channel = self._table.heard(received.message, received.sender, received.came_to, time.monotonic())
        if channel is not None:
            self._serve(channel)

    def _make(self, sender: Place, came_to: bytes) -> SenderChannel:
        return SenderChannel(self._port, self._port.address_of(sender), sender, came_to, self._gone)

    def _serve(self, channel: SenderChannel) -> None:
        """Has a handler called for it; not while the lock is held."""
        if not self._begin(channel):
            with self._lock:
                self._table.refuse(channel)
            channel.abort()

    def _fell_short(self, trouble: LanlineError, place: Place | None) -> None:
        with self._lock:
            known = self._table.find(place)
            if known is None and isinstance(trouble, DatagramTruncated):
                known = next((one for one in self._table if one.peer_address == trouble.sender), None)
        if known is not None:
            known.fell_short(trouble)
        else:
            self._quiet.pass_over(trouble, str(self._address), time.monotonic())

    # -- the end of a channel ------------------------------------------------------------------------------

    def _forget_the_silent(self) -> float | None:
        """Seconds until the next sender will have been silent for too long; None: nobody."""
        now = time.monotonic()
        with self._lock:
            next_at = self._table.forget_the_silent(now)
        return None if next_at is None else next_at - now

    def _gone(self, channel: SenderChannel) -> None:
        """A channel was closed by its handler. What came for it and was not received begins the next one."""
        with self._lock:
            successor = self._table.gone(channel)
        if successor is not None:
            self._serve(successor)

    def _warn(self, kind: str, text: str) -> None:
        self._quiet.warn(kind, f"{self._address}: {text}", time.monotonic())
