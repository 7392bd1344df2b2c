"""A link: one connection between two nodes or programs, carrying many calls at once in both directions.

Positional arguments belong to the endpoint that is called, keywords to us. A link is made by `client.connect_link`, by
`server.serve` and by the room's node; it is used by whoever needs a call, from one event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from lanline.clean import clean
from lanline.errors import CallFailed, CallLost, CallTimeout, ConnectFailed, LocalProtocolError, Status
from lanline.limits import LAN, Limits
from lanline.link.answer import Answer
from lanline.link.call import Call
from lanline.link.caller import Caller
from lanline.link.greeting import Greeting
from lanline.link.guard import Guard
from lanline.link.incoming import Incoming
from lanline.link.pump import MUCH_BYTES, Pump
from lanline.link.receivers import Receivers
from lanline.link.service import Endpoint
from lanline.link.values import decoder, encode
from lanline.session import events, frames
from lanline.session.frames import UNDECODABLE
from lanline.session.session import Session, Side
from lanline.transport.base import Arrival, connection_facts

log = logging.getLogger("lanline.link")

_PATIENT: Final = frozenset(("unix", "mem"))
"""Schemes without ping and stall limit: a pager may hold a client for an hour; the end of the stream is liveness."""

_UNUSUAL: Final = (asyncio.InvalidStateError, *UNDECODABLE)
"""The asker was cancelled in this loop turn; or the answer is empty, or not of the type expected."""


@dataclass(frozen=True, slots=True)
class LinkStatistics:
    """Figures of one link since it began: calls opened by this side, calls served, calls under way now, bytes in and
    out, and the last measured round trip in seconds (None before the first ping)."""

    asked: int
    served: int
    under_way: int
    received_bytes: int
    sent_bytes: int
    round_trip: float | None


class Link:
    """One end of a link.

    Args:
        side: which side opened the connection.
        guard: judges the peer.
        table: the endpoints the peer may ask here.
        scheme: of the transport underneath.
        boot: 8 random bytes that name this start of the process.
        limits: what is accepted.
        arrival: what the listener knows of the connection, on the accepting side.
        on_connected: called once when the connection is there, which after a failed TLS handshake is never.
        on_welcome: called once when both sides have let each other in.
        on_lost: called once when the link is gone, with a sentence.
    """

    def __init__(
        self,
        side: Side,
        guard: Guard,
        table: Mapping[str, Endpoint],
        *,
        scheme: str,
        boot: bytes,
        limits: Limits = LAN,
        arrival: Arrival | None = None,
        on_connected: Callable[[Link], None] | None = None,
        on_welcome: Callable[[Link], None] | None = None,
        on_lost: Callable[[Link, str], None] | None = None,
    ) -> None:
        self.side = side
        self.peer_boot = b""
        self.round_trip: float | None = None
        self.closed_because = ""
        self._guard = guard
        self._boot = boot
        self._limits = limits
        self._is_patient = scheme in _PATIENT
        self._arrival = arrival
        self._on_connected = on_connected
        self._on_welcome = on_welcome
        self._on_lost = on_lost
        self._greeting: Greeting
        self._fault: Exception | None = None
        self._was_welcomed = False
        self._receivers = Receivers()
        self._incoming = Incoming(table, self._receivers, limits)
        self._loop = asyncio.get_running_loop()
        self._welcomed: asyncio.Future[None] = self._loop.create_future()
        self._gone: asyncio.Future[str] = self._loop.create_future()
        self._handlers = self._handlers_by_event()
        self.pump = Pump(
            self._make_session,
            self._connected,
            self._answered,
            self._handle,
            self._incoming.resume,
            self._lost,
            limits=limits,
            is_patient=self._is_patient,
        )

    def __repr__(self) -> str:
        state = "gone" if self.is_gone else self.pump.session.state.name if self.pump.is_connected else "new"
        who = self.caller.name or self.caller.address or "peer"
        return f"<Link {who} {state} calls={self.statistics().under_way}>"

    # -- asking --------------------------------------------------------------------------------------------

    async def ask(self, endpoint: str, /, *arguments: Any, timeout: float | None = None, returns: Any = Any) -> Any:
        """Asks for one answer: `await link.ask("echo.say", "hi", timeout=2.0)`.

        Being cancelled while it waits cancels the handler at the far end.

        Args:
            endpoint: `service.endpoint`.
            arguments: the endpoint's own.
            timeout: seconds until CallTimeout; None to wait as long as the link lives.
            returns: the type of the answer, checked when it comes; any msgpack value by default.

        Raises:
            CallTimeout, CallRefused, CallFailed, CallLost: see there. CallFailed with OVERLOADED when 1,024 calls of
                this side are under way on this link.
            MessageTooLarge: the arguments are over 1 MiB.
        """
        pump = self.pump
        if not pump.is_writable:
            timeout = await self._wait_writable(timeout)
        body = encode(arguments)
        future = self._loop.create_future()
        answer = Answer(future, decoder(returns))
        try:
            if timeout is None:
                number = pump.session.ask(endpoint, body, answer)
            else:
                now = self._loop.time()
                number = pump.session.open(endpoint, body, last=True, now=now, timeout=timeout, asker=answer)
        except LocalProtocolError as error:
            raise self._cannot_call(error) from error
        if len(body) > MUCH_BYTES:
            pump.wrote(len(body))
        elif not pump.flush_is_due:  # a call of `wake` for each ask would be 0.05 us
            pump.wake()
        try:
            return await future
        except BaseException:
            pump.session.cancel(number, "the caller no longer waits")  # nothing happens when the call is over
            pump.wake()
            raise

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
        """Begins a call on which both sides may send. Use it as `async with link.open(...) as call`.

        Args:
            endpoint, arguments, timeout: as in `ask`.
            items: the type of the peer's items.
            last: this side sends nothing after the arguments.
            window: bytes the peer may have under way; 0 for the usual 256 KiB.

        Raises:
            CallLost: the link is gone. CallFailed with OVERLOADED: too many calls are under way.
            MessageTooLarge: the arguments are over 1 MiB.
        """
        return self.open_encoded(endpoint, encode(arguments), timeout=timeout, items=items, last=last, window=window)

    def open_encoded(
        self,
        endpoint: str,
        arguments: bytes,
        /,
        *,
        timeout: float | None = None,
        items: Any = Any,
        last: bool = False,
        window: int = 0,
    ) -> Call:
        """As `open`, with the arguments already as one msgpack array: encode once, ask many."""
        try:
            number = self.pump.session.open(
                endpoint, arguments, now=self._loop.time(), timeout=timeout, last=last, window=window
            )
        except LocalProtocolError as error:
            raise self._cannot_call(error) from error
        call = Call(self.pump, number, endpoint, self.caller, kind=items, over=self._receivers.forget)
        self._receivers[number] = call
        self.pump.wrote(len(arguments))
        return call

    async def stream(
        self, endpoint: str, /, *arguments: Any, timeout: float | None = None, items: Any = Any
    ) -> AsyncIterator[Any]:
        """The items of a streaming endpoint, as they come. Leaving the loop cancels the far side."""
        async with self.open(endpoint, *arguments, timeout=timeout, items=items, last=True) as call:
            async for item in call:
                yield item

    # -- state ---------------------------------------------------------------------------------------------

    @property
    def caller(self) -> Caller:
        """The peer. The room replaces it when the peer's role changes."""
        return self._incoming.caller

    @caller.setter
    def caller(self, caller: Caller) -> None:
        self._incoming.set_caller(caller)

    @property
    def is_open(self) -> bool:
        """Whether calls can be made now."""
        return self._was_welcomed and not self.is_gone and self.pump.session.is_open

    @property
    def is_gone(self) -> bool:
        """Whether the connection is over."""
        return self._gone.done()

    def statistics(self) -> LinkStatistics:
        """Figures since the link began."""
        pump = self.pump
        asked = pump.session.opened if pump.is_connected else 0
        under_way = pump.session.calls if pump.is_connected else 0
        return LinkStatistics(
            asked, self._incoming.served, under_way, pump.received_bytes, pump.sent_bytes, self.round_trip
        )

    async def wait_welcomed(self) -> None:
        """Waits until both sides have let each other in.

        Raises:
            ConnectFailed: the peer, or this side, refused; or the connection broke before that.
        """
        await asyncio.shield(self._welcomed)

    async def wait_gone(self) -> str:
        """Waits until the connection is over, and says why."""
        return await asyncio.shield(self._gone)

    def when_gone(self, done: Callable[[Link], object]) -> None:
        """Has `done` called with this link once the connection is over."""
        self._gone.add_done_callback(lambda _: done(self))

    def refuse(self, reason: str) -> None:
        """Ends the link, telling the peer why: its calls are cancelled, and what it asked in the same breath is not
        begun. A peer that does not take its bytes any more is cut off after `limits.drain` seconds."""
        if self.is_gone:
            return
        self._incoming.stop(Status.UNAVAILABLE, reason)
        self.closed_because = self.closed_because or reason
        if self.pump.is_connected:
            self.pump.session.close(reason)
            self.pump.close(reason)
            self.pump.wake()
        else:
            self._lost(reason)

    def abort(self, reason: str) -> None:
        """Ends the link at once, without a word to the peer."""
        if self.is_gone:
            return
        self._incoming.stop(Status.UNAVAILABLE, reason)
        self.closed_because = self.closed_because or reason
        if self.pump.is_connected:
            self.pump.abort(reason)
        else:
            self._lost(reason)

    async def close(self, reason: str = "closed here") -> None:
        """Ends the link: handlers are cancelled and awaited, calls under way are lost."""
        if not self.is_gone:
            self._incoming.stop(Status.UNAVAILABLE, "this side is stopping")
            await self._incoming.wait_stopped()
            self.refuse(reason)
            await asyncio.shield(self._gone)
        await self._incoming.wait_stopped()

    def retire(self, reason: str) -> None:
        """Lets no further call begin, in either direction; the link ends with the last of those under way."""
        if not self.is_gone and self.pump.is_connected:
            self.pump.session.go_away(reason)
            self.pump.wake()

    async def drain(self, timeout: float) -> None:
        """Ends the link once the calls under way are over, or after `timeout` seconds."""
        self.retire("this side is stopping")
        if not self.is_gone:
            await asyncio.wait([self._gone], timeout=timeout if self.pump.is_connected else 0)
        await self.close("this side has stopped")

    @property
    def has_handlers(self) -> bool:
        """Whether handlers of the peer's calls are still at work: after the link is gone, on their way out."""
        return self._incoming.is_busy

    async def __aenter__(self) -> Self:
        """Leaving the block closes the link."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the link."""
        await self.close()

    # -- the connection ------------------------------------------------------------------------------------

    def _make_session(self, now: float) -> Session:
        room_data, self._fault = self._ask_guard()
        hello = frames.Hello(
            versions=(frames.VERSION,),
            boot=self._boot,
            window_bytes=self._limits.window_bytes,
            monotonic_ns=int(now * 1e9),
            room=room_data,
        )
        return Session(self.side, hello, now=now, limits=self._limits, keepalive=not self._is_patient)

    def _ask_guard(self) -> tuple[bytes, Exception | None]:
        """What our HELLO says of the room, and what went wrong about that: the peer is told so first of all."""
        try:
            return self._guard.room_data(), None
        except Exception as error:
            return b"", error

    def _connected(self, pump: Pump) -> None:
        if self.is_gone:
            pump.transport.abort()  # refused before it was there
        facts = connection_facts(pump.transport)
        self.caller = Caller(address=facts.peer_address)
        self._greeting = Greeting(self, self._guard, facts, self._arrival)
        self._receivers.session = pump.session
        self._incoming.attach(pump)
        if self._fault is not None:
            self._break(self._fault)
        if self._on_connected is not None:
            self._on_connected(self)

    def _lost(self, reason: str) -> None:
        if self.is_gone:
            return
        reason = self.closed_because = self.closed_because or reason
        if self._arrival is not None:
            self._arrival.gone()
        self._incoming.stop(Status.PEER_GONE, "the link is gone")
        if not self._welcomed.done():
            self._welcomed.set_exception(ConnectFailed(f"the link did not come about: {reason}"))
            self._welcomed.exception()  # marks it as seen: nobody may be waiting
        try:
            if self._was_welcomed:
                self._guard.lost(self, reason)
            if self._on_lost is not None:
                self._on_lost(self, reason)
        finally:
            self._gone.set_result(reason)

    # -- events --------------------------------------------------------------------------------------------

    def _answered(self, answers: list[Answer], results: list[bytes]) -> None:
        """What most asks come to: their result, as plain bytes. Written out, as two calls less for each."""
        for answer, body in zip(answers, results, strict=True):
            try:
                answer.future.set_result(answer.decode(body))
            except _UNUSUAL:
                answer.result(body)

    def _handle(self, happened: list[events.Event]) -> None:
        for event in happened:
            try:
                self._handlers[type(event)](event)
            except Exception as error:
                self._break(error)

    def _handlers_by_event(self) -> dict[type[events.Event], Callable[[Any], None]]:
        return {
            events.Ended: self._receivers.ended,
            events.Opened: self._incoming.opened,
            events.ItemReceived: self._receivers.item_received,
            events.Failed: self._failed,
            events.Cancelled: self._incoming.cancelled,
            events.DeadlinePassed: self._incoming.deadline_passed,
            events.CreditReceived: self._receivers.credit_received,
            events.Greeted: self._greeted,
            events.RosterReceived: self._roster_received,
            events.Welcomed: self._both_welcomed,
            events.Ponged: self._ponged,
            events.GoingAway: self._going_away,
            events.Closed: self._closed,
        }

    def _failed(self, event: events.Failed) -> None:
        self._receivers.failed(event)
        self._incoming.failed(event)

    def _greeted(self, event: events.Greeted) -> None:
        self.peer_boot = event.hello.boot
        self._greeting.greeted(event)

    def _roster_received(self, event: events.RosterReceived) -> None:
        self._greeting.roster_received(event)

    def _both_welcomed(self, event: events.Welcomed) -> None:
        refusal = self._greeting.both_welcomed()
        if refusal is not None:
            self.refuse(refusal)
            return
        self._was_welcomed = True
        self._welcomed.set_result(None)
        if self._on_welcome is not None:
            self._on_welcome(self)

    def _ponged(self, event: events.Ponged) -> None:
        self.round_trip = event.round_trip

    def _going_away(self, event: events.GoingAway) -> None:
        self.closed_because = self.closed_because or clean(event.reason)

    def _closed(self, event: events.Closed) -> None:
        self.closed_because = self.closed_because or clean(event.reason)
        self.pump.wake()

    def _break(self, error: Exception) -> None:
        """Something on this side failed where no peer's fault is known: the link cannot be relied on."""
        log.error("the link with %s failed", clean(self.caller.name or self.caller.address), exc_info=error)
        self.refuse("this side failed; its log says why")

    async def _wait_writable(self, timeout: float | None) -> float | None:
        """Waits until the peer takes more. Returns what is left of the timeout."""
        began = self._loop.time()
        try:
            async with asyncio.timeout(timeout):
                await self.pump.wait_writable()
        except TimeoutError as error:
            text = "the deadline passed while the peer took no bytes; nothing was sent"
            raise CallTimeout(Status.DEADLINE, text, may_have_run=False) from error
        return None if timeout is None else timeout - (self._loop.time() - began)

    def _cannot_call(self, error: LocalProtocolError) -> Exception:
        if self.is_gone or not self.pump.session.is_open:
            reason = self.closed_because or "it is not open yet"
            return CallLost(Status.PEER_GONE, f"the link is not usable: {reason}", may_have_run=False)
        return CallFailed(Status.OVERLOADED, str(error), may_have_run=False)
