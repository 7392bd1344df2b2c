"""UDP under asyncio: many datagrams for each wake-up of the event loop, and a bounded queue towards the system.

asyncio's own datagram transport takes one datagram for each turn of the loop. This one takes up to 64, and sends each
answer at once (docs/explanation/speed.md has the figures). It knows nothing of channels: who gets a datagram is a
callback. Rules:

- What comes and is not wanted at once is the caller's to bound; here nothing that was received is kept.
- What the system does not take now waits here, at most 256 datagrams; beyond it the newest is refused, and counted.
- Nothing ends the socket but `close`: errors of single datagrams are told and counted, and reading goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lanline.address import Address
from lanline.errors import BufferFull, ChannelClosed, DatagramTruncated, LanlineError, TextNotBytes
from lanline.translation import _
from lanline.transport.quiet import QuietLog
from lanline.transport.udp.readiness import Readiness
from lanline.transport.udp.udpsocket import UdpSocket
from lanline.transport.udp.undelivered import Place

_LOG: Final = logging.getLogger("lanline.transport")

_BATCH: Final = 64
"""Datagrams for one wake-up: enough to make the wake-up cheap, few enough that others have their turn in a
millisecond."""

MAX_UNSENT: Final = 256
"""Datagrams that wait for the system. It takes some hundred small ones itself before it says that it is full."""

_REST: Final = 0.002
"""Seconds to wait after ENOBUFS: the network card's queue is full, and `poll` does not tell when it is no more."""

Receive = Callable[[bytes, Place, bytes], None]
"""Takes one datagram: message, sender, and the address of this machine that was asked, as `send` takes it."""

Answer = Callable[[bytes, Address], bytes | None]
"""Answers one datagram at once, or not (None): message and sender in, answer out. It must not wait."""


@dataclass(slots=True)
class UdpStatistics:
    """Datagrams since the socket was opened."""

    received: int = 0
    """Handed on, or answered by the answering function."""

    sent: int = 0
    """Taken by the system."""

    truncated: int = 0
    """Came longer than allowed, and were not handed on."""

    undelivered: int = 0
    """Were refused by the peer's system, or found no way there, as far as anybody told."""

    unsent_dropped: int = 0
    """Found the queue towards the system full, and were not sent."""

    failed_answers: int = 0
    """Made the answering function raise."""


class UdpDriver:
    """One UDP socket under the running event loop.

    Args:
        port: the socket; owned by this object from now on.
        receive: takes each datagram; None where `answer` does.
        answer: answers each datagram at once, in place of `receive`; nothing is kept about senders.
        on_trouble: told of each DatagramTruncated, DatagramRefused and TransportError, and whose datagram it is about
            where that is known; the socket goes on.
    """

    def __init__(
        self,
        port: UdpSocket,
        *,
        receive: Receive | None = None,
        answer: Answer | None = None,
        on_trouble: Callable[[LanlineError, Place | None], None] | None = None,
    ) -> None:
        assert (receive is None) != (answer is None), "a datagram is received or answered, not both"
        self.port = port
        self.figures = UdpStatistics()
        self._loop = asyncio.get_running_loop()
        self._receive = receive
        self._answer = answer
        self._on_trouble = on_trouble
        self._quiet = QuietLog(_LOG)
        self._where = port.address  # for lines that are written when the socket is closed already
        self._unsent: deque[tuple[bytes, Place | None, bytes]] = deque()
        self._writers: list[asyncio.Future[None]] = []
        self._rest: asyncio.TimerHandle | None = None
        self._is_closed = False
        if answer is not None:
            on_readable = self._drain_answering_everywhere if port.is_everywhere else self._drain_answering
        else:
            on_readable = self._drain_everywhere if port.is_everywhere else self._drain
        self._readiness = Readiness(self._loop, port.fileno(), on_readable, self._flush)

    def __repr__(self) -> str:
        return f"<UdpDriver {self.port!r} unsent={len(self._unsent)}>"

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._is_closed

    def send(self, message: bytes, to: Place | None = None, came_to: bytes = b"") -> None:
        """Sends one datagram at once, or puts it into the queue.

        Args:
            message, to, came_to: as for `UdpSocket.send`.

        Raises:
            BufferFull: the queue holds 256 datagrams; nothing was sent. `wait_room` waits until it has room.
            ChannelClosed: this side has closed. Else as for `UdpSocket.send`.
        """
        if self._is_closed:
            raise ChannelClosed(_("this side has closed the socket already"))
        if not self._unsent:
            try:
                self.port.send(message, to, came_to)
            except BlockingIOError as error:
                self._wait_for_system(error)
            else:
                self.figures.sent += 1
                if self.port.undelivered:
                    self._tell_undelivered()
                return
        elif len(self._unsent) >= MAX_UNSENT:
            self.figures.unsent_dropped += 1
            raise BufferFull(
                _("{max_unsent} datagrams wait for this machine's network, the limit: one was not sent").format(
                    max_unsent=MAX_UNSENT
                )
            )
        else:
            given: object = message  # its type forbids text, and beginners send it all the same
            if isinstance(given, str):
                raise TextNotBytes
        # A copy of what can change; and TypeError now for what holds no bytes, not when its turn comes.
        self._unsent.append((bytes(memoryview(message)), to, came_to))

    @property
    def has_room(self) -> bool:
        """Whether `send` would take another datagram now."""
        return len(self._unsent) < MAX_UNSENT

    async def wait_room(self) -> None:
        """Waits until the system has taken half of a full queue, or the socket is closed."""
        while not self.has_room and not self._is_closed:
            await self._wait_flushed()

    def stop_receiving(self) -> None:
        """Takes nothing more: what comes is left to whoever shares the socket. What waits to be sent still is."""
        if not self._is_closed:
            self._readiness.stop_reading()

    async def close(self, *, drain: float = 0.0) -> None:
        """Gives the port back; what the system does not take within `drain` seconds is lost. A second call does
        nothing."""
        try:
            if drain > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(drain):
                        while self._unsent and not self._is_closed:
                            await self._wait_flushed()
        finally:
            self.abort()

    def abort(self) -> None:
        """Gives the port back at once."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._rest is not None:
            self._rest.cancel()
        self._readiness.close()
        self.port.close()
        self._unsent.clear()
        self._quiet.flush(self._loop.time())
        self._wake_writers()

    def warn(self, kind: str, text: str) -> None:
        """One line in the log, at most one a second of each kind."""
        self._quiet.warn(kind, f"{self._where}: {text}", self._loop.time())

    def pass_over(self, trouble: LanlineError) -> None:
        """The same for what became of a server's datagram, which nobody receives; a refused answer is no warning."""
        self._quiet.pass_over(trouble, str(self._where), self._loop.time())

    # -- reading -------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        receive_from, limit, receive = self.port.sock.recvfrom, self.port.max_datagram_bytes, self._receive
        assert receive is not None, "chosen where there is one"
        for count in range(_BATCH):
            try:
                message, sender = receive_from(limit + 1)
            except OSError as error:
                if self._overcome(error, count):
                    continue
                return
            if len(message) > limit:
                self._truncated(sender)
            else:
                self.figures.received += 1
                receive(message, sender, b"")
            if self._is_closed:
                return

    def _drain_everywhere(self) -> None:
        receive_message, way_back, receive = self.port.sock.recvmsg, self.port.way_back, self._receive
        assert receive is not None, "chosen where there is one"
        limit, control_bytes = self.port.max_datagram_bytes, self.port.control_bytes
        for count in range(_BATCH):
            try:
                message, control, _flags, sender = receive_message(limit + 1, control_bytes)
            except OSError as error:
                if self._overcome(error, count):
                    continue
                return
            if len(message) > limit:
                self._truncated(sender)
            else:
                self.figures.received += 1
                receive(message, sender, way_back(control))
            if self._is_closed:
                return

    def _drain_answering(self) -> None:
        """As `_drain`, with the answer written out in place of three calls, which cost a tenth of it."""
        sock, limit, figures, answer = self.port.sock, self.port.max_datagram_bytes, self.figures, self._answer
        assert answer is not None, "chosen where there is one"
        receive_from, send_to, known, address_of = sock.recvfrom, sock.sendto, self.port.addresses, self.port.address_of
        for count in range(_BATCH):
            try:
                message, sender = receive_from(limit + 1)
            except OSError as error:
                if self._overcome(error, count):
                    continue
                return
            if len(message) > limit:
                self._truncated(sender)
                continue
            figures.received += 1
            try:
                reply = answer(message, known.get(sender) or address_of(sender))
            except Exception as error:
                self._answer_failed(error)
                reply = None
            if self._is_closed:
                return
            if reply is None:
                continue
            try:
                if self._unsent:
                    self._send_reply(reply, sender, b"")
                else:
                    send_to(reply, sender)
                    figures.sent += 1
            except (OSError, TypeError):
                self._send_reply(reply, sender, b"")

    def _drain_answering_everywhere(self) -> None:
        """As `_drain_answering`, each answer from the address that was asked."""
        sock, limit, figures, answer = self.port.sock, self.port.max_datagram_bytes, self.figures, self._answer
        assert answer is not None, "chosen where there is one"
        receive_message, send_message, way_back = sock.recvmsg, sock.sendmsg, self.port.way_back
        known, ways, address_of = self.port.addresses, self.port.ways_back, self.port.address_of
        control_bytes, (level, kind) = self.port.control_bytes, self.port.pktinfo
        for count in range(_BATCH):
            try:
                message, control, _flags, sender = receive_message(limit + 1, control_bytes)
            except OSError as error:
                if self._overcome(error, count):
                    continue
                return
            if len(message) > limit:
                self._truncated(sender)
                continue
            figures.received += 1
            try:
                reply = answer(message, known.get(sender) or address_of(sender))
            except Exception as error:
                self._answer_failed(error)
                reply = None
            if self._is_closed:
                return
            if reply is None:
                continue
            came_to = (ways.get(control[0][2]) if control else None) or way_back(control)
            try:
                if self._unsent or not came_to:
                    self._send_reply(reply, sender, came_to)
                else:
                    send_message((reply,), ((level, kind, came_to),), 0, sender)
                    figures.sent += 1
            except (OSError, TypeError):
                self._send_reply(reply, sender, came_to)

    def _send_reply(self, reply: bytes, to: Place, came_to: bytes) -> None:
        try:
            self.send(reply, to, came_to)
        except BufferFull:
            self.warn("unsent", f"{MAX_UNSENT} answers wait for this machine's network: one was not sent")
        except LanlineError as error:
            self._tell(error, to)
        except TypeError as error:  # what the answering function gave is neither bytes nor None
            self._answer_failed(error)

    def _overcome(self, error: OSError, count: int) -> bool:
        """A receiving call failed. True when there may be more to read.

        An error on the first try of a wake-up, though it only says that nothing is there, means that something else
        woke the loop: an error in the queue beside the socket, which must be read, or the loop is woken for ever.
        """
        if self._is_closed or (count and isinstance(error, BlockingIOError)):
            return False
        if not self.port.note(error):
            return False
        self._tell_undelivered()
        return True

    def _truncated(self, sender: Place) -> None:
        self._tell(DatagramTruncated(self.port.max_datagram_bytes, str(self.port.address_of(sender))), sender)

    def _tell_undelivered(self) -> None:
        while self.port.undelivered:
            self._tell(*self.port.undelivered.popleft())

    def _tell(self, trouble: LanlineError, place: Place | None) -> None:
        if isinstance(trouble, DatagramTruncated):
            self.figures.truncated += 1
        else:
            self.figures.undelivered += 1
        if self._on_trouble is not None:
            self._on_trouble(trouble, place)
        else:
            self.pass_over(trouble)

    def _answer_failed(self, error: Exception) -> None:
        self.figures.failed_answers += 1
        _LOG.debug("an answering function failed", exc_info=error)
        self.warn("answer", f"no answer: {type(error).__name__}: {error}")

    # -- writing -------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        self._rest = None
        while self._unsent and not self._is_closed:
            try:
                self.port.send(*self._unsent[0])
            except BlockingIOError as error:
                self._wait_for_system(error)
                break
            except LanlineError as error:
                self._tell(error, self._unsent[0][1])
            else:
                self.figures.sent += 1
            self._unsent.popleft()
        if not self._unsent:
            self._readiness.wants_to_write = False
        if len(self._unsent) * 2 <= MAX_UNSENT:
            self._wake_writers()

    def _wait_for_system(self, error: BlockingIOError) -> None:
        is_card = error.errno == errno.ENOBUFS
        self._readiness.wants_to_write = not is_card
        if is_card and self._rest is None:
            self._rest = self._loop.call_later(_REST, self._flush)

    async def _wait_flushed(self) -> None:
        """Until at most half of a full queue is left, or the socket is closed."""
        writer: asyncio.Future[None] = self._loop.create_future()
        self._writers.append(writer)
        await writer

    def _wake_writers(self) -> None:
        writers, self._writers = self._writers, []
        for writer in writers:
            if not writer.done():
                writer.set_result(None)
