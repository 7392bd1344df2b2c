"""When a silent peer is pinged and when it is given up, on explicit times."""

from __future__ import annotations

import pytest

from lanline.errors import RemoteProtocolError
from lanline.limits import LAN
from lanline.session import events, frames
from lanline.session.frames import Kind
from lanline.session.keepalive import Keepalive
from lanline.session.session import Session
from lanline.session.states import State
from tests.session.pair import SessionPair, kinds, only, opened, sent


def _drive(one: Session, until: float) -> list[float]:
    """Calls `deadline_passed` exactly when asked to, up to a time. Returns the times of the pings sent."""
    pings = []
    while (due := one.next_deadline()) is not None and due <= until:
        one.deadline_passed(due)
        pings += [due for kind, *_ in sent(one) if kind is Kind.PING]
    return pings


def test_a_silent_peer_is_pinged_at_once_then_twice_and_gone_after_45_s() -> None:
    one = opened()
    assert _drive(one, 44.9) == [0, 15, 30]
    assert kinds(one.events()) == []
    _drive(one, 45)
    assert one.is_closed
    closed = only(one.events(), events.Closed)
    assert closed == events.Closed("nothing came from the peer for 45 s", False)


def test_whatever_comes_counts_as_life() -> None:
    one = opened()
    assert _drive(one, 0) == [0]
    one.receive_data(frames.pack(Kind.PING, 0, frames.encode_body(frames.Stamps(1)))[:3], 10.0)
    one.receive_data(frames.pack(Kind.PING, 0, frames.encode_body(frames.Stamps(1)))[3:], 12.0)
    assert [kind for kind, *_ in sent(one)] == [Kind.PONG]
    assert _drive(one, 56.9) == [27, 42]
    assert not one.is_closed
    _drive(one, 57)
    assert one.is_closed


def test_two_quiet_sides_keep_each_other_alive_for_a_day() -> None:
    pair = SessionPair()
    while pair.now < 86_400:
        due = min(one.next_deadline() or 0 for one in (pair.left, pair.right))
        pair.now = max(pair.now, due)
        pair.left.deadline_passed(pair.now)
        pair.right.deadline_passed(pair.now)
        pair.exchange()
    assert pair.left.is_open and pair.right.is_open
    assert set(kinds(pair.told_left)) <= {"Ponged"}
    pings = len(pair.told_left) + len(pair.told_right)
    assert 86_400 / 15 - 5 <= pings <= 2 * (1 + 86_400 / 15)


def test_what_our_own_loop_slept_through_is_not_held_against_the_peer() -> None:
    one = opened()
    one.deadline_passed(15.0)
    sent(one)
    one.deadline_passed(15.0 + 600)  # was due at 30
    assert not one.is_closed
    assert [kind for kind, *_ in sent(one)] == [Kind.PING], "the peer is asked again, and has time to answer"
    _drive(one, 15.0 + 600 + 14.9)
    assert not one.is_closed


def test_a_loop_that_lags_always_still_finds_a_dead_peer() -> None:
    one, now = opened(), 0.0
    while not one.is_closed and now < 600:
        now = (one.next_deadline() or 0) + 0.9
        one.deadline_passed(now)
    assert one.is_closed
    assert now < 60


def test_the_round_trip_is_known_from_the_beginning() -> None:
    pair = SessionPair()
    pair.now = 0.5  # the timer comes late: the stamp is of then, and not of when the session was opened
    pair.left.deadline_passed(0.5)
    pair.deliver(pair.left, pair.right)
    pair.now = 0.75
    pair.exchange()
    assert only(pair.told_left, events.Ponged).round_trip == pytest.approx(0.25)
    assert pair.left.next_deadline() == pytest.approx(15.5)


def test_a_pong_tells_the_round_trip_on_both_clocks() -> None:
    pair = SessionPair()
    pair.now = 15.0
    pair.left.deadline_passed(15.0)
    pair.deliver(pair.left, pair.right)
    pair.now = 15.25
    pair.exchange()
    ponged = only(pair.told_left, events.Ponged)
    assert ponged.ping_sent_ns == 15_000_000_000
    assert ponged.pong_received_ns == 15_250_000_000
    assert ponged.round_trip == pytest.approx(0.25)


@pytest.mark.parametrize("stamp", [1, 15_000_000_001])
def test_a_pong_for_a_ping_never_sent_is_refused(stamp: int) -> None:
    one = opened()
    one.deadline_passed(15.0)
    with pytest.raises(RemoteProtocolError, match="never sent"):
        one.receive_data(frames.pack(Kind.PONG, 0, frames.encode_body(frames.Stamps(stamp, 1, 1))), 15.1)


def test_a_ping_is_answered_once() -> None:
    one = opened()
    one.deadline_passed(15.0)
    pong = frames.pack(Kind.PONG, 0, frames.encode_body(frames.Stamps(15_000_000_000, 1, 1)))
    one.receive_data(pong, 15.1)
    assert kinds(one.events()) == ["Ponged"]
    with pytest.raises(RemoteProtocolError, match="answered before"):
        one.receive_data(pong, 15.2)


def test_there_is_no_ping_where_the_end_of_the_stream_is_liveness() -> None:
    one = opened(keepalive=False)
    assert one.next_deadline() is None
    one.deadline_passed(1e9)
    assert one.is_open and not one.has_data_to_send


def test_a_peer_that_never_welcomes_is_given_up_without_a_ping() -> None:
    pair = SessionPair(greet=False)
    pair.exchange()
    pair.left.send_welcome()
    assert sent(pair.left)[0][0] is Kind.WELCOME
    assert _drive(pair.left, 100) == []
    assert pair.left.state is State.CLOSED


def test_the_times_come_from_the_limits() -> None:
    keepalive = Keepalive(LAN._replace(ping_after=2.0, gone_after=5.0), 100.0)
    assert keepalive.due == 102
    assert keepalive.check(102.0) is None and keepalive.wants_ping(102.0)
    assert not keepalive.wants_ping(103.9)
    assert keepalive.check(104.9) is None
    assert keepalive.check(105.0) == 5
