"""A link without an event loop: many calls over one blocking socket, driven by whoever waits.

One thread drives one link; nothing happens in between calls to it, so a link that is left alone for longer than 45 s
over TCP is held for gone by its peer (not over Unix sockets). The peer may not call back. `lanline run` and
`lanline who` start with this file: it loads neither asyncio nor what only channels need.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

from lanline.errors import (
    CallError,
    ChannelEnded,
    ConnectFailed,
    LocalProtocolError,
    ProtocolError,
    Status,
    call_error,
)
from lanline.limits import LAN, Limits
from lanline.link.values import decoder, encode, is_raw
from lanline.session import events, frames
from lanline.session.session import Session, Side
from lanline.translation import _
from lanline.transport.wire import Wire, wait

_FAREWELL: Final = 1.0
"""Seconds that a peer has for taking what is left when the link is closed."""


class Link:
    """Many calls over one blocking socket; the peer may not call back.

    Args:
        wire: connected; owned by this object from now on.
        peer_address: for people.
        keepalive: whether the peer is pinged (not over Unix sockets).
        limits: sizes and times.
    """

    def __init__(self, wire: Wire, peer_address: str, *, keepalive: bool, limits: Limits = LAN) -> None:
        now = time.monotonic()
        hello = frames.Hello((frames.VERSION,), os.urandom(8), window_bytes=limits.window_bytes)
        self.peer_address = peer_address
        self._session = Session(Side.CONNECTING, hello, now=now, limits=limits, keepalive=keepalive)
        self._wire = wire
        self._poll = select.poll()
        self._unsent = bytearray()
        self._calls: dict[int, Call] = {}
        self._closed_because = ""
        self._wake_fd: int | None = None

    def __repr__(self) -> str:
        return f"<Link {self.peer_address} {self._session.state.name} calls={len(self._calls)}>"

    def ask(self, endpoint: str, /, *arguments: Any, timeout: float | None = None, returns: Any = Any) -> Any:
        """Asks for one answer: `link.ask("echo.say", "hi", timeout=2.0)`.

        Args:
            endpoint: `service.endpoint`.
            arguments: the endpoint's own.
            timeout: seconds until CallTimeout; None to wait for ever.
            returns: the type of the answer, checked when it comes.

        Raises:
            CallTimeout, CallRefused, CallFailed, CallLost: see there.
        """
        with self.open(endpoint, *arguments, timeout=timeout, last=True) as call:
            return call.finish(returns)

    def stream(
        self, endpoint: str, /, *arguments: Any, timeout: float | None = None, items: Any = Any
    ) -> Iterator[Any]:
        """The items of a streaming endpoint, as they come. Leaving the loop cancels the far side."""
        with self.open(endpoint, *arguments, timeout=timeout, items=items, last=True) as call:
            yield from call

    def open(
        self,
        endpoint: str,
        /,
        *arguments: Any,
        timeout: float | None = None,
        items: Any = Any,
        last: bool = False,
        window: int = 0,
    ) -> Call:
        """Begins a call on which both sides may send: `with link.open(...) as call`. Arguments as in `ask`; `items` is
        the type of the peer's items, `last` means that this side sends nothing more, `window` how many bytes the peer
        may have under way (0 for the usual 256 KiB).

        Raises:
            CallLost: the link is gone.
        """
        now = time.monotonic()
        try:
            number = self._session.open(endpoint, encode(arguments), last=last, now=now, timeout=timeout, window=window)
        except LocalProtocolError as error:
            reason = self._closed_because or str(error)
            text = _("the link is gone: {reason}").format(reason=reason)
            raise call_error(Status.PEER_GONE, text, may_have_run=False) from error
        call = Call(self, self._session, number, endpoint, items)
        self._calls[number] = call
        return call

    def wake_on(self, fd: int | None) -> None:
        """Lets a descriptor interrupt what waits on this link: for signals (`signal.set_wakeup_fd`), which must not cut
        into a session.

        Args:
            fd: while it is readable, whatever would wait raises InterruptedError. Nothing is lost by that: the same
                call can be made again. None for no descriptor.
        """
        if self._wake_fd is not None:
            self._poll.unregister(self._wake_fd)
        self._wake_fd = fd
        if fd is not None:
            self._poll.register(fd, select.POLLIN)

    def close(self) -> None:
        """Closes; calls under way are lost."""
        if not self._session.is_closed:
            self._session.go_away("closed here")
            self._unsent += b"".join(self._session.data_to_send())
        deadline = time.monotonic() + _FAREWELL
        while self._send_some() and wait(self._wire, deadline, to_send=True):
            continue
        self._unsent.clear()
        self._wire.end()
        self._wire.close()

    def __enter__(self) -> Self:
        """Leaving the block closes the link."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes."""
        self.close()

    def wait_welcomed(self, deadline: float) -> None:
        """Waits until both sides have let each other in.

        Args:
            deadline: seconds on the monotonic clock.

        Raises:
            ConnectFailed: the peer refused, went away or kept silent.
        """
        while not self._session.is_open:
            if self._session.is_closed:
                self._wire.close()
                text = _("the link to {peer} did not come about: {reason}")
                raise ConnectFailed(text.format(peer=self.peer_address, reason=self._closed_because))
            if time.monotonic() >= deadline:
                self._wire.close()
                raise ConnectFailed(_("{peer} did not answer in time").format(peer=self.peer_address))
            self.exchange(deadline)

    def exchange(self, deadline: float | None = None) -> None:
        """Sends what is due, then waits until something came, the session's own deadline or `deadline` has passed, and
        hands events to their calls. A blocked peer stops neither direction: both are waited for at once.

        Raises:
            InterruptedError: the descriptor of `wake_on` is readable.
        """
        session = self._session
        session_due = session.next_deadline()
        due = min((moment for moment in (deadline, session_due) if moment is not None), default=None)
        self.flush()
        wait_ms = None if due is None else max(0.0, (due - time.monotonic()) * 1000)
        if self._wire.has_received:
            self._receive_some()
            wait_ms = 0.0
        has_unsent = self._unsent or self._wire.unsent_bytes
        self._poll.register(self._wire, select.POLLIN | (select.POLLOUT if has_unsent else 0))
        is_woken = False
        for fd, ready in self._poll.poll(wait_ms):
            if fd == self._wake_fd:
                is_woken = True
            elif ready & ~select.POLLOUT:
                self._receive_some()
        if session_due is not None and time.monotonic() >= session_due:
            session.deadline_passed(time.monotonic())
        self._pass_events_on()
        self.flush()
        if is_woken:
            raise InterruptedError("the descriptor of wake_on is readable")

    def flush(self) -> None:
        """Sends what is due, as far as the system takes it now."""
        self._unsent += b"".join(self._session.data_to_send())
        self._send_some()

    def _send_some(self) -> bool:
        """Sends what the system takes now. True: there is more, for when it takes more."""
        try:
            while self._wire.flush_now():
                if not self._unsent:
                    return False
                sent = self._wire.send_now(self._unsent)
                if not sent:
                    return True
                del self._unsent[:sent]
        except OSError:
            self._unsent.clear()  # the receiving side learns why, and says it
            return False
        return True

    def _receive_some(self) -> None:
        now = time.monotonic()
        try:
            chunk = self._wire.receive_now()
        except OSError as error:
            self._closed_because = _("the connection broke: {error}").format(error=error.strerror or error)
            chunk = b""
        if chunk is None:
            return
        if not chunk:
            self._session.receive_eof(now)
            return
        try:
            self._session.receive_data(chunk, now)
        except ProtocolError as error:
            self._closed_because = str(error)

    def _pass_events_on(self) -> None:
        while self._session.has_events:
            for event in self._session.events():
                self._handle(event)

    def _handle(self, event: events.Event) -> None:
        match event:
            case events.Greeted():
                self._session.send_welcome()
            case events.ItemReceived() | events.Ended() | events.Failed():
                call = self._calls.get(event.call)
                if call is not None:
                    call.take(event)
                    if isinstance(event, events.Failed) or (isinstance(event, events.Ended) and event.over):
                        del self._calls[event.call]
            case events.Opened():
                text = "this side answers no calls"
                self._session.send_error(event.call, Status.NOT_FOUND, text, may_have_run=False)
            case events.GoingAway() | events.Closed():
                self._closed_because = self._closed_because or event.reason


class Call:
    """One call on a blocking link.

    Attributes:
        endpoint: `service.endpoint`.
        result: the peer's result once it has ended its half; None before that and where it gave none.
    """

    def __init__(self, link: Link, session: Session, number: int, endpoint: str, kind: Any) -> None:
        self.endpoint = endpoint
        self.result: Any = None
        self._link = link
        self._session = session
        self._number = number
        self._decode = decoder(kind)
        self._items: deque[events.ItemReceived] = deque()
        self._ended: events.Ended | None = None
        self._error: CallError | None = None

    def __repr__(self) -> str:
        state = "failed" if self._error else "ended" if self._ended else "open"
        return f"<Call {self.endpoint} #{self._number} {state}>"

    @property
    def has_items(self) -> bool:
        """Whether `receive` would give an item without waiting."""
        return bool(self._items)

    def send(self, item: Any) -> None:
        """Sends one item, once there is credit for it. `bytes` travel as they are, anything else as msgpack.

        Raises:
            CallError: the call is over.
        """
        raw = is_raw(item)
        body = bytes(item) if raw else encode(item)
        while self._error is None and self._session.credit(self._number) <= 0:
            self._link.exchange()
        if self._error is not None:
            raise self._error
        self._session.send_item(self._number, body, raw=raw)

    def end(self) -> None:
        """Sends nothing more on this call."""
        if self._error is None:
            self._session.send_end(self._number)

    def receive(self, *, timeout: float | None = None) -> Any:
        """The peer's next item.

        Args:
            timeout: seconds to wait for it; None to wait as long as the call lives.

        Raises:
            TimeoutError: it did not come in time; the call goes on.
            ChannelEnded: the peer has ended its half; its result is in `result`.
            CallError: the call did not end well.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._items:
            if self._error is not None:
                raise self._error
            if self._ended is not None:
                text = _("the peer has sent all it had to send on {endpoint}")
                raise ChannelEnded(text.format(endpoint=self.endpoint))
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(_("no item came on {endpoint} in time").format(endpoint=self.endpoint))
            self._link.exchange(deadline)
        item = self._items.popleft()
        self._session.consumed(self._number, item.size)
        return item.body if item.raw else self._decode(item.body)

    def __iter__(self) -> Iterator[Any]:
        """Items until the peer has ended its half."""
        while True:
            try:
                yield self.receive()
            except ChannelEnded:
                return

    def finish(self, returns: Any = Any) -> Any:
        """Waits for the peer's result, dropping items that still come.

        Raises:
            CallError: the call did not end well.
        """
        for _item in self:
            continue
        ended = self._ended
        if ended is None or (not ended.raw and not ended.body):
            return None
        self.result = ended.body if ended.raw else decoder(returns)(ended.body)
        return self.result

    def cancel(self, reason: str = "") -> None:
        """Gives the call up: the peer's handler is cancelled. Nothing happens when it is over already."""
        self._session.cancel(self._number, reason)

    def take(self, event: events.ItemReceived | events.Ended | events.Failed) -> None:
        """The link hands over what came for this call."""
        match event:
            case events.ItemReceived():
                self._items.append(event)
            case events.Ended():
                self._ended = event
                if event.body:
                    self.result = event.body if event.raw else decoder(Any)(event.body)
            case events.Failed():
                self._error = call_error(
                    event.status, event.text, may_have_run=event.may_have_run, details=event.details
                )

    def __enter__(self) -> Self:
        """Leaving the block cancels the call if it is not over."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancels the call if it is not over, and sends that at once."""
        self.cancel("the caller left")
        if self._session.has_data_to_send:
            self._link.flush()
