"""The connection: first exchange, end, and what holds for every sequence of bytes and steps."""

from __future__ import annotations

import random

import pytest

from lanline.errors import LocalProtocolError, MessageTooLarge, RemoteProtocolError, Status
from lanline.limits import LAN
from lanline.session import events, frames
from lanline.session.calls import Ask
from lanline.session.frames import LAST, MORE, Kind
from lanline.session.session import Session, Side
from lanline.session.states import CONNECTION, State, Step
from tests.session.pair import NOTHING, SessionPair, hello, kinds, only, opened, sent, session

HELLO = frames.pack(Kind.HELLO, 0, frames.encode_body(hello()))
WELCOME = frames.pack(Kind.WELCOME, 0)
ROSTER = frames.pack(Kind.ROSTER, 0, b"roster")
GOAWAY = frames.pack(Kind.GOAWAY, 0, frames.encode_body(frames.Farewell("bye")))
PING = frames.pack(Kind.PING, 0, frames.encode_body(frames.Stamps(5)))


# -- the first exchange --------------------------------------------------------------------------------------


def test_both_sides_say_hello_at_once_and_open_when_both_have_welcomed() -> None:
    pair = SessionPair(greet=False)
    pair.exchange()
    assert kinds(pair.told_left) == kinds(pair.told_right) == ["Greeted"]
    assert pair.left.state is pair.right.state is State.JUDGING
    pair.left.send_welcome()
    pair.exchange()
    assert (pair.left.state, pair.right.state) == (State.WAITING, State.WELCOMED)
    pair.right.send_welcome()
    pair.exchange()
    assert pair.left.is_open and pair.right.is_open
    assert kinds(pair.told_left)[:2] == kinds(pair.told_right)[:2] == ["Greeted", "Welcomed"]


def test_a_hello_says_what_the_peer_is() -> None:
    pair = SessionPair(greet=False)
    pair.exchange()
    greeted = only(pair.told_right, events.Greeted)
    assert greeted.hello == pair.right.peer_hello == hello()


@pytest.mark.parametrize("size", [1, 65_536, 65_537, LAN.max_roster_bytes])
def test_the_side_with_the_newer_roster_sends_it_before_its_welcome(size: int) -> None:
    pair = SessionPair(greet=False)
    pair.exchange()
    roster = random.randbytes(size)
    pair.left.send_roster(roster)
    pair.left.send_welcome()
    pair.exchange()
    assert only(pair.told_right, events.RosterReceived).data == roster
    pair.right.send_welcome()
    pair.exchange()
    assert pair.left.is_open and pair.right.is_open


def test_a_roster_may_come_to_who_has_welcomed_already() -> None:
    """The peer's roster grew between its HELLO and its judgement."""
    one = session()
    one.receive_data(HELLO, 0.0)
    one.send_welcome()
    one.receive_data(ROSTER + WELCOME, 0.0)
    assert kinds(one.events()) == ["Greeted", "RosterReceived", "Welcomed"]


def test_a_roster_over_its_limit_is_refused_before_it_is_whole() -> None:
    one = session()
    one.receive_data(HELLO, 0.0)
    part = frames.pack(Kind.ROSTER, 0, b"x" * LAN.max_frame_bytes, MORE)
    for _ in range(16):
        one.receive_data(part, 0.0)
    with pytest.raises(MessageTooLarge, match="roster of 1114112 bytes, limit 1048576 bytes"):
        one.receive_data(part, 0.0)


def test_a_second_roster_is_refused() -> None:
    one = session()
    one.receive_data(HELLO + ROSTER, 0.0)
    with pytest.raises(RemoteProtocolError, match="second roster"):
        one.receive_data(ROSTER, 0.0)


def test_a_welcome_inside_a_roster_is_refused() -> None:
    one = session()
    one.receive_data(HELLO + frames.pack(Kind.ROSTER, 0, b"ros", MORE), 0.0)
    with pytest.raises(RemoteProtocolError, match="before the roster was whole"):
        one.receive_data(WELCOME, 0.0)


def test_a_hello_over_16_kib_is_refused_on_its_header() -> None:
    one = session()
    with pytest.raises(MessageTooLarge, match="frame of 16385 bytes, limit 16384 bytes"):
        one.receive_data(frames.HEADER.pack(16_385, Kind.HELLO, 0, 0), 0.0)
    assert kinds(one.events()) == ["Closed"]


def test_a_hello_of_16_kib_is_read() -> None:
    one = session()
    filled = frames.Hello((1,), b"12345678", room=b"x" * 16_000)
    one.receive_data(frames.pack(Kind.HELLO, 0, frames.encode_body(filled)), 0.0)
    assert only(one.events(), events.Greeted).hello == filled


def test_a_version_that_both_speak_is_enough() -> None:
    one = session()
    many = frames.Hello((9, 7, 1), b"12345678")
    one.receive_data(frames.pack(Kind.HELLO, 0, frames.encode_body(many)), 0.0)
    assert one.state is State.JUDGING


@pytest.mark.parametrize(("versions", "words"), [((2, 3), "versions 2, 3; this"), ((), "versions none; this")])
def test_a_version_that_we_do_not_speak_is_refused_with_both_named(versions: tuple[int, ...], words: str) -> None:
    one = session()
    later = frames.Hello(versions, b"12345678")
    with pytest.raises(RemoteProtocolError, match=f"speaks protocol {words} side speaks 1"):
        one.receive_data(frames.pack(Kind.HELLO, 0, frames.encode_body(later)), 0.0)


# -- the table of states -------------------------------------------------------------------------------------


def _in(state: State) -> Session:
    """A session in this state, with one call of the peer's under way where there can be one."""
    one = session()
    if state is not State.HELLO:
        one.receive_data(HELLO, 0.0)
    if state in (State.WAITING, State.OPEN, State.DRAINING):
        one.send_welcome()
    if state in (State.WELCOMED, State.OPEN, State.DRAINING):
        one.receive_data(WELCOME, 0.0)
    if state is State.DRAINING:
        one.receive_data(frames.pack(Kind.OPEN, 1, frames.encode_open("a.b", NOTHING), LAST), 0.0)
        one.go_away()
    if state is State.CLOSED:
        one.receive_eof(0.0)
    one.events()
    one.data_to_send()
    assert one.state is state
    return one


_FRAMES = {
    Step.HELLO_RECEIVED: HELLO,
    Step.ROSTER_RECEIVED: ROSTER,
    Step.WELCOME_RECEIVED: WELCOME,
    Step.CALL_FRAME: frames.pack(Kind.END, 1),
    Step.PING_OR_PONG: PING,
    Step.GOAWAY: GOAWAY,
}


@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
@pytest.mark.parametrize("step", _FRAMES)
def test_the_table_decides_what_may_be_received(state: State, step: Step) -> None:
    one = _in(state)
    if step is Step.CALL_FRAME and state is State.OPEN:
        one.receive_data(frames.pack(Kind.OPEN, 1, frames.encode_open("a.b", NOTHING)), 0.0)
    data = _FRAMES[step]
    if step is Step.CALL_FRAME and state is State.DRAINING:
        data = frames.pack(Kind.CREDIT, 1, b"\x05")  # an END would end it all
    if step in CONNECTION[state]:
        one.receive_data(data, 0.0)
        expected = CONNECTION[state][step]
        assert one.state is (State.CLOSED if step is Step.GOAWAY and not one.calls else expected)
    else:
        with pytest.raises(RemoteProtocolError, match=r"not allowed in|before both sides"):
            one.receive_data(data, 0.0)
        assert one.is_closed
        assert [kind for kind, *_ in sent(one)] == [Kind.GOAWAY]


@pytest.mark.parametrize("state", State)
def test_the_table_decides_when_a_welcome_may_be_sent(state: State) -> None:
    one = _in(state)
    if Step.WELCOME_SENT in CONNECTION[state]:
        one.send_welcome()
        assert one.state is CONNECTION[state][Step.WELCOME_SENT]
    else:
        with pytest.raises(LocalProtocolError, match=f"welcome sent is not allowed in {state.name}"):
            one.send_welcome()
        assert one.state is state and not one.has_data_to_send


@pytest.mark.parametrize("state", State)
def test_a_roster_is_sent_only_while_judging(state: State) -> None:
    one = _in(state)
    if state in (State.JUDGING, State.WELCOMED):
        one.send_roster(b"roster")
        assert sent(one) == [(Kind.ROSTER, 0, 0, b"roster")]
    else:
        with pytest.raises(LocalProtocolError, match="only while judging"):
            one.send_roster(b"roster")


@pytest.mark.parametrize("kind", [0, 13, 99, 255])
@pytest.mark.parametrize("state", [State.HELLO, State.OPEN])
def test_a_frame_of_an_unknown_kind_is_refused(kind: int, state: State) -> None:
    one = _in(state)
    with pytest.raises(RemoteProtocolError, match="unknown kind"):
        one.receive_data(frames.pack(kind, 0), 0.0)


def test_a_closed_session_takes_everything_and_says_nothing() -> None:
    one = _in(State.CLOSED)
    one.receive_data(HELLO + WELCOME + b"garbage", 1.0)
    one.receive_eof(1.0)
    one.deadline_passed(1e9)
    one.go_away("again")
    one.close("again")
    assert not one.has_events and not one.has_data_to_send
    assert one.next_deadline() is None and one.next_event() is None


# -- the end -------------------------------------------------------------------------------------------------


def test_a_refusal_ends_the_first_exchange_with_its_reason() -> None:
    pair = SessionPair(greet=False)
    pair.exchange()
    pair.right.go_away("not in this room")
    pair.exchange()
    assert pair.left.is_closed and pair.right.is_closed
    assert pair.told_left[1:] == [events.GoingAway("not in this room"), events.Closed("not in this room", True)]


def test_a_side_that_goes_away_lets_calls_finish() -> None:
    pair = SessionPair()
    ours, theirs = pair.left.ask("a.b", NOTHING), pair.right.ask("a.b", NOTHING)
    pair.exchange()
    pair.left.go_away("updating")
    pair.exchange()
    assert pair.left.state is pair.right.state is State.DRAINING
    pair.right.send_end(ours)
    pair.exchange()
    assert pair.left.state is State.DRAINING
    pair.left.send_end(theirs)
    pair.exchange()
    assert pair.left.is_closed and pair.right.is_closed
    assert only(pair.told_left, events.Closed).clean and only(pair.told_right, events.Closed).clean
    assert "Failed" not in kinds(pair.told_left) + kinds(pair.told_right)


def test_a_side_without_calls_goes_at_once() -> None:
    pair = SessionPair()
    pair.left.go_away("bye")
    assert pair.left.is_closed
    pair.exchange()
    assert pair.right.is_closed
    assert kinds(pair.told_right) == ["GoingAway", "Closed"]


def test_both_sides_may_go_at_once() -> None:
    pair = SessionPair()
    call = pair.left.ask("a.b", NOTHING)
    pair.exchange()
    pair.left.go_away("one")
    pair.right.go_away("two")
    pair.exchange()
    pair.right.send_end(call)
    pair.exchange()
    assert pair.left.is_closed and pair.right.is_closed and not pair.errors


def test_pings_go_on_while_draining() -> None:
    pair = SessionPair()
    pair.left.ask("a.b", NOTHING)
    pair.exchange()
    pair.left.go_away()
    pair.now = 15.0
    pair.left.deadline_passed(15.0)
    pair.exchange()
    assert "Ponged" in kinds(pair.told_left)


def test_whatever_follows_the_end_in_the_same_bytes_is_dropped() -> None:
    one = opened()
    one.receive_data(GOAWAY + HELLO + b"\xff" * 9, 0.0)
    assert kinds(one.events()) == ["GoingAway", "Closed"]
    one = opened()
    one.go_away()
    one.receive_data(PING + frames.pack(99, 0), 0.0)
    assert kinds(one.events()) == ["Closed"]


def test_closing_loses_calls_and_says_so_on_both_sides() -> None:
    pair = SessionPair()
    ours, theirs = pair.left.ask("a.b", NOTHING), pair.right.ask("a.b", NOTHING)
    pair.exchange()
    pair.left.close("the operator said so")
    pair.exchange()
    pair.right.receive_eof(1.0)
    pair.exchange()
    for told in (pair.told_left, pair.told_right):
        failed = {event.call: event for event in told if isinstance(event, events.Failed)}
        assert failed.keys() == {ours, theirs}
        assert {one.status for one in failed.values()} == {Status.PEER_GONE}
        assert only(told, events.Closed).reason == "the operator said so"


def test_the_end_of_the_stream_loses_calls() -> None:
    pair = SessionPair()
    call = pair.left.ask("a.b", NOTHING)
    abandoned = pair.left.ask("a.b", NOTHING)
    pair.left.cancel(abandoned)
    pair.left.receive_eof(1.0)
    told = pair.left.events()
    assert [event.call for event in told if isinstance(event, events.Failed)] == [abandoned, call]
    assert told[-1] == events.Closed("the peer closed the connection", False)
    assert pair.left.calls == 0 and pair.left.next_deadline() is None


def test_a_slow_frame_ends_the_session_with_the_rule() -> None:
    one = opened()
    one.deadline_passed(0.0)
    sent(one)  # its own PING
    one.receive_data(PING[:11], 2.0)
    due = one.next_deadline()
    assert due == 2.0 + 5.0 + (len(PING) - 10) / 1024
    one.deadline_passed(due)
    assert one.is_closed
    [(kind, _, _, body)] = sent(one)
    assert kind is Kind.GOAWAY
    assert frames.decode_farewell(body).reason.endswith("within 30 s, at 1024 bytes/s at least")


def test_a_deadline_that_ends_the_last_call_ends_a_draining_session_once() -> None:
    one = opened(Side.CONNECTING)
    one.open("a.b", NOTHING, last=False, now=0.0, timeout=2.0)
    one.receive_data(frames.pack(Kind.END, 1), 0.0)
    one.go_away()
    one.receive_data(PING[:5], 0.0)
    one.deadline_passed(100.0)
    assert kinds(one.events()) == ["Ended", "Failed", "Closed"]


def test_the_text_of_a_hostile_goodbye_is_taken_as_it_is() -> None:
    one = opened()
    one.receive_data(frames.pack(Kind.GOAWAY, 0, frames.encode_body(("\x1b[2J" * 1000,))), 0.0)
    assert only(one.events(), events.GoingAway).reason == "\x1b[2J" * 1000, "cleaning is the reader's part"


def test_events_and_bytes_are_handed_over_once() -> None:
    pair = SessionPair()
    pair.left.ask("a.b", NOTHING)
    pair.deliver(pair.left, pair.right)
    assert pair.right.has_events
    assert isinstance(pair.right.next_event(), events.Opened)
    assert pair.right.next_event() is None
    assert pair.right.events() == []
    assert pair.left.data_to_send() == [] and not pair.left.has_data_to_send


# -- asks with an asker --------------------------------------------------------------------------------------


class _Asker(Ask):
    """What a driver wants back."""

    name: str


def test_a_result_comes_back_with_its_asker_and_without_an_event() -> None:
    pair = SessionPair()
    askers = [_Asker(name) for name in ("one", "two", "three")]
    calls = [pair.left.ask("a.b", NOTHING, asker) for asker in askers]
    pair.exchange()
    for call in reversed(calls):
        pair.right.send_end(call, b"\x05")
    pair.exchange()
    answered, results = pair.left.answers()
    assert answered == askers[::-1] and results == [b"\x05"] * 3
    assert pair.left.answers() == ([], []) and pair.told_left == []
    assert pair.left.calls == pair.right.calls == 0


def test_a_result_that_is_raw_or_large_comes_as_an_event_with_its_asker() -> None:
    for body, raw in ((b"\x00", True), (b"x" * 70_000, False)):
        pair, asker = SessionPair(), _Asker("one")
        call = pair.left.ask("a.b", NOTHING, asker)
        pair.exchange()
        pair.right.send_end(call, body, raw=raw)
        pair.exchange()
        assert pair.left.answers() == ([], [])
        assert only(pair.told_left, events.Ended).asker is asker


def test_whatever_else_happens_to_an_ask_brings_its_asker_along() -> None:
    pair, asker = SessionPair(), _Asker("one")
    calls = [pair.left.ask("a.b", NOTHING, asker) for _ in range(4)]
    calls.append(pair.left.open("a.b", NOTHING, last=True, now=0.0, timeout=1.0, asker=asker))
    pair.exchange()
    pair.right.send_error(calls[0], Status.REFUSED, "no")
    pair.right.send_item(calls[1], b"not one answer but many")
    pair.left.cancel(calls[2])
    pair.exchange()
    pair.left.deadline_passed(1.0)
    pair.left.close()
    pair.exchange()
    told = [event for event in pair.told_left if isinstance(event, events.Failed | events.ItemReceived)]
    assert sorted(kinds(told)) == ["Failed"] * 5 + ["ItemReceived"]
    assert {event.call for event in told} == set(calls)
    assert all(event.asker is asker for event in told)


def test_an_ask_that_crosses_a_goaway_brings_its_asker_along() -> None:
    pair, asker = SessionPair(), _Asker("one")
    pair.right.go_away()
    pair.left.ask("a.b", NOTHING, asker)
    pair.exchange()
    assert only(pair.told_left, events.Failed).asker is asker


def test_the_last_answer_ends_a_draining_session() -> None:
    pair, asker = SessionPair(), _Asker("one")
    call = pair.left.ask("a.b", NOTHING, asker)
    pair.exchange()
    pair.left.go_away()
    pair.right.send_end(call, b"\x05")
    pair.exchange()
    assert pair.left.answers() == ([asker], [b"\x05"])
    assert pair.left.is_closed and only(pair.told_left, events.Closed).clean


def test_an_answer_cut_in_two_by_the_network_is_an_answer_all_the_same() -> None:
    for cut_at in range(1, 15):
        one, asker = opened(Side.CONNECTING), _Asker("one")
        data = frames.pack(Kind.END, one.ask("a.b", NOTHING, asker), b"\xa3hey")
        one.receive_data(data[:cut_at], 0.0)
        one.receive_data(data[cut_at:], 0.0)
        answered, results = one.answers()
        told = one.events()
        assert (answered, results) == ([asker], [b"\xa3hey"]) or only(told, events.Ended).asker is asker
        assert one.calls == 0


def test_a_session_says_what_it_is() -> None:
    one = opened(Side.CONNECTING)
    one.ask("a.b", NOTHING)
    assert repr(one) == "<Session CONNECTING OPEN calls=1>"
