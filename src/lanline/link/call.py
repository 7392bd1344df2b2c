"""A call: one conversation on a link, from either end.

Items are msgpack values, except that `bytes` travel as they are. `send` waits for credit, so nothing piles up: what
one side does not use, the other cannot send. Whoever holds a Call must bring it to an end: by `end`, by `cancel`, or by
leaving `async with`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from lanline.errors import CallError, CallFailed, ChannelEnded, LocalProtocolError, Status, call_error
from lanline.link.caller import Caller
from lanline.link.values import decoder, encode, is_raw
from lanline.session import events
from lanline.session.frames import UNDECODABLE

if TYPE_CHECKING:
    from lanline.link.pump import Pump

log = logging.getLogger("lanline.link")

_BURST: Final = 256
"""Items sent before other tasks get their turn, so that an eager sender with credit does not hold up the loop."""


class Call:
    """One end of a call that both sides may send on. One task receives; any number send.

    Attributes:
        endpoint: `service.endpoint`.
        caller: the peer of the link.
        result: the peer's result once it has ended its half; None before that and where it gave none.

    Args:
        pump: of the link.
        number: the call's.
        endpoint, caller: see above.
        kind: type of the peer's items.
        over: called with the number when both halves have been ended, the last by this side.
    """

    def __init__(
        self,
        pump: Pump,
        number: int,
        endpoint: str,
        caller: Caller,
        *,
        kind: Any = Any,
        over: Callable[[int], object],
    ) -> None:
        self.endpoint = endpoint
        self.caller = caller
        self.result: Any = None
        self._pump = pump
        self._session = pump.session
        self._number = number
        self._decode = decoder(kind)
        self._over = over
        self._items: deque[events.ItemReceived] = deque()
        self._receiver: asyncio.Future[None] | None = None
        self._listener: Callable[[Any], object] | None = None
        self._senders: list[asyncio.Future[None]] = []
        self._burst = 0
        self._is_ended = False
        self._error: CallError | None = None

    def __repr__(self) -> str:
        state = "failed" if self._error else "ended" if self._is_ended else "open"
        return f"<Call {self.endpoint} #{self._number} {state}>"

    # -- sending -------------------------------------------------------------------------------------------

    async def send(self, item: Any, *, prefix: bytes = b"") -> None:
        """Sends one item, once there is credit for it and the connection takes more.

        Args:
            item: `bytes` (at most 1 MiB) as they are; anything else as msgpack.
            prefix: the first bytes of an item that is bytes: a tag or a number before much output, which is not copied
                for it.

        Raises:
            CallError: the call is over.
            LocalProtocolError: this half has been ended already.
            MessageTooLarge: the item is over 1 MiB.
        """
        raw = is_raw(item)
        body = bytes(item) if raw else encode(item)
        while True:
            if self._error is not None:
                raise self._error
            if not self._pump.is_writable:
                await self._pump.wait_writable()
            elif self._session.credit(self._number) <= 0 and self._session.is_under_way(self._number):
                await self._wait_credit()
            else:
                break
        self._session.send_item(self._number, body, raw=raw, prefix=prefix)
        self._pump.wrote(len(body))
        self._burst += 1
        if self._burst == _BURST:
            self._burst = 0
            await asyncio.sleep(0)

    def end(self, result: Any = None) -> None:
        """Ends this half of the call, with a result if there is one. The peer's half goes on.

        Raises:
            CallError: the call is over.
            LocalProtocolError: this half has been ended already.
            MessageTooLarge: the result is over 1 MiB.
        """
        if self._error is not None:
            raise self._error
        raw = is_raw(result)
        body = bytes(result) if raw else b"" if result is None else encode(result)
        self._session.send_end(self._number, body, raw=raw)
        self._pump.wrote(len(body))
        if self._is_ended:
            self._over(self._number)

    def cancel(self, reason: str = "") -> None:
        """Gives the call up: the peer's handler is cancelled. Nothing happens when it is over already."""
        if self._session.is_under_way(self._number):
            self._session.cancel(self._number, reason)
            self._pump.wake()
            self.failed(events.Failed(self._number, Status.CANCELLED, reason or "cancelled here", {}, True))

    # -- receiving -----------------------------------------------------------------------------------------

    async def receive(self) -> Any:
        """The peer's next item.

        Raises:
            ChannelEnded: the peer has ended its half; its result, if any, is in `result`.
            CallError: the call did not end well; BAD_MESSAGE where the item is not of the type expected.
            LocalProtocolError: another task is receiving already.
        """
        while not self._items:
            if self._error is not None:
                raise self._error
            if self._is_ended:
                raise ChannelEnded(f"the peer has sent all it had to send on {self.endpoint}")
            if self._receiver is not None:
                raise LocalProtocolError(f"two tasks receive from one call of {self.endpoint}")
            self._receiver = asyncio.get_running_loop().create_future()
            try:
                await self._receiver
            finally:
                self._receiver = None
        return self._take(self._items.popleft())

    def listen(self, take: Callable[[Any], object]) -> None:
        """Has each item handed to `take` as it comes, in place of `receive`: for a handler that is busy with something
        else and still obeys its caller, without a task of its own for that.

        Args:
            take: called in the loop turn in which an item comes, and now with those that have come before. It must not
                wait. An item that is not of the type expected is handed over as the CallFailed that it is.

        Raises:
            LocalProtocolError: a task is receiving.
        """
        if self._receiver is not None:
            raise LocalProtocolError(f"a task receives from the call of {self.endpoint} already")
        self._listener = take
        while self._items:
            self._hand_over(take, self._items.popleft())

    def __aiter__(self) -> Self:
        """Items until the peer has ended its half."""
        return self

    async def __anext__(self) -> Any:
        """The next item."""
        try:
            return await self.receive()
        except ChannelEnded:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        """Leaving the block cancels the call if it is not over."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancels the call if it is not over."""
        self.cancel("the caller left")

    # -- the link's side -----------------------------------------------------------------------------------

    def item_received(self, event: events.ItemReceived) -> None:
        """The link hands over an item."""
        if self._listener is not None:
            self._hand_over(self._listener, event)
            return
        self._items.append(event)
        self._wake_receiver()

    def ended(self, event: events.Ended) -> None:
        """The link says that the peer has ended its half."""
        self._is_ended = True
        if event.raw:
            self.result = event.body
        elif event.body:
            try:
                self.result = self._decoded(_decode_any, event.body, "the result")
            except CallFailed as error:
                self._error = error
        self._wake_receiver()

    def failed(self, event: events.Failed) -> None:
        """The link says that the call is over and did not end well. The first reason counts."""
        if self._error is None:
            self._error = call_error(event.status, event.text, may_have_run=event.may_have_run, details=event.details)
        self._wake_receiver()
        self.credit_received()

    def credit_received(self) -> None:
        """The link says that there may be credit again."""
        senders, self._senders = self._senders, []
        for sender in senders:
            if not sender.done():
                sender.set_result(None)

    def drop_items(self) -> None:
        """Nobody receives any more: the credit of what has come is given back, so that the peer comes to its own
        end."""
        for item in self._items:
            self._session.consumed(self._number, item.size)
        self._items.clear()

    # -- private pieces ------------------------------------------------------------------------------------

    def _take(self, item: events.ItemReceived) -> Any:
        """An item for the application, its credit given back."""
        self._session.consumed(self._number, item.size)
        if self._session.has_data_to_send:
            self._pump.wake()
        return item.body if item.raw else self._decoded(self._decode, item.body, "an item")

    def _hand_over(self, take: Callable[[Any], object], item: events.ItemReceived) -> None:
        try:
            value = self._take(item)
        except CallFailed as error:
            value = error
        try:
            take(value)
        except Exception as error:
            log.error("what listens to a call of %s failed", self.endpoint, exc_info=error)
            self.cancel("what listens to this call failed; its node's log says why")

    def _decoded(self, decode: Callable[[bytes], Any], body: bytes, what: str) -> Any:
        try:
            return decode(body)
        except UNDECODABLE as error:
            text = f"{what} of {self.endpoint} is not of the type expected: {error}"
            raise CallFailed(Status.BAD_MESSAGE, text) from error

    def _wake_receiver(self) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    async def _wait_credit(self) -> None:
        sender: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._senders.append(sender)
        await sender


_decode_any: Final[Callable[[bytes], Any]] = decoder(Any)
