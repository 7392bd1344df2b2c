"""Channels without an event loop over a stream of bytes: TCP, TLS and Unix sockets.

A stream does not say where one message ends; the framing does. What `blocking/channel.py` promises about threads is
kept here by two locks: one for whoever receives, one for whoever sends. Rule: what a message left unsent when its time
was over goes first, before anything that is sent later, and also while this side only receives.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from lanline.errors import (
    BufferFull,
    ChannelClosed,
    ChannelEnded,
    ChannelError,
    RemoteProtocolError,
    ShortSend,
)
from lanline.link.blocking.channel import Channel
from lanline.translation import _
from lanline.transport.failures import translate_loss
from lanline.transport.peernames import local_text
from lanline.transport.wire import Wire, wait

if TYPE_CHECKING:
    from lanline.framing.base import Framing
    from lanline.limits import Limits

_NOTHING: Final = memoryview(b"")

_DISCARDS: Final = 64
"""Reads for a peer that goes on talking while this side closes: 4 MiB, about what the kernel keeps for it."""


class StreamChannel(Channel):
    """A channel over one connection.

    Args:
        wire: connected, its handshake done; owned by this object from now on.
        framing: how messages lie in the stream.
        peer_address: for people.
        limits: `drain` is used here.
    """

    def __init__(self, wire: Wire, framing: Framing, peer_address: str, limits: Limits) -> None:
        super().__init__(peer_address)
        self._wire = wire
        self._framing = framing
        self._decoder = framing.decoder()
        self._limits = limits
        self._unsent = _NOTHING
        self._unsent_of = 0
        self._ended_here = False
        self._local_address = local_text(wire.sock, is_tls=wire.is_tls)

    # -- sending -------------------------------------------------------------------------------------------

    def send(self, message: bytes, *, timeout: float | None = None) -> None:
        """See `Channel.send`."""
        data = self._framing.encode(message)
        deadline = None if timeout is None else time.monotonic() + timeout
        self._take_turn(deadline)
        try:
            self._check_sending()
            if not self._push(deadline):
                raise self._none_taken(timeout)
            self._begin(data)
            if not self._push(deadline):
                if len(self._unsent) < len(data):
                    raise self._short_send()
                self._forget()
                raise self._none_taken(timeout)
        finally:
            self._turns.end_sending()

    def send_now(self, message: bytes) -> None:
        """See `Channel.send_now`."""
        data = self._framing.encode(message)
        if not self._turns.begin_sending(0.0):
            raise BufferFull(
                _("another thread is sending to {peer_address} and waits until it takes more").format(
                    peer_address=self.peer_address
                )
            )
        try:
            self._check_sending()
            if self._push(0.0):
                self._begin(data)
                if self._push(0.0) or len(self._unsent) < len(data):
                    return  # the rest of a message once begun goes out with whatever is done next
                self._forget()
            raise BufferFull(
                _("{peer_address} takes nothing now: {count} bytes were not sent").format(
                    peer_address=self.peer_address, count=len(data)
                )
            )
        finally:
            self._turns.end_sending()

    def flush(self, *, timeout: float | None = None) -> None:
        """See `Channel.flush`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._turn_to_send(deadline):
            if self._unsent_bytes:
                self._check_sending()
                if not self._push(deadline):
                    raise self._short_send()

    # -- ending --------------------------------------------------------------------------------------------

    def end(self) -> None:
        """See `Channel.end`. What was left unsent goes out first, within `limits.drain` seconds."""
        if not self._wire.can_half_close:
            self.close()
            return
        with self._turn_to_send(None):
            if self._is_shut or self._ended_here:
                return
            if not self._push(time.monotonic() + self._limits.drain):
                raise self._short_send()
            self._ended_here = True
            self._wire.end()

    def close(self) -> None:
        """See `Channel.close`. A message that another thread is sending has the same time to get out."""
        if self._closed_here:
            return
        deadline = time.monotonic() + self._limits.drain
        self._close_here()
        self._wire.shut_receiving()
        if self._turns.begin_sending(self._limits.drain):
            try:
                self._push(deadline)
                self._wire.end()
                self._discard()
            except ChannelError:
                self._is_shut = True  # nobody is there to take the rest, or another thread aborts meanwhile
            finally:
                self._turns.end_sending()
        self.abort()

    def abort(self) -> None:
        """See `Channel.abort`."""
        self._is_shut = True
        self._close_here()
        self._wire.shut()
        self._turns.finish()

    # -- facts ---------------------------------------------------------------------------------------------

    @property
    def local_address(self) -> str:
        """See `Channel.local_address`."""
        return self._local_address

    @property
    def is_gone(self) -> bool:
        """See `Channel.is_gone`."""
        return super().is_gone or (self._ended_here and self._ended_by is not None)

    def fileno(self) -> int:
        """See `Channel.fileno`."""
        return -1 if self._closed_here else self._wire.fileno()

    # -- private pieces ------------------------------------------------------------------------------------

    @property
    def _kind(self) -> str:
        return self._framing.name

    @property
    def _unsent_bytes(self) -> int:
        return len(self._unsent) + self._wire.unsent_bytes

    def _check_sending(self) -> None:
        if self._is_shut or self._closed_here or self._ended_here:
            raise self._cannot_send()

    def _begin(self, data: bytes) -> None:
        self._unsent, self._unsent_of = memoryview(data), len(data)
        self._sent_messages += 1

    def _forget(self) -> None:
        self._unsent = _NOTHING
        self._sent_messages -= 1

    def _short_send(self) -> ShortSend:
        return ShortSend(max(0, self._unsent_of - self._unsent_bytes), self._unsent_of)

    def _push(self, deadline: float | None) -> bool:
        """Sends what is due. False: the time was over before all of it was taken. Whoever calls it holds the turn."""
        while True:
            try:
                is_sent = self._push_now()
            except OSError as error:
                raise self._lost(error) from error
            if is_sent:
                return True
            if not wait(self._wire, deadline, to_send=True):
                return False
            if self._is_shut:
                raise self._cannot_send()

    def _push_now(self) -> bool:
        while self._unsent:
            sent = self._wire.send_now(self._unsent)
            self._unsent = self._unsent[sent:]
            self._sent_bytes += sent
            if not sent:
                return False
        return self._wire.flush_now()

    def _close_descriptor(self) -> None:
        self._wire.close()

    def _read_some(self, deadline: float | None) -> bool:
        is_in_time = wait(self._wire, deadline, to_receive=True, to_send=self._unsent_bytes > 0)
        if self._unsent_bytes:
            self._push_along()
        try:
            chunk = self._wire.receive_now()
        except OSError as error:
            self._end_receiving(self._lost(error))
            return True
        if self._closed_here or chunk is None:
            return is_in_time
        if chunk:
            self._take(chunk)
        else:
            self._stream_ended()
        return True

    def _discard(self) -> None:
        """Takes what came and nobody wants out of the kernel: closing over it would make it a reset for the peer, in
        place of the end, and might cost it the last words of this side (RFC 1122 section 4.2.2.13)."""
        try:
            for _ in range(_DISCARDS):
                if not self._wire.receive_now():
                    return
        except OSError:
            return  # broken already: there is no end to be spoilt

    def _push_along(self) -> None:
        """While this side receives: the rest of a message goes out, unless another thread sees to it."""
        if self._turns.begin_sending(0.0):
            try:
                self._push_now()
            except OSError as error:
                self._lost(error)
            finally:
                self._turns.end_sending()

    def _take(self, chunk: bytes) -> None:
        self._received_bytes += len(chunk)
        try:
            messages = self._decoder.receive_data(chunk)
        except RemoteProtocolError as error:
            self._break(error)
            return
        self._received_messages += len(messages)
        self._messages.extend(messages)
        if self._decoder.error is not None:
            self._break(self._decoder.error)

    def _break(self, error: RemoteProtocolError) -> None:
        self._is_shut = True
        self._end_receiving(error)
        self._wire.shut()

    def _stream_ended(self) -> None:
        if self._broken_by is not None:
            self._end_receiving(self._broken_by)
            return
        if not self._wire.can_half_close:
            self._is_shut = True
        try:
            messages = self._decoder.receive_eof()
        except RemoteProtocolError as error:
            self._end_receiving(error)
        else:
            self._received_messages += len(messages)
            self._messages.extend(messages)
            self._end_receiving(ChannelEnded(_("the peer has closed the channel")))

    def _none_taken(self, timeout: float | None) -> TimeoutError:
        text = _("{peer} took none of this message within {timeout:g} s")
        return TimeoutError(text.format(peer=self.peer_address, timeout=timeout))

    def _lost(self, error: OSError) -> ChannelError:
        """The connection broke: for this call, and for those to come."""
        if self._closed_here:
            return self._cannot_send()
        self._is_shut = True
        self._unsent = _NOTHING
        if self._broken_by is None:
            self._broken_by = translate_loss(self.peer_address, error)
        return self._broken_by

    def _cannot_send(self) -> ChannelError:
        if self._ended_here and not self._closed_here:
            return ChannelClosed(_("this side has ended its half of the channel already"))
        return super()._cannot_send()
