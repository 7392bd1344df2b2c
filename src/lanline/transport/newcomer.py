"""One accepted connection, from accept(2) until a protocol has it and has welcomed it.

It peeks at the first bytes, chooses the entrance, attaches the protocol, or says what the port is and closes.
It counts nothing (`ledger.py`) and accepts nothing (`accept.py`). States::

    PEEKING -> ATTACHING -> ATTACHED -> OVER
       |                                 ^
       +-> LEAVING (the sign is sent) ---+

Rules: nothing is consumed before an entrance is chosen, so the TLS engine sees the stream from its beginning;
whoever is dropped is reset (RST), which frees the kernel's memory at once; whoever is told something is
closed gently, because a reset would destroy the text on its way: unread bytes are drained first, as close(2)
on a socket with unread bytes sends RST (RFC 1122 section 4.2.2.13).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Protocol, cast

from lanline.transport.base import Arrival
from lanline.transport.entrance import Choice, Entrance, choose
from lanline.transport.ledger import Entry, Standing
from lanline.transport.tuning import tune

if TYPE_CHECKING:
    from lanline.limits import Limits

_PEEK_BYTES: Final = 64
_DRAIN_BYTES: Final = 64 * 1024
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER with 0 s


class Stage(Enum):
    """How far a newcomer has come."""

    PEEKING = auto()
    ATTACHING = auto()
    ATTACHED = auto()
    LEAVING = auto()
    OVER = auto()


class House(Protocol):
    """What a newcomer needs of the accept loop that made it."""

    loop: asyncio.AbstractEventLoop
    limits: Limits
    entrances: Sequence[Entrance]
    sign: bytes
    scheme: str

    def welcome(self, newcomer: Newcomer, member: str | None) -> bool:
        """The protocol knows the peer."""

    def forget(self, newcomer: Newcomer) -> None:
        """The connection is over."""

    def handshake_failed(self, newcomer: Newcomer, error: Exception) -> None:
        """TLS came to nothing."""

    def factory_failed(self, newcomer: Newcomer, error: Exception) -> None:
        """The protocol factory raised."""

    def turned_away(self, newcomer: Newcomer) -> None:
        """The first bytes belong to no open entrance."""

    def own(self, task: asyncio.Task[None]) -> None:
        """Takes the task over: awaits it at the end. Dropping the newcomer has cancelled it by then."""


class Newcomer(Entry):
    """A connection that is on its way in.

    Args:
        house: the accept loop.
        sock: non-blocking; owned by this object until a transport has it.
        peer_address, host, uid: as in `Arrival`.
        since: when it was accepted, in the loop's time.
    """

    __slots__ = (
        "stage",
        "peer_address",
        "uid",
        "_house",
        "_sock",
        "_handed_over",
        "_arrival",
        "_transport",
        "_task",
        "_drained_bytes",
    )

    def __init__(
        self, house: House, sock: socket.socket, peer_address: str, host: str, uid: int | None, since: float
    ) -> None:
        super().__init__(host or None, since)
        self.stage = Stage.PEEKING
        self.peer_address = peer_address
        self.uid = uid
        self._house = house
        self._sock: socket.socket | None = sock
        self._handed_over: socket.socket | None = None
        self._arrival: Arrival | None = None
        self._transport: asyncio.BaseTransport | None = None
        self._task: asyncio.Task[None] | None = None
        self._drained_bytes = 0

    @property
    def frees_at_once(self) -> bool:
        """Whether dropping it closes its descriptor there and then; a transport needs a turn of the loop."""
        return self.stage in (Stage.PEEKING, Stage.LEAVING)

    def has_spoken(self) -> bool:
        """See `Entry.has_spoken`: in a burst of accepts the loop has had no turn yet to report its bytes."""
        if self.spoke or self.stage is not Stage.PEEKING or self._sock is None:
            return self.spoke
        try:
            return bool(self._sock.recv(1, socket.MSG_PEEK))
        except OSError:
            return False  # nothing there, or it is gone

    def begin(self) -> None:
        """Starts on the way in. A lone entrance without prefix has nothing to choose: no byte is awaited."""
        assert self._sock is not None
        entrances = self._house.entrances
        if len(entrances) == 1 and not entrances[0].prefix:
            self.spoke = True
            if entrances[0].is_open():
                self._attach(entrances[0], b"")
            else:
                self._turn_away()
        else:
            self._house.loop.add_reader(self._sock.fileno(), self._peek)

    def drop(self) -> None:
        """Ends the connection now, without a word."""
        stage, self.stage = self.stage, Stage.OVER
        if stage in (Stage.PEEKING, Stage.LEAVING):
            self._close_socket(is_reset=True)
        elif stage is Stage.ATTACHING and self._task is not None:
            # Its end closes the socket (_attach_ended); it is not awaited here, the loop owns the task.
            if self._handed_over is not None and self._handed_over.fileno() >= 0:
                _reset_on_close(self._handed_over)
            self._task.cancel()
        elif stage is Stage.ATTACHED and self._transport is not None:
            _abort(self._transport)
        self._house.forget(self)

    def expire(self) -> None:
        """Its time is over. Somebody who sat at a silent port learns at least what the port is."""
        if self.stage is Stage.PEEKING and self._sock is not None:
            self._house.loop.remove_reader(self._sock.fileno())
            self._say_sign()
            self.stage = Stage.OVER
            self._close_socket(is_reset=False)
            self._house.forget(self)
        else:
            self.drop()

    # Keeper, for the Arrival

    def welcome(self, member: str | None) -> bool:
        """See `Arrival.welcomed`."""
        return self._house.welcome(self, member)

    def forget(self) -> None:
        """See `Arrival.gone`."""
        self.stage = Stage.OVER
        self._transport = None
        self._house.forget(self)

    # Choosing

    def _peek(self) -> None:
        assert self._sock is not None
        known = len(self._arrival.first) if self._arrival is not None else 0
        try:
            first = self._sock.recv(_PEEK_BYTES, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            first = b""  # reset before its first byte: the same as an end
        if not first:
            self.drop()
            return
        self.spoke = True
        choice = choose(self._house.entrances, first)
        if choice.is_undecided and len(first) > known:
            # Peeked bytes stay readable: without a low-water mark the loop would spin until more come.
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, len(first) + 1)
            self._arrival = self._make_arrival(first, self._house.scheme)
            return
        self._house.loop.remove_reader(self._sock.fileno())
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        self._follow(choice, first)

    def _follow(self, choice: Choice, first: bytes) -> None:
        if choice.entrance is not None:
            self._attach(choice.entrance, first)
        else:
            self._turn_away()

    def _make_arrival(self, first: bytes, scheme: str) -> Arrival:
        return Arrival(
            scheme=scheme,
            peer_address=self.peer_address.replace(self._house.scheme, scheme, 1),
            host=self.host or "",
            uid=self.uid,
            first=first,
            keeper=self,
        )

    # Attaching

    def _attach(self, entrance: Entrance, first: bytes) -> None:
        self.stage = Stage.ATTACHING
        self._arrival = self._make_arrival(first, "tls" if entrance.tls is not None else self._house.scheme)
        self.peer_address = self._arrival.peer_address
        if entrance.welcome_at_once and entrance.tls is None:
            # Before the next accept of this batch: a burst of clients must not count as strangers to each other.
            self._arrival.welcomed(None)
        self._task = self._house.loop.create_task(self._attached(entrance, self._arrival))
        self._task.add_done_callback(self._attach_ended)
        self._house.own(self._task)

    def _attach_ended(self, _task: asyncio.Task[None]) -> None:
        """Closes what no transport took: the factory failed, or the task was cancelled before its first step."""
        self._task = self._handed_over = None
        self._close_socket(is_reset=False)

    async def _attached(self, entrance: Entrance, arrival: Arrival) -> None:
        assert self._sock is not None
        sock = self._sock
        factory_error: list[Exception] = []

        def make() -> asyncio.BaseProtocol:
            try:
                protocol = entrance.factory(arrival)
            except Exception as error:
                factory_error.append(error)
                raise
            # The loop makes its transport next, which owns the socket from then on and closes it whatever happens.
            # Closing it here as well would give its descriptor to the next connection while the transport still
            # reads from it.
            self._sock, self._handed_over = None, sock
            return protocol

        try:
            tune(sock)
            transport = await self._connect_accepted(sock, entrance, make)
        except Exception as error:
            # connect_accepted_socket lets through whatever the factory raises, besides OSError and ssl's
            # errors.
            self._report(entrance, factory_error[0] if factory_error else None, error)
            self.forget()
            return
        if self.standing is Standing.GONE:
            return  # the protocol has seen its end already
        self.stage, self._transport, self._arrival = Stage.ATTACHED, transport, None
        if entrance.welcome_at_once:
            arrival.welcomed(None)

    async def _connect_accepted(
        self, sock: socket.socket, entrance: Entrance, make: Callable[[], asyncio.BaseProtocol]
    ) -> asyncio.BaseTransport:
        limits, is_tls = self._house.limits, entrance.tls is not None
        transport, _ = await self._house.loop.connect_accepted_socket(
            make,
            sock,
            ssl=entrance.tls,
            ssl_handshake_timeout=limits.handshake if is_tls else None,
            # One that is dropped in the very turn its handshake is done is closed politely; not for half a minute.
            ssl_shutdown_timeout=limits.drain if is_tls else None,
        )
        return transport

    def _report(self, entrance: Entrance, factory_error: Exception | None, error: Exception) -> None:
        if factory_error is not None:
            self._house.factory_failed(self, factory_error)
        elif entrance.tls is not None:
            self._house.handshake_failed(self, error)
        elif not isinstance(error, OSError):
            raise error

    # Turning away

    def _turn_away(self) -> None:
        assert self._sock is not None
        self.stage = Stage.LEAVING
        self._house.turned_away(self)
        self._say_sign()
        self._house.loop.add_reader(self._sock.fileno(), self._drain)

    def _say_sign(self) -> None:
        assert self._sock is not None
        try:
            if self._house.sign:
                self._sock.send(self._house.sign)  # one short line into an empty buffer: always whole
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            return  # it left before it could be told

    def _drain(self) -> None:
        assert self._sock is not None
        try:
            chunk = self._sock.recv(_DRAIN_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            chunk = b""
        self._drained_bytes += len(chunk)
        if not chunk or self._drained_bytes > _DRAIN_BYTES:
            self.stage = Stage.OVER
            self._close_socket(is_reset=False)
            self._house.forget(self)

    def _close_socket(self, *, is_reset: bool) -> None:
        sock, self._sock = self._sock, None
        if sock is None or sock.fileno() < 0:
            return
        self._house.loop.remove_reader(sock.fileno())
        if is_reset:
            _reset_on_close(sock)
        sock.close()


def _abort(transport: asyncio.BaseTransport) -> None:
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return  # over already; asyncio's abort fails on a transport that was closed while it had a buffer
    _reset_on_close(sock)
    # Not isinstance: uvloop's TLS transport is no subclass of asyncio's.
    cast(asyncio.WriteTransport, transport).abort()


def _reset_on_close(sock: socket.socket) -> None:
    if sock.family == socket.AF_UNIX:
        return
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    except OSError:
        return  # closed already: nothing left to reset
