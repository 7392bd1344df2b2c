"""Serves the calls a peer opens on a link: finds the endpoint, checks the caller, decodes, runs the handler, answers.

Dispatch consults the table of endpoints and nothing else; the caller's right is checked (`guard.refusal`) before its
arguments are decoded. Handlers run as tasks that this object owns: cancelled when the peer cancels, when the deadline
passes, and when the link is lost. What a handler raises becomes an ERROR: lanline's own errors with their sentence,
everything else as `internal` without details, which go to this side's log.

While the peer does not take its answers, nothing new is begun for it: requests wait, at most `limits.max_calls` of
them.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any, Final

from lanline.errors import (
    CallError,
    LanlineError,
    LocalProtocolError,
    MessageTooLarge,
    NotAllowed,
    Status,
    UsageError,
)
from lanline.limits import Limits
from lanline.link import guard
from lanline.link.call import Call
from lanline.link.caller import Caller
from lanline.link.pump import MUCH_BYTES
from lanline.link.receivers import Receivers
from lanline.link.service import Endpoint, Shape
from lanline.link.values import encode
from lanline.session import events
from lanline.session.frames import UNDECODABLE

if TYPE_CHECKING:
    from lanline.link.pump import Pump

log = logging.getLogger("lanline.link")

_PLAIN: Final = Shape.PLAIN
_ASK: Final = Shape.ASK
"""Looked up on its enum, a member costs 50 ns in Python 3.11."""

_BYTES: Final = (bytes, bytearray, memoryview)


class Incoming:
    """The calls a peer has opened on one link.

    Args:
        table: all endpoints of this side.
        receivers: the link's table of calls, in which duplex and stream calls are entered.
        limits: `bulk_window_bytes` is used here.
    """

    def __init__(self, table: Mapping[str, Endpoint], receivers: Receivers, limits: Limits) -> None:
        self._table = table
        self._limits = limits
        self._receivers = receivers
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._reasons: dict[int, tuple[Status, str]] = {}
        self._waiting: dict[int, events.Opened] = {}
        self._is_stopped = False
        self._pump: Pump
        self._allowed: dict[str, Endpoint] = {}
        self.caller = Caller()
        self.served = 0

    @property
    def is_busy(self) -> bool:
        """Whether handlers are at work."""
        return bool(self._tasks)

    def set_caller(self, caller: Caller) -> None:
        """The peer was judged, or its role changed: what it may ask is judged anew."""
        self.caller = caller
        self._allowed.clear()

    def attach(self, pump: Pump) -> None:
        """Tells where answers go."""
        self._pump = pump
        self._loop = asyncio.get_running_loop()

    # -- events --------------------------------------------------------------------------------------------

    def opened(self, event: events.Opened) -> None:
        """The peer began a call."""
        if self._is_stopped:
            text = "this side is stopping"
            self._pump.session.send_error(event.call, Status.UNAVAILABLE, text, may_have_run=False)
        elif self._waiting or not self._pump.is_writable:
            self._waiting[event.call] = event
        else:
            self._serve(event)

    def resume(self) -> None:
        """The peer takes its answers again."""
        while self._waiting and self._pump.is_writable:
            self._serve(self._waiting.pop(next(iter(self._waiting))))
        self._pump.wake()

    def cancelled(self, event: events.Cancelled) -> None:
        """The peer gave a call up."""
        self._stop(event.call, Status.CANCELLED, event.reason or "cancelled by the caller")

    def deadline_passed(self, event: events.DeadlinePassed) -> None:
        """The deadline of a call has passed."""
        self._stop(event.call, Status.DEADLINE, "the deadline passed")

    def failed(self, event: events.Failed) -> None:
        """A call is over: the peer said so, or the link is lost."""
        self._stop(event.call, event.status, event.text)

    def stop(self, status: Status, text: str) -> None:
        """Begins nothing more, and cancels every handler: callers that still can hear it are told this."""
        self._is_stopped = True
        for call in [*self._waiting, *self._tasks]:
            self._stop(call, status, text)

    async def wait_stopped(self) -> None:
        """Waits until every handler has ended."""
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    # -- serving -------------------------------------------------------------------------------------------

    def _serve(self, event: events.Opened) -> None:
        self.served += 1
        endpoint = self._allowed.get(event.endpoint) or self._allow(event)
        if endpoint is None:
            return
        endpoint.counts.calls += 1
        try:
            arguments = endpoint.decode(event.arguments)
        except UNDECODABLE as error:
            endpoint.counts.failures += 1
            text = f"{endpoint.name} was asked with arguments it does not take: {error}"
            self._pump.session.send_error(event.call, Status.BAD_MESSAGE, text, may_have_run=False)
            return
        except Exception as error:
            self._report(endpoint, event.call, error)  # a bug in one of the endpoint's own types
            return
        if endpoint.shape is not _PLAIN:
            self._start(endpoint, event, arguments)
            return
        try:
            if endpoint.fill is not None:
                arguments = endpoint.fill(arguments, self.caller, None)
            result = endpoint.invoke(*arguments)
            self._end(event.call, result)
        except Exception as error:
            self._report(endpoint, event.call, error)

    def _allow(self, event: events.Opened) -> Endpoint | None:
        """The endpoint if the caller may ask it, remembered for the next time; else answers why not."""
        endpoint = self._table.get(event.endpoint)
        if endpoint is None:
            status, text = Status.NOT_FOUND, f"there is no endpoint {event.endpoint!r} here"
        else:
            refusal = guard.refusal(self.caller, endpoint)
            if refusal is None:
                self._allowed[event.endpoint] = endpoint
                return endpoint
            endpoint.counts.calls += 1
            endpoint.counts.failures += 1
            status, text = Status.REFUSED, refusal
        self._pump.session.send_error(event.call, status, text, may_have_run=False)
        return None

    def _start(self, endpoint: Endpoint, event: events.Opened, arguments: tuple[Any, ...]) -> None:
        number = event.call
        if endpoint.is_bulk:
            self._pump.session.widen(number, self._limits.bulk_window_bytes)
        if endpoint.shape is _ASK:
            if endpoint.fill is not None:
                arguments = endpoint.fill(arguments, self.caller, None)
            self._tasks[number] = self._loop.create_task(self._run_ask(endpoint, number, arguments))
            return
        call = Call(self._pump, number, endpoint.name, self.caller, over=self._receivers.forget)
        self._receivers[number] = call
        if event.last:
            call.ended(events.Ended(number, b"", False, False))
        if endpoint.fill is not None:
            arguments = endpoint.fill(arguments, self.caller, call)
        self._tasks[number] = self._loop.create_task(self._run_call(endpoint, number, arguments, call))

    async def _run_ask(self, endpoint: Endpoint, number: int, arguments: tuple[Any, ...]) -> None:
        """As `_run_call`, for the handlers that have no call to send on: most, and this is their whole cost."""
        pump = self._pump
        try:
            result = await endpoint.invoke(*arguments)
            if not pump.is_writable:
                await pump.wait_writable()
            self._end(number, result)
        except asyncio.CancelledError:
            self._cancelled(endpoint, number)
        except Exception as error:
            self._report(endpoint, number, error)
        del self._tasks[number]
        if self._reasons:
            self._reasons.pop(number, None)
        pump.answered()

    async def _run_call(self, endpoint: Endpoint, number: int, arguments: tuple[Any, ...], call: Call) -> None:
        pump = self._pump
        try:
            if endpoint.shape is Shape.STREAM:
                await _send_all(endpoint.invoke(*arguments), call)
                result = None
            else:
                result = await endpoint.invoke(*arguments)
            if not pump.is_writable:
                await pump.wait_writable()
            self._end(number, result)
        except asyncio.CancelledError:
            self._cancelled(endpoint, number)
        except Exception as error:
            self._report(endpoint, number, error)
        self._forget(number)
        call.drop_items()
        pump.wake()

    def _end(self, call: int, result: Any) -> None:
        """Sends the result, unless the call is over: cancelled, or lost with its link."""
        raw = isinstance(result, _BYTES)
        body = bytes(result) if raw else b"" if result is None else encode(result)
        session = self._pump.session
        try:
            session.send_end(call, body, raw=raw)
        except LocalProtocolError:
            if session.is_under_way(call):
                raise
        if len(body) > MUCH_BYTES:
            self._pump.wrote(len(body))

    def _cancelled(self, endpoint: Endpoint, number: int) -> None:
        endpoint.counts.failures += 1
        status, text = self._reasons.get(number, (Status.UNAVAILABLE, "this side is stopping"))
        self._pump.session.send_error(number, status, text)

    def _report(self, endpoint: Endpoint, call: int, error: Exception) -> None:
        endpoint.counts.failures += 1
        status, text, details, may_have_run = _as_failure(error)
        if status is Status.INTERNAL:
            log.error("%s failed", endpoint.name, exc_info=error)
            text = f"{endpoint.name} failed; its node's log says why"
        self._pump.session.send_error(call, status, text, details=details, may_have_run=may_have_run)

    def _stop(self, number: int, status: Status, text: str) -> None:
        """Stops a call's handler, once. One that has not begun never will, and the caller can be certain of that."""
        task = self._tasks.get(number)
        if (task is None and number not in self._waiting) or number in self._reasons:
            return
        if task is None or _is_new(task):
            self._waiting.pop(number, None)
            self._forget(number)
            self._pump.session.send_error(number, status, text, may_have_run=False)
        else:
            self._reasons[number] = (status, text)
        if task is not None:
            task.cancel(text)

    def _forget(self, number: int) -> None:
        self._tasks.pop(number, None)
        self._reasons.pop(number, None)
        self._receivers.pop(number, None)


def _is_new(task: asyncio.Task[None]) -> bool:
    """Whether the first step of a task is still to come."""
    work = task.get_coro()
    return inspect.iscoroutine(work) and inspect.getcoroutinestate(work) == inspect.CORO_CREATED


async def _send_all(items: AsyncGenerator[Any, None], call: Call) -> None:
    try:
        async for item in items:
            await call.send(item)
    finally:
        await items.aclose()


def _as_failure(error: Exception) -> tuple[Status, str, dict[str, str], bool]:
    """Status, sentence, details and whether something may have been executed, for what a handler raised."""
    if isinstance(error, CallError):
        return error.status, error.text, error.details, error.may_have_run
    if isinstance(error, UsageError):
        return Status.BAD_MESSAGE, str(error), _told(error), False
    if isinstance(error, NotAllowed):
        return Status.REFUSED, str(error), _told(error), False
    if isinstance(error, MessageTooLarge):
        return Status.TOO_LARGE, str(error), {}, True
    if isinstance(error, LanlineError) and not isinstance(error, LocalProtocolError):
        return Status.UNAVAILABLE, str(error), _told(error), True
    return Status.INTERNAL, "", {}, True


def _told(error: LanlineError) -> dict[str, str]:
    """Which of our errors it was, and what to try: for the person who waits at the other end."""
    return {"error": type(error).__name__} | ({"advice": error.advice} if error.advice else {})
