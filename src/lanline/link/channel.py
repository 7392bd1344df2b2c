"""A channel: a two-way flow of messages with one peer, whatever carries them. What handlers see.

Here stands what all channels share: the queue of received messages, its one receiver, how a channel ended, and its
figures. What a message is on the wire, and how it gets there, is the matter of `streamchannel.py` (a framing over a
stream of bytes) and `datagrams/channel.py` (one datagram is one message).

Two rules. Messages that have come are received before the error that ended the channel. Nothing waits in the queue
without a bound: whoever fills it sets `_is_full` when it has stopped its source, and is told of each message taken
until it clears that again.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

from lanline.errors import (
    ChannelBroken,
    ChannelClosed,
    ChannelEnded,
    ChannelError,
    DatagramRefused,
    LanlineError,
    LocalProtocolError,
)
from lanline.link.figures import ChannelStatistics
from lanline.translation import _


class Channel(ABC):
    """Messages to and from one peer.

    Made by `connect` and `serve`, never by hand. Used by one task for receiving and any number for sending.
    """

    __slots__ = (
        "__weakref__",
        "_loop",
        "_messages",
        "_is_full",
        "_receiver",
        "_ended_by",
        "_closed_here",
        "_gone",
        "_is_gone",
        "_farewells",
        "_peer_address",
        "_sent_messages",
        "_sent_bytes",
        "_received_messages",
        "_received_bytes",
    )

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        # The newest first, so that the oldest is popped off the end. A deque would take 600 bytes for being empty, and
        # this takes none while somebody waits for more.
        self._messages: list[bytes] | tuple[()] = ()
        self._is_full = False
        self._receiver: asyncio.Future[None] | None = None
        self._ended_by: LanlineError | None = None
        self._closed_here = False
        self._gone: asyncio.Future[None] | None = None
        self._is_gone = False
        self._farewells: tuple[Callable[[Channel], None], ...] = ()
        self._peer_address = ""
        self._sent_messages = 0
        self._sent_bytes = 0
        self._received_messages = 0
        self._received_bytes = 0

    def __repr__(self) -> str:
        state = "closed" if self._closed_here else "ended" if self._ended_by else "open"
        return f"<{type(self).__name__} {self._kind} {self.peer_address} {state}>"

    # -- sending -------------------------------------------------------------------------------------------

    @abstractmethod
    async def send(self, message: bytes) -> None:
        """Sends one message; waits while the peer is slow. Cancelled meanwhile, it may have been sent all the same.

        Raises:
            ChannelClosed: this side has closed, or ended its half.
            ChannelEnded: the peer has closed its side and the connection with it.
            PipeBroken: the peer had closed already when something was sent to it before.
            ChannelBroken: the connection broke otherwise: ChannelReset, PeerSilent.
            DatagramRefused: nobody listens at the peer's port. The channel can still be used.
            UsageError: this message cannot be carried; MessageTooLarge: it is over the limit.
            TextNotBytes: it is text: write `text.encode()`.
        """

    @abstractmethod
    def send_now(self, message: bytes) -> None:
        """Sends one message, without ever waiting.

        Raises:
            BufferFull: the peer takes nothing now; nothing of this message was sent.
            ChannelClosed, ChannelEnded, ChannelBroken, DatagramRefused, UsageError, TextNotBytes: as in `send`.
        """

    # -- receiving -----------------------------------------------------------------------------------------

    async def receive(self) -> bytes:
        """The next message.

        Raises:
            ChannelEnded: the peer has closed; every message it sent was received.
            ChannelBroken: the connection broke: ChannelReset, PipeBroken, PeerSilent.
            EndedInMessage: the stream ended in the middle of a message.
            RemoteProtocolError: the peer does not keep to the framing.
            DatagramRefused: nobody listens at the peer's port. The channel can still be used.
            ChannelClosed: this side has closed.
            LocalProtocolError: another task is receiving already.
        """
        while not self._messages:
            self._check_receiving()
            await self._wait_for_more()
        return self._pop()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Messages until the peer closes, or this side does. Errors are raised as by `receive`, but for
        DatagramRefused, which is passed over."""
        while True:
            messages = self._messages
            while messages:
                yield self._pop() if self._is_full else messages.pop()
            if self._messages:
                continue  # they came while the last one was being handled
            messages = ()  # what waits here for the next message keeps nothing of the last ones
            try:
                self._check_receiving()
            except (ChannelEnded, ChannelClosed):
                return
            except DatagramRefused:
                continue
            # As `_wait_for_more`: a coroutine of its own would cost 300 bytes for each handler that waits.
            receiver = self._expect_more()
            try:
                await receiver
            finally:
                self._receiver = None

    # -- ending --------------------------------------------------------------------------------------------

    @abstractmethod
    def end(self) -> None:
        """Sends nothing more, but goes on receiving (half-close). Where there is no half-close, as over TLS and with
        datagrams, it closes."""

    @abstractmethod
    async def close(self) -> None:
        """Closes, once what was sent has been taken by the system. A peer that takes none of it for `limits.drain`
        seconds is cut off; so is every peer when this is cancelled."""

    @abstractmethod
    def abort(self) -> None:
        """Closes at once; what has not been sent is lost."""

    @property
    def is_gone(self) -> bool:
        """Whether the connection is over."""
        return self._is_gone

    async def wait_gone(self) -> None:
        """Waits until the connection is over."""
        if self._is_gone:
            return
        if self._gone is None:
            self._gone = self._loop.create_future()
        await asyncio.shield(self._gone)

    def when_gone(self, call: Callable[[Channel], None]) -> None:
        """Has this called with the channel when the connection is over: once, however often it was asked for. It must
        not raise, and is not called where the connection is over already."""
        if call not in self._farewells:
            self._farewells = (*self._farewells, call)

    async def __aenter__(self) -> Self:
        """Leaving the block closes the channel."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the channel."""
        await self.close()

    # -- facts ---------------------------------------------------------------------------------------------

    @property
    def peer_address(self) -> str:
        """Who is at the other end, as text; hostile where it is a name."""
        return self._peer_address

    @property
    @abstractmethod
    def local_address(self) -> str:
        """This side's own end, as text; empty where the system no longer knows it."""

    @property
    def ended_by(self) -> LanlineError | None:
        """What ended the receiving side; None while it is open. ChannelEnded: the peer closed. ChannelClosed: this
        side did."""
        return self._ended_by

    def statistics(self) -> ChannelStatistics:
        """Figures since the channel began."""
        return ChannelStatistics(
            self._sent_messages,
            self._sent_bytes,
            self._received_messages,
            self._received_bytes,
            len(self._messages),
        )

    # -- for whoever carries the messages ------------------------------------------------------------------

    @property
    @abstractmethod
    def _kind(self) -> str:
        """One word for `repr`."""

    def _deliver(self, messages: list[bytes]) -> None:
        """Puts messages into the queue, the oldest first in the list, which belongs to the channel from now on."""
        self._received_messages += len(messages)
        messages.reverse()
        if self._messages:
            self._messages[:0] = messages
        else:
            self._messages = messages
        self._wake_receiver()

    def _pop(self) -> bytes:
        """Takes the oldest message."""
        assert self._messages, "asked only where messages wait"
        message = self._messages.pop()
        if self._is_full:
            self._taken(message)
        return message

    def _taken(self, message: bytes) -> None:  # noqa: B027  # whoever never sets `_is_full` needs none
        """A message was taken while `_is_full`: the source may have to be started again."""

    def _check_receiving(self) -> None:
        """Raises what ended the receiving side, if it has ended. Asked when no message waits."""
        if self._closed_here:
            raise ChannelClosed(_("this side has closed the channel already"))
        if self._ended_by is not None:
            raise self._ended_by.with_traceback(None)

    def _end_receiving(self, error: LanlineError) -> None:
        """Nothing more will come. What is said first counts."""
        if self._ended_by is None:
            self._ended_by = error
        self._wake_receiver()

    def _close_here(self) -> None:
        """This side closes: whoever waits here is told."""
        self._closed_here = True
        self._end_receiving(ChannelClosed(_("this side has closed the channel already")))

    def _be_gone(self) -> None:
        """The connection is over."""
        self._is_gone = True
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        self._wake_receiver()
        calls, self._farewells = self._farewells, ()
        for call in calls:
            call(self)

    def _cannot_send(self) -> ChannelError:
        """Why nothing can be sent any more."""
        if self._closed_here:
            return ChannelClosed(_("this side has closed the channel already"))
        if isinstance(self._ended_by, ChannelError):
            return self._ended_by
        return ChannelBroken(
            _("the connection is over: {ended_by}").format(ended_by=self._ended_by or _("it was cut off"))
        )

    async def _wait_for_more(self) -> None:
        """Waits for the next message, or for the end."""
        receiver = self._expect_more()
        try:
            await receiver
        finally:
            self._receiver = None

    def _expect_more(self) -> asyncio.Future[None]:
        """What to wait for; whoever waits sets `_receiver` back to None."""
        if self._receiver is not None:
            raise LocalProtocolError("two tasks receive from one channel")
        self._messages = ()
        self._receiver = receiver = self._loop.create_future()
        return receiver

    def _wake_receiver(self) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)
