"""Who hears of what on which call, and what happens to what nobody wants to hear."""

from __future__ import annotations

from lanline.errors import Status
from lanline.link.receivers import Receivers
from lanline.session import events
from tests.session.pair import NOTHING, SessionPair, only


class _Ear:
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def ended(self, event: events.Ended) -> None:
        self.heard.append(event)

    def failed(self, event: events.Failed) -> None:
        self.heard.append(event)

    def item_received(self, event: events.ItemReceived) -> None:
        self.heard.append(event)

    def credit_received(self) -> None:
        self.heard.append("credit")


def test_each_event_goes_to_its_own_call() -> None:
    one, other, receivers = _Ear(), _Ear(), Receivers()
    receivers.update({1: one, 3: other})
    item, credit = events.ItemReceived(1, b"", False, 10), events.CreditReceived(3)
    receivers.item_received(item)
    receivers.credit_received(credit)
    assert (one.heard, other.heard) == ([item], ["credit"])


def test_an_end_takes_the_call_off_only_when_it_is_over() -> None:
    ear, receivers = _Ear(), Receivers()
    receivers[1] = ear
    half, whole = events.Ended(1, b"", False, False), events.Ended(1, b"", False, True)
    receivers.ended(half)
    assert 1 in receivers
    receivers.ended(whole)
    assert 1 not in receivers
    assert ear.heard == [half, whole]


def test_a_failure_takes_the_call_off() -> None:
    ear, receivers = _Ear(), Receivers()
    receivers[1] = ear
    failed = events.Failed(1, Status.INTERNAL, "", {}, True)
    receivers.failed(failed)
    receivers.failed(failed)
    assert ear.heard == [failed] and not receivers


def test_what_nobody_hears_is_forgotten_without_a_word() -> None:
    receivers = Receivers()
    receivers.ended(events.Ended(1, b"", False, True))
    receivers.failed(events.Failed(1, Status.INTERNAL, "", {}, True))
    receivers.credit_received(events.CreditReceived(1))
    receivers.forget(1)
    assert not receivers


def test_items_that_nobody_takes_give_their_credit_back() -> None:
    pair, receivers = SessionPair(), Receivers()
    receivers.session = pair.right
    call = pair.left.open("a.b", NOTHING, last=False)
    pair.exchange()
    credit = pair.left.credit(call)
    pair.left.send_item(call, bytes(150_000))
    pair.exchange()
    receivers.item_received(only(pair.told_right, events.ItemReceived))
    pair.exchange()
    assert pair.left.credit(call) == credit
