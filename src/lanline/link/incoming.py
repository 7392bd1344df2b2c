"""Serves the calls a peer opens on a link: finds the endpoint, checks the caller, decodes, runs the handler, answers.

Dispatch consults the table of endpoints and nothing else; the caller's right is checked (`guard.refusal`) before its
arguments are decoded. Handlers run as tasks that this object owns: cancelled when the peer cancels, when the deadline
passes, and when the link is lost. What a handler raises becomes an ERROR: lanline's own errors with their sentence,
everything else as `internal` without details, which go to this side's log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from lanline.errors import CallError, LanlineError, LocalProtocolError, NotAllowed, Status, UsageError
from lanline.link import guard
from lanline.link.call import Call
from lanline.link.caller import Caller
from lanline.link.service import Endpoint, Shape
from lanline.link.values import encode
from lanline.session import events

if TYPE_CHECKING:
    from lanline.link.pump import Pump

log = logging.getLogger("lanline.link")

_BYTES: Final = (bytes, bytearray, memoryview)


class Receiver(Protocol):
    """What a link keeps for each call under way."""

    def ended(self, event: events.Ended) -> None:
        """The peer has ended its half."""

    def failed(self, event: events.Failed) -> None:
        """The call is over and did not end well."""

    def item_received(self, event: events.ItemReceived) -> None:
        """An item came."""

    def credit_received(self) -> None:
        """There is room to send again."""


class Incoming:
    """The calls a peer has opened on one link.

    Args:
        table: all endpoints of this side.
        receivers: the link's table of calls, in which duplex and stream calls are entered.
    """

    def __init__(self, table: Mapping[str, Endpoint], receivers: dict[int, Receiver]) -> None:
        self._table = table
        self._receivers = receivers
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._reasons: dict[int, tuple[Status, str]] = {}
        self._pump: Pump
        self._allowed: dict[str, Endpoint] = {}
        self.caller = Caller()
        self.served = 0

    def set_caller(self, caller: Caller) -> None:
        """The peer was judged, or its role changed: what it may ask is judged anew."""
        self.caller = caller
        self._allowed.clear()

    def attach(self, pump: Pump) -> None:
        """Tells where answers go."""
        self._pump = pump
        self._loop = asyncio.get_running_loop()

    def opened(self, event: events.Opened) -> None:
        """The peer began a call."""
        self.served += 1
        endpoint = self._allowed.get(event.endpoint) or self._allow(event)
        if endpoint is None:
            return
        endpoint.counts.calls += 1
        try:
            arguments = endpoint.decode(event.arguments)
        except msgspec.MsgspecError as error:
            endpoint.counts.failures += 1
            text = f"{endpoint.name} was asked with arguments it does not take: {error}"
            self._pump.session.send_error(event.call, Status.BAD_MESSAGE, text, may_have_run=False)
            return
        if endpoint.shape is Shape.PLAIN:
            self._answer_in_place(endpoint, event.call, arguments)
        else:
            self._start(endpoint, event, arguments)

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

    def cancelled(self, event: events.Cancelled) -> None:
        """The peer gave a call up."""
        self._stop(event.call, Status.CANCELLED, event.reason or "cancelled by the caller")

    def deadline_passed(self, event: events.DeadlinePassed) -> None:
        """The deadline of a call has passed."""
        self._stop(event.call, Status.DEADLINE, "the deadline passed")

    def lost(self) -> None:
        """The link is gone: nobody waits for any answer."""
        for call in list(self._tasks):
            self._stop(call, Status.PEER_GONE, "the link is gone")

    async def wait_stopped(self) -> None:
        """Waits until every handler has ended."""
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    # -- private pieces ------------------------------------------------------------------------------------

    def _answer_in_place(self, endpoint: Endpoint, call: int, arguments: tuple[Any, ...]) -> None:
        try:
            if endpoint.wants_caller:
                result = endpoint.invoke(*arguments, **{endpoint.wants_caller: self.caller})
            else:
                result = endpoint.invoke(*arguments)
            self._end(call, result)
        except Exception as error:
            endpoint.counts.failures += 1
            self._report(endpoint, call, error)

    def _start(self, endpoint: Endpoint, event: events.Opened, arguments: tuple[Any, ...]) -> None:
        number = event.call
        filled: dict[str, Any] = {}
        if endpoint.wants_caller:
            filled[endpoint.wants_caller] = self.caller
        call: Call | None = None
        if endpoint.shape is not Shape.ASK:
            call = Call(self._pump, number, endpoint.name, self.caller)
            self._receivers[number] = call
            if event.last:
                call.ended(events.Ended(number, b"", False, False))
            if endpoint.wants_call:
                filled[endpoint.wants_call] = call
        work: Coroutine[Any, Any, Any]
        if endpoint.shape is Shape.STREAM:
            assert call is not None, "a stream has a call"
            work = _send_all(endpoint.invoke(*arguments, **filled), call)
        else:
            work = endpoint.invoke(*arguments, **filled)
        task = self._loop.create_task(self._run(endpoint, number, work))
        self._tasks[number] = task

    async def _run(self, endpoint: Endpoint, call: int, work: Coroutine[Any, Any, Any]) -> None:
        try:
            self._end(call, await work)
        except asyncio.CancelledError:
            status, text = self._reasons.pop(call, (Status.UNAVAILABLE, "this side is stopping"))
            endpoint.counts.failures += 1
            self._pump.session.send_error(call, status, text)
        except Exception as error:
            endpoint.counts.failures += 1
            self._report(endpoint, call, error)
        finally:
            self._tasks.pop(call, None)
            self._reasons.pop(call, None)
            self._receivers.pop(call, None)
            self._pump.wake()

    def _end(self, call: int, result: Any) -> None:
        session = self._pump.session
        if not session.is_under_way(call):
            return
        if isinstance(result, _BYTES):
            session.send_end(call, result, raw=True)
        else:
            session.send_end(call, b"" if result is None else encode(result))

    def _report(self, endpoint: Endpoint, call: int, error: Exception) -> None:
        status, text, details, may_have_run = _as_failure(error)
        if status is Status.INTERNAL:
            log.error("%s failed", endpoint.name, exc_info=error)
            text = f"{endpoint.name} failed; its node's log says why"
        self._pump.session.send_error(call, status, text, details=details, may_have_run=may_have_run)

    def _stop(self, call: int, status: Status, text: str) -> None:
        task = self._tasks.get(call)
        if task is not None and not task.done():
            self._reasons[call] = (status, text)
            task.cancel(text)


async def _send_all(items: Any, call: Call) -> None:
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
        return Status.BAD_MESSAGE, str(error), _advice(error), False
    if isinstance(error, NotAllowed):
        return Status.REFUSED, str(error), _advice(error), False
    if isinstance(error, LanlineError) and not isinstance(error, LocalProtocolError):
        return Status.UNAVAILABLE, str(error), _advice(error), True
    return Status.INTERNAL, "", {}, True


def _advice(error: LanlineError) -> dict[str, str]:
    return {"advice": error.advice} if error.advice else {}
