"""The answer that an ask waits for: what the session gives back with its result, while a plain future is awaited.

A plain asyncio.Future on purpose: awaiting a subclass takes a slower path in the interpreter (0.34 of 0.95 us).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from lanline.errors import CallFailed, Status, call_error
from lanline.session import events
from lanline.session.calls import Ask
from lanline.session.frames import UNDECODABLE


class Answer(Ask):
    """One answer to come.

    Fields: the future to resolve; how to turn the result's msgpack bytes into a value.
    """

    future: asyncio.Future[Any]
    decode: Callable[[bytes], Any]

    def ended(self, event: events.Ended) -> None:
        """The link hands over a result of which there is more to say than its bytes."""
        if not event.raw:
            self.result(event.body)
        elif not self.future.done():
            self.future.set_result(event.body)

    def result(self, body: bytes) -> None:
        """The link hands over the bytes of the result."""
        if self.future.done():
            return  # the asker was cancelled in this loop turn
        try:
            value = self.decode(body) if body else None
        except UNDECODABLE as error:
            text = f"the answer is not of the type expected: {error}"
            self.future.set_exception(CallFailed(Status.BAD_MESSAGE, text))
        else:
            self.future.set_result(value)

    def failed(self, event: events.Failed) -> None:
        """The link says that the call did not end well."""
        if not self.future.done():
            self.future.set_exception(
                call_error(event.status, event.text, may_have_run=event.may_have_run, details=event.details)
            )

    def item_received(self, event: events.ItemReceived) -> None:
        """A stream was asked as if it had one answer. The asker then cancels it."""
        if not self.future.done():
            text = "this endpoint streams: use link.stream, not link.ask"
            self.future.set_exception(CallFailed(Status.BAD_MESSAGE, text))

    def credit_received(self) -> None:
        """An ask sends nothing after its request."""
