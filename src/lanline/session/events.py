"""What a session tells the side that drives it. Past tense: each has happened.

Events are plain values. `call` is the number of a call on this connection: odd numbers were opened by the
connecting side, even ones by the accepting side.
"""

from __future__ import annotations

import msgspec

from lanline.errors import Status
from lanline.session.calls import Ask
from lanline.session.frames import Hello


class Event(msgspec.Struct, frozen=True, gc=False):
    """Base of all events."""


class Greeted(Event, frozen=True):
    """The peer's HELLO came. The driver judges it and answers with `send_roster` and `send_welcome`, or leaves."""

    hello: Hello


class RosterReceived(Event, frozen=True):
    """The peer's roster came: opaque here, at most 1 MiB."""

    data: bytes


class Welcomed(Event, frozen=True):
    """Both sides have judged each other: calls may begin."""


class Opened(Event, frozen=True):
    """The peer began a call.

    Fields: endpoint; arguments as one msgpack array; seconds left until the deadline (None: no deadline);
    whether the peer sends nothing more (an ask, or a stream towards the peer).
    """

    call: int
    endpoint: str
    arguments: msgspec.Raw
    timeout: float | None
    last: bool


class ItemReceived(Event, frozen=True):
    """One item of a call. `size` is what it took of the credit; give it back with `consumed` once it is used. `asker`
    is what the driver gave with an ask, here and below."""

    call: int
    body: bytes
    raw: bool
    size: int
    asker: Ask | None = None


class Ended(Event, frozen=True):
    """The peer sends no more on this call; `body` is its result, empty where there is none. `over`: neither does this
    side, so the call is over."""

    call: int
    body: bytes
    raw: bool
    over: bool
    asker: Ask | None = None


class Failed(Event, frozen=True):
    """The call is over and did not end well."""

    call: int
    status: Status
    text: str
    details: dict[str, str]
    may_have_run: bool
    asker: Ask | None = None


class Cancelled(Event, frozen=True):
    """The peer wants this call stopped: cancel its handler, then answer with `send_error`."""

    call: int
    reason: str


class DeadlinePassed(Event, frozen=True):
    """The deadline of a call the peer opened has passed: cancel its handler, then answer with `send_error`."""

    call: int


class CreditReceived(Event, frozen=True):
    """There is room again to send on this call."""

    call: int


class Ponged(Event, frozen=True):
    """A PONG came back: four stamps in ns. First and last are on this side's clock, the others on the peer's."""

    ping_sent_ns: int
    ping_received_ns: int
    pong_sent_ns: int
    pong_received_ns: int

    @property
    def round_trip(self) -> float:
        """Seconds on the way, without the time the peer took to answer."""
        away = self.pong_received_ns - self.ping_sent_ns
        return max(0, away - (self.pong_sent_ns - self.ping_received_ns)) / 1e9


class GoingAway(Event, frozen=True):
    """The peer opens and accepts no more calls; those under way may finish."""

    reason: str


class Closed(Event, frozen=True):
    """The session is over. `reason` is one sentence, hostile where it came from the peer; `clean` means that
    both sides had said so before."""

    reason: str
    clean: bool
