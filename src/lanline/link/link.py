"""A link: one connection between two nodes or programs, carrying many calls at once in both directions.

Positional arguments belong to the endpoint that is called, keywords to us. A link is made by `client.connect_link`, by
`server.serve` and by the room's node; it is used by whoever needs a call, from one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Final, Self


from lanline.errors import CallLost, ChannelBroken, ConnectFailed, LocalProtocolError, Status
from lanline.limits import LAN, Limits
from lanline.link.answer import Answer
from lanline.link.call import Call
from lanline.link.caller import Caller
from lanline.link.guard import AwaitRoster, Guard, Refuse, Verdict, Welcome
from lanline.link.incoming import Incoming, Receiver
from lanline.link.pump import Pump
from lanline.link.service import Endpoint
from lanline.link.values import decoder, encode
from lanline.session import events, frames
from lanline.session.session import Session, Side
from lanline.transport.base import Arrival, ConnectionFacts, connection_facts

_UNSTALLABLE: Final = frozenset(("unix", "mem"))
"""Schemes without ping and stall limit: a pager may hold a client for an hour, and the end of the stream is liveness."""

_GOODBYE: Final = 1.0
"""Seconds a peer has to take our GOAWAY and to answer TLS's close_notify, for which asyncio would wait half a minute."""


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
        self._is_patient = scheme in _UNSTALLABLE
        self._arrival = arrival
        self._on_connected = on_connected
        self._on_welcome = on_welcome
        self._on_lost = on_lost
        self._facts: ConnectionFacts
        self._room_data = b""
        self._receivers: dict[int, Receiver] = {}
        self._incoming = Incoming(table, self._receivers)
        self._loop = asyncio.get_running_loop()
        self._welcomed: asyncio.Future[None] = self._loop.create_future()
        self._gone: asyncio.Future[str] = self._loop.create_future()
        self._asked = 0
        self.pump = Pump(
            self._make_session,
            self._handlers_by_event(),
            self._connected,
            self._lost,
            limits=limits,
            stallable=not self._is_patient,
        )

    def __repr__(self) -> str:
        state = "gone" if self.is_gone else self.pump.session.state.name if hasattr(self.pump, "session") else "new"
        return f"<Link {self.caller.name or self.caller.address or 'peer'} {state} calls={len(self._receivers)}>"

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
            CallTimeout, CallRefused, CallFailed, CallLost: see there.
        """
        pump = self.pump
        try:
            if timeout is None:
                number = pump.session.open(endpoint, encode(arguments), last=True)
            else:
                number = pump.session.open(
                    endpoint, encode(arguments), last=True, now=self._loop.time(), timeout=timeout
                )
        except LocalProtocolError as error:
            raise self._cannot_call(error) from error
        future = self._loop.create_future()
        self._receivers[number] = Answer(future, decoder(returns))
        self._asked += 1
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
            CallLost: the link is gone.
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
        call = Call(self.pump, number, endpoint, self.caller, items)
        self._receivers[number] = call
        self._asked += 1
        self.pump.wake()
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
        return self._welcomed.done() and not self._gone.done() and self.pump.session.is_open

    @property
    def is_gone(self) -> bool:
        """Whether the connection is over."""
        return self._gone.done()

    def statistics(self) -> LinkStatistics:
        """Figures since the link began."""
        pump = self.pump
        return LinkStatistics(
            self._asked,
            self._incoming.served,
            pump.session.calls,
            pump.received_bytes,
            pump.sent_bytes,
            self.round_trip,
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
        """Ends the link, telling the peer why; its calls are cancelled, and what it asked in the same breath is not done."""
        if not self.is_gone:
            self.caller = replace(self.caller, role=None)
            self.pump.session.go_away(reason)
            self.pump.close(reason)

    async def close(self, reason: str = "closed here") -> None:
        """Ends the link: calls under way are lost, handlers are cancelled and awaited. A peer that does not take its
        goodbye within a second is cut off."""
        if not self.is_gone:
            self._incoming.lost()
            await self._incoming.wait_stopped()
            self.refuse(reason)
            await asyncio.wait([self._gone], timeout=_GOODBYE)
            if not self.is_gone:
                self.pump.abort(reason)
                await asyncio.wait([self._gone])
        await self._incoming.wait_stopped()

    async def drain(self, timeout: float) -> None:
        """Ends the link once the calls under way are over, or after `timeout` seconds."""
        if not self.is_gone:
            self.pump.session.go_away("this side is stopping")
            self.pump.wake()
            await asyncio.wait([self._gone], timeout=timeout)
        await self.close("this side has stopped")

    async def __aenter__(self) -> Self:
        """Leaving the block closes the link."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the link."""
        await self.close()

    # -- the first exchange --------------------------------------------------------------------------------

    def _make_session(self, now: float) -> Session:
        hello = frames.Hello(
            versions=(frames.VERSION,),
            boot=self._boot,
            window_bytes=self._limits.window_bytes,
            monotonic_ns=int(now * 1e9),
            room=self._guard.room_data(),
        )
        return Session(self.side, hello, now=now, limits=self._limits, keepalive=not self._is_patient)

    def _connected(self, pump: Pump) -> None:
        self._facts = connection_facts(pump.transport)
        self.caller = Caller(address=self._facts.peer_address)
        self._incoming.attach(pump)
        if self._on_connected is not None:
            self._on_connected(self)

    def _greeted(self, event: events.Greeted) -> None:
        self._room_data = event.hello.room
        self.peer_boot = event.hello.boot
        self._act_on(self._guard.judge(self._facts, event.hello.room))

    def _roster_received(self, event: events.RosterReceived) -> None:
        self._act_on(self._guard.judge_with_roster(self._facts, self._room_data, event.data))

    def _act_on(self, verdict: Verdict) -> None:
        session = self.pump.session
        if isinstance(verdict, Welcome):
            self.caller = verdict.caller
            if verdict.roster is not None:
                session.send_roster(verdict.roster)
            session.send_welcome()
        elif isinstance(verdict, Refuse):
            self.refuse(verdict.reason)
        else:
            assert isinstance(verdict, AwaitRoster), "a verdict is one of three"

    def _both_welcomed(self, event: events.Welcomed) -> None:
        if self._arrival is not None and not self._arrival.welcomed(self.caller.name or None):
            self.refuse(f"{self.caller.name} has too many connections to this node already")
            return
        refusal = self._guard.welcomed(self)
        if refusal is not None:
            self.refuse(refusal)
            return
        if not self._welcomed.done():
            self._welcomed.set_result(None)
        if self._on_welcome is not None:
            self._on_welcome(self)

    # -- events --------------------------------------------------------------------------------------------

    def _handlers_by_event(self) -> dict[type[events.Event], Callable[[Any], None]]:
        return {
            events.Ended: self._ended,
            events.Opened: self._incoming.opened,
            events.ItemReceived: self._item_received,
            events.Failed: self._failed,
            events.Cancelled: self._incoming.cancelled,
            events.DeadlinePassed: self._incoming.deadline_passed,
            events.CreditReceived: self._credit_received,
            events.Greeted: self._greeted,
            events.RosterReceived: self._roster_received,
            events.Welcomed: self._both_welcomed,
            events.Ponged: self._ponged,
            events.GoingAway: self._going_away,
            events.Closed: self._closed,
        }

    def _ended(self, event: events.Ended) -> None:
        receivers = self._receivers
        receiver = receivers.pop(event.call, None) if event.over else receivers.get(event.call)
        if receiver is not None:
            receiver.ended(event)

    def _item_received(self, event: events.ItemReceived) -> None:
        receiver = self._receivers.get(event.call)
        if receiver is not None:
            receiver.item_received(event)

    def _failed(self, event: events.Failed) -> None:
        receiver = self._receivers.pop(event.call, None)
        if receiver is not None:
            receiver.failed(event)
        self._incoming.cancelled(events.Cancelled(event.call, event.text))

    def _credit_received(self, event: events.CreditReceived) -> None:
        receiver = self._receivers.get(event.call)
        if receiver is not None:
            receiver.credit_received()

    def _ponged(self, event: events.Ponged) -> None:
        self.round_trip = event.round_trip

    def _going_away(self, event: events.GoingAway) -> None:
        self.closed_because = self.closed_because or event.reason

    def _closed(self, event: events.Closed) -> None:
        self.closed_because = self.closed_because or event.reason
        self.pump.wake()

    def _lost(self, reason: str) -> None:
        reason = self.closed_because or reason
        self.closed_because = reason
        if self._arrival is not None:
            self._arrival.gone()
        self._incoming.lost()
        if not self._welcomed.done():
            self._welcomed.set_exception(ConnectFailed(f"the link did not come about: {reason}"))
            self._welcomed.exception()  # marks it as seen: nobody may be waiting
        elif not self._gone.done():
            self._guard.lost(self, reason)
        if not self._gone.done():
            self._gone.set_result(reason)
            if self._on_lost is not None:
                self._on_lost(self, reason)

    def _cannot_call(self, error: LocalProtocolError) -> Exception:
        if self.is_gone or not self.pump.session.is_open:
            reason = self.closed_because or "it is not open yet"
            return CallLost(Status.PEER_GONE, f"the link is not usable: {reason}", may_have_run=False)
        return ChannelBroken(str(error))
