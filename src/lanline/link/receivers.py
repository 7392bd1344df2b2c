"""Who hears of what happens on each call of a link: the answer of an ask, or a `Call`.

The session brings the answer of an ask along; a `Call` stands in the table here. An entry is there from the call's
beginning until it is over, or until its handler on this side has ended.
"""

from __future__ import annotations

from typing import Protocol

from lanline.link.answer import Answer
from lanline.session import events
from lanline.session.session import Session


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


class Receivers(dict[int, Receiver]):
    """The receivers of one link, by the number of their call."""

    session: Session
    """Of the link; set once it is connected."""

    def forget(self, call: int) -> None:
        """Nobody wants to hear of this call any more."""
        self.pop(call, None)

    def ended(self, event: events.Ended) -> None:
        """Passes on that the peer has ended its half."""
        receiver = _asker(event) or (self.pop(event.call, None) if event.over else self.get(event.call))
        if receiver is not None:
            receiver.ended(event)

    def failed(self, event: events.Failed) -> None:
        """Passes on that a call did not end well."""
        receiver = _asker(event) or self.pop(event.call, None)
        if receiver is not None:
            receiver.failed(event)

    def item_received(self, event: events.ItemReceived) -> None:
        """Passes an item on."""
        receiver = _asker(event) or self.get(event.call)
        if receiver is not None:
            receiver.item_received(event)
        else:
            # Its handler has ended. Without credit for it the peer could not send on to its own end.
            self.session.consumed(event.call, event.size)

    def credit_received(self, event: events.CreditReceived) -> None:
        """Passes on that there is room to send again."""
        receiver = self.get(event.call)
        if receiver is not None:
            receiver.credit_received()


def _asker(event: events.Ended | events.Failed | events.ItemReceived) -> Answer | None:
    """The answer that waits for what the event tells, where the call is an ask."""
    asker = event.asker
    return asker if isinstance(asker, Answer) else None
