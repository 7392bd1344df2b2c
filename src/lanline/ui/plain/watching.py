"""Who comes, what is said, who goes and why: a face as it is, with somebody who looks on.

It changes nothing that a handler or a client can notice but one thing: beyond the most clients that are wanted,
newcomers are closed at once. What is seen is told as events, plain dicts that JSON can carry (`report.py` shows them).

Rules: a channel is wrapped only where its messages are to be shown; a handler's mistake ends its own client only.
"""

from __future__ import annotations

import asyncio
import base64
import time
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from lanline.errors import ChannelClosed, ChannelEnded, ChannelError, LanlineError, RemoteProtocolError, TextNotBytes
from lanline.link.channel import Channel
from lanline.link.figures import ChannelStatistics
from lanline.link.handlers import Handler
from lanline.translation import _
from lanline.transport.udp.undelivered import MAX_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES_IPV6
from lanline.ui.plain.handlerfile import line_of

if TYPE_CHECKING:
    from lanline.address import Address
    from lanline.ui.plain.headcount import Headcount

Event = dict[str, Any]
_Key = tuple[str, int]
Tell = Callable[[Event], None]

SHOWN_BYTES: Final = 500
"""Of a message, in an event: enough to recognise it."""


class Watch:
    """Looks on while handlers serve.

    Args:
        tell: is told each event.
        headcount: how many clients there may be, and are.
        folder: of the handler's own code, for the line a mistake is in; empty for none.
        is_verbose: whether messages are told, and tracebacks.
    """

    def __init__(self, tell: Tell, headcount: Headcount, *, folder: str = "", is_verbose: bool = False) -> None:
        self._tell = tell
        self._headcount = headcount
        self._folder = folder
        self._is_verbose = is_verbose

    def watched(self, handler: Handler) -> Callable[[Channel], Coroutine[Any, Any, None]]:
        """The same handler, looked at. A text that it returns says why it ended the client."""

        async def handle(channel: Channel) -> None:
            client = channel.peer_address
            if not self._headcount.enter():
                self._tell({"event": "refused", "client": client, "limit": self._headcount.most})
                return
            began = time.monotonic()
            self._tell({"event": "came", "client": client, "local": channel.local_address})
            end: Event = {"reason": _("it was cut off"), "why": "cut off"}
            try:
                end = await self._end_of(handler, channel)
            except asyncio.CancelledError:
                # The server cancels whoever is left when the time for a graceful stop is over.
                end = {"reason": _("this server stopped"), "why": "stopped"}
                raise
            finally:
                self._headcount.leave()
                self._tell(_left(client, end, channel, time.monotonic() - began))

        return handle

    async def _end_of(self, handler: Handler, channel: Channel) -> Event:
        """Runs the handler; what ended it."""
        try:
            said = await handler(WatchedChannel(channel, self._tell) if self._is_verbose else channel)
        except (ChannelError, RemoteProtocolError) as error:
            return {"reason": str(error), "why": type(error).__name__}
        except Exception as error:
            return mistake(error, self._folder)
        if isinstance(said, str) and said:
            return {"reason": said, "why": "handler"}
        return _ended_by(channel)


def mistake(error: Exception, folder: str) -> Event:
    """What is told of a handler that raised: the error, the line of the person's own code, and the traceback.

    Args:
        error: what it raised.
        folder: of that code; empty for none.
    """
    where = line_of(error, folder) if folder else ""
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    why = _("the handler failed: {why}").format(why=f"{text} ({where})" if where else text)
    return {"reason": why, "why": "failed", "traceback": "".join(traceback.format_exception(error))}


def _ended_by(channel: Channel) -> Event:
    """Why a client is gone whose handler returned."""
    error = channel.ended_by
    if error is None or isinstance(error, ChannelClosed):
        return {"reason": _("the handler was done with it"), "why": "handler"}
    # A sender of datagrams closes nothing: its silence, or this server's stop, has ended the channel.
    if isinstance(error, ChannelEnded) and not channel.peer_address.startswith("udp:"):
        return {"reason": _("it closed"), "why": "ChannelEnded"}
    return {"reason": str(error), "why": type(error).__name__}


def _left(client: str, end: Event, channel: Channel, seconds: float) -> Event:
    figures = channel.statistics()
    return {
        "event": "left",
        "client": client,
        **end,
        "received_messages": figures.received_messages,
        "sent_messages": figures.sent_messages,
        "seconds": round(seconds, 3),
    }


class WatchedChannel(Channel):
    """A channel whose messages are told in both directions. Everything else is the channel's own.

    Args:
        channel: the one that a handler would have had.
        tell: is told each message.
    """

    __slots__ = ("_channel", "_tell")

    def __init__(self, channel: Channel, tell: Tell) -> None:
        self._channel = channel
        self._tell = tell

    def __repr__(self) -> str:
        return repr(self._channel)

    @property
    def _kind(self) -> str:
        return "watched"

    async def send(self, message: bytes) -> None:
        """See `Channel.send`."""
        await self._channel.send(message)
        self._tell(said(self.peer_address, "out", message))

    def send_now(self, message: bytes) -> None:
        """See `Channel.send_now`."""
        self._channel.send_now(message)
        self._tell(said(self.peer_address, "out", message))

    async def receive(self) -> bytes:
        """See `Channel.receive`."""
        message = await self._channel.receive()
        self._tell(said(self.peer_address, "in", message))
        return message

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """See `Channel.__aiter__`."""
        async for message in self._channel:
            self._tell(said(self.peer_address, "in", message))
            yield message

    def end(self) -> None:
        """See `Channel.end`."""
        self._channel.end()

    async def close(self) -> None:
        """See `Channel.close`."""
        await self._channel.close()

    def abort(self) -> None:
        """See `Channel.abort`."""
        self._channel.abort()

    @property
    def is_gone(self) -> bool:
        """See `Channel.is_gone`."""
        return self._channel.is_gone

    async def wait_gone(self) -> None:
        """See `Channel.wait_gone`."""
        await self._channel.wait_gone()

    @property
    def peer_address(self) -> str:
        """See `Channel.peer_address`."""
        return self._channel.peer_address

    @property
    def local_address(self) -> str:
        """See `Channel.local_address`."""
        return self._channel.local_address

    @property
    def ended_by(self) -> LanlineError | None:
        """See `Channel.ended_by`."""
        return self._channel.ended_by

    def statistics(self) -> ChannelStatistics:
        """See `Channel.statistics`."""
        return self._channel.statistics()


class WatchedAnswers:
    """A face that answers datagrams, with its senders counted as clients: they come with their first datagram and go
    after a silence.

    Args:
        answer: the face's own.
        tell, headcount, folder, is_verbose: as for Watch.
        silence: seconds without a datagram after which a sender counts as gone.
        most: senders remembered at once; beyond it the one that was silent longest is forgotten, and said to be gone.
    """

    def __init__(
        self,
        answer: Callable[[bytes, Address], bytes | None],
        tell: Tell,
        headcount: Headcount,
        *,
        silence: float,
        most: int = 4096,
        folder: str = "",
        is_verbose: bool = False,
    ) -> None:
        self._answer = answer
        self._tell = tell
        self._headcount = headcount
        self._silence = silence
        self._most = most
        self._is_verbose = is_verbose
        self._folder = folder
        self._senders: dict[_Key, _Sender] = {}
        """In the order of their last datagram, the longest silent first."""
        self._timer: asyncio.TimerHandle | None = None

    def answer(self, message: bytes, sender: Address) -> bytes | None:
        """Answers as the face does. A sender beyond the most clients gets none."""
        # Not the Address itself: it is hashed by Python code, which would cost more than all else here.
        key = sender.host, sender.port
        known = self._senders.pop(key, None)
        # Who gets no answer is no client: forged senders without number would else come and go, a line each.
        reply = self._answered(message, sender)
        if known is None and reply is not None:
            known = self._new(sender)
            if known is None:
                return None
        if self._is_verbose:
            self._tell(said(str(sender), "in", message))
        if known is None:
            return None
        self._senders[key] = known
        known.last = time.monotonic()
        known.received += 1
        if reply is not None and _fits(reply, sender):
            known.sent += 1
            if self._is_verbose:
                self._tell(said(known.client, "out", reply))
        return reply

    def _answered(self, message: bytes, sender: Address) -> bytes | None:
        """The face's answer; none where it failed, and that is told."""
        try:
            reply = self._answer(message, sender)
            return reply if type(reply) is bytes or reply is None else _checked(reply)
        except Exception as error:
            self._tell({"event": "answer_failed", "client": str(sender), **mistake(error, self._folder)})
            return None

    def close(self) -> None:
        """Everybody left goes, for this side stops."""
        if self._timer is not None:
            self._timer.cancel()
        for sender in list(self._senders):
            self._forget(sender, {"reason": _("this server stopped"), "why": "stopped"})

    def _new(self, sender: Address) -> _Sender | None:
        if not self._headcount.enter():
            self._tell({"event": "refused", "client": str(sender), "limit": self._headcount.most})
            return None
        if len(self._senders) >= self._most:
            oldest = next(iter(self._senders))
            self._forget(oldest, {"reason": _("it made way for others, silent longest"), "why": "made way"})
        known = _Sender(str(sender))
        self._tell({"event": "came", "client": known.client})
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._silence, self._look)
        return known

    def _look(self) -> None:
        """Those that have been silent for too long go; comes back when the next one may be due."""
        self._timer = None
        now = time.monotonic()
        for sender, known in list(self._senders.items()):
            left = known.last + self._silence - now
            if left > 0:
                self._timer = asyncio.get_running_loop().call_later(left, self._look)
                return
            text = _("silent for {seconds:g} s").format(seconds=self._silence)
            self._forget(sender, {"reason": text, "why": "silent"})

    def _forget(self, sender: _Key, end: Event) -> None:
        known = self._senders.pop(sender)
        self._headcount.leave()
        self._tell(
            {
                "event": "left",
                "client": known.client,
                **end,
                "received_messages": known.received,
                "sent_messages": known.sent,
                "seconds": round(known.last - known.first, 3),
            }
        )


def _fits(reply: bytes, sender: Address) -> bool:
    """Whether it can leave in one datagram. What cannot is refused by the socket, whose server writes a warning."""
    return len(reply) <= (MAX_DATAGRAM_BYTES_IPV6 if ":" in sender.host else MAX_DATAGRAM_BYTES)


def _checked(reply: object) -> bytes:
    """An answer that is not simply bytes; its type forbids that, and beginners return it all the same."""
    if isinstance(reply, str):
        raise TextNotBytes
    if not isinstance(reply, bytes | bytearray | memoryview):
        raise TypeError(f"an answer is bytes or None, not {type(reply).__name__}")
    return bytes(reply)


class _Sender:
    """Who has sent datagrams to an answering face."""

    __slots__ = ("client", "first", "last", "received", "sent")

    def __init__(self, client: str) -> None:
        self.client = client
        self.first = self.last = time.monotonic()
        self.received = self.sent = 0


def said(client: str, direction: str, message: bytes) -> Event:
    """The event of one message: its text where it is UTF-8, else its bytes in base64; cut at `SHOWN_BYTES`.

    Args:
        client: with whom.
        direction: `in` or `out`, as this side sees it.
        message: whole.
    """
    shown = bytes(message[:SHOWN_BYTES])
    is_cut = len(message) > SHOWN_BYTES
    try:
        # A cut may go through a character: at most three bytes of it are then at the end.
        text = shown.decode("utf-8") if not is_cut else _whole_characters(shown)
        encoding = "utf-8"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(shown).decode("ascii"), "base64"
    return {
        "event": "message",
        "client": client,
        "direction": direction,
        "message": text,
        "encoding": encoding,
        "size_bytes": len(message),
        "is_cut": is_cut,
    }


def _whole_characters(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(data) - 3:
            raise
        return data[: error.start].decode("utf-8")
