"""A channel without an event loop: what plain `def` handlers see, whatever carries the messages.

Here stands what all of them share: the queue of received messages, its one receiver, how a channel ended, its figures.
What is on the wire is the matter of `blocking/stream.py` and `blocking/datagrams.py`.

Threads: one receives, any number send, and any may close or abort: whoever waits then wakes up with ChannelClosed.
Nothing happens in between calls. Messages that have come are received before the error that ended the channel.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from lanline.errors import (
    ChannelBroken,
    ChannelClosed,
    ChannelEnded,
    ChannelError,
    LanlineError,
)
from lanline.link.blocking.turns import Turns
from lanline.link.figures import ChannelStatistics
from lanline.translation import _


class Channel(ABC):
    """Messages to and from one peer.

    Made by `blocking.connect` and `blocking.serve`, never by hand. One thread receives, any number of threads send.
    """

    def __init__(self, peer_address: str) -> None:
        self._peer_address = peer_address
        self._messages: deque[bytes] = deque()
        self._turns = Turns(self._close_descriptor)
        self._ended_by: LanlineError | None = None
        self._broken_by: ChannelBroken | None = None
        self._closed_here = False
        self._is_shut = False
        self._sent_messages = 0
        self._sent_bytes = 0
        self._received_messages = 0
        self._received_bytes = 0

    def __repr__(self) -> str:
        state = "closed" if self._closed_here else "ended" if self._ended_by else "open"
        return f"<{type(self).__name__} {self._kind} {self.peer_address} {state}>"

    # -- sending -------------------------------------------------------------------------------------------

    @abstractmethod
    def send(self, message: bytes, *, timeout: float | None = None) -> None:
        """Sends one message; waits while the peer is slow.

        Args:
            message: bytes; text is encoded first, `text.encode()`.
            timeout: seconds to wait; None to wait for ever.

        Raises:
            ShortSend: the time was over in the middle of the message. The rest of it is kept and goes first with
                whatever is done next, `flush` for one: do not send the message again.
            TimeoutError: the time was over, and nothing of the message was sent or kept.
            ChannelClosed: this side has closed, or ended its half. ChannelEnded: the peer has closed its side and the
                connection with it.
            PipeBroken: the peer had closed already when something was sent to it before.
            ChannelBroken: the connection broke otherwise: ChannelReset, PeerSilent.
            DatagramRefused: nobody listens at the peer's port. The channel can still be used.
            UsageError: this message cannot be carried; MessageTooLarge: it is over the limit.
            TextNotBytes: it is text.
        """

    @abstractmethod
    def send_now(self, message: bytes) -> None:
        """Sends one message, without ever waiting.

        Raises:
            BufferFull: the peer takes nothing now; nothing of this message was sent.
            ChannelClosed, ChannelEnded, ChannelBroken, DatagramRefused, UsageError, TextNotBytes: as in `send`.
        """

    def flush(self, *, timeout: float | None = None) -> None:  # noqa: B027  # datagrams leave nothing over
        """Sends what an interrupted `send` has left over; nothing where there is nothing.

        Args:
            timeout: seconds to wait; None to wait for ever.

        Raises:
            ShortSend: there is still something left. ChannelClosed, ChannelBroken: as in `send`.
        """

    # -- receiving -----------------------------------------------------------------------------------------

    def receive(self, *, timeout: float | None = None) -> bytes:
        """The next message.

        Args:
            timeout: seconds to wait for it, 0 to look only; None to wait for ever.

        Raises:
            TimeoutError: it did not come in time; nothing is lost, a later call gets it.
            ChannelEnded: the peer has closed; every message it sent was received.
            ChannelBroken: the connection broke: ChannelReset, PipeBroken, PeerSilent.
            EndedInMessage: the stream ended in the middle of a message.
            RemoteProtocolError: the peer does not keep to the framing.
            DatagramRefused: nobody listens at the peer's port. The channel can still be used.
            ChannelClosed: this side has closed, in this thread or in another.
            LocalProtocolError: another thread is receiving already.
        """
        self._turns.begin_receiving("channel")
        try:
            if not self._messages:
                deadline = None if timeout is None else time.monotonic() + timeout
                while not self._messages:
                    self._check_receiving()
                    if not self._read_some(deadline):
                        text = _("no message came from {peer} within {timeout:g} s")
                        raise TimeoutError(text.format(peer=self.peer_address, timeout=timeout))
            return self._messages.popleft()
        finally:
            self._turns.end_receiving()

    def __iter__(self) -> Iterator[bytes]:
        """Messages until the peer closes, or this side does. Errors are raised as by `receive`, but for those that tell
        of single datagrams, which are passed over."""
        while True:
            try:
                yield self.receive()
            except (ChannelEnded, ChannelClosed):
                return

    # -- ending --------------------------------------------------------------------------------------------

    @abstractmethod
    def end(self) -> None:
        """Sends nothing more, but goes on receiving (half-close). Where there is no half-close, as over TLS and with
        datagrams, it closes.

        Raises:
            ShortSend: what was left unsent was not taken within `limits.drain` seconds. ChannelBroken: as in `send`.
        """

    @abstractmethod
    def close(self) -> None:
        """Closes, once what was sent has been taken by the system. A peer that takes none of it for `limits.drain`
        seconds is cut off. A second time does nothing."""

    @abstractmethod
    def abort(self) -> None:
        """Closes at once; what has not been sent is lost."""

    @property
    def is_gone(self) -> bool:
        """Whether the connection is over, as far as this side has noticed: it looks only while it sends or receives."""
        return self._closed_here or self._is_shut

    def __enter__(self) -> Self:
        """Leaving the block closes the channel."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the channel."""
        self.close()

    # -- facts ---------------------------------------------------------------------------------------------

    @property
    def peer_address(self) -> str:
        """Who is at the other end, as text; hostile where it is a name."""
        return self._peer_address

    @property
    @abstractmethod
    def local_address(self) -> str:
        """This side's own end, as text."""

    @property
    def ended_by(self) -> LanlineError | None:
        """What ended the receiving side; None while it is open. ChannelEnded: the peer closed. ChannelClosed: this
        side did."""
        return self._ended_by

    @abstractmethod
    def fileno(self) -> int:
        """The descriptor, for `select` and `poll`; -1 once closed, and for channels that have none of their own.

        Readable means that `receive(timeout=0)` is worth a try. Messages that came together with an earlier one are
        received without the descriptor telling of them.
        """

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

    @abstractmethod
    def _read_some(self, deadline: float | None) -> bool:
        """Waits once, and puts what came into the queue, or ends the receiving side. False: the time was over."""

    @abstractmethod
    def _close_descriptor(self) -> None:
        """Nobody is inside any more: closes."""

    def _take_turn(self, deadline: float | None) -> None:
        """This thread's turn to send; `_turns.end_sending` gives it back. Raises TimeoutError when it has not come in
        time."""
        if not self._turns.begin_sending(None if deadline is None else deadline - time.monotonic()):
            text = _("another thread was sending to {peer} all the time")
            raise TimeoutError(text.format(peer=self.peer_address))

    @contextmanager
    def _turn_to_send(self, deadline: float | None) -> Iterator[None]:
        """The same around a block, where the microsecond that this costs does not count."""
        self._take_turn(deadline)
        try:
            yield
        finally:
            self._turns.end_sending()

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

    def _close_here(self) -> None:
        """This side closes: no call begins any more."""
        self._closed_here = True
        self._end_receiving(ChannelClosed(_("this side has closed the channel already")))

    def _cannot_send(self) -> ChannelError:
        """Why nothing can be sent any more."""
        if self._closed_here:
            return ChannelClosed(_("this side has closed the channel already"))
        if self._broken_by is not None:
            return self._broken_by
        if isinstance(self._ended_by, ChannelError):
            return self._ended_by
        return ChannelBroken(
            _("the connection is over: {ended_by}").format(ended_by=self._ended_by or _("it was cut off"))
        )
