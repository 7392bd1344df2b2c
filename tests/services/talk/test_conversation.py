"""Claims about a talk over a stream: events in, events out."""

from __future__ import annotations

import pytest

from lanline.errors import ChannelEnded, ChannelReset, PipeBroken
from lanline.services.talk.conversation import Conversation
from lanline.services.talk.events import SILENCE, EndHalf, Event, How, Over, Said, Send
from lanline.services.talk.incoming import SETTLE
from lanline.services.talk.lineends import Mode
from lanline.services.talk.typist import Typed

ENDED = ChannelEnded("the peer has closed the channel")


def talk(*, newline: Mode = "auto", is_framed: bool = False, is_person: bool = True) -> Conversation:
    return Conversation("pc7", newline=newline, is_framed=is_framed, is_person=is_person)


def how(events: list[Event]) -> How | None:
    """How the last of these ended the talk; None where it did not."""
    last = events[-1] if events else None
    return last.how if isinstance(last, Over) else None


def test_both_sides_speak_whenever_they_like() -> None:
    one = talk()
    assert one.typed(Typed(b"hi"), 0.0) == [Send(b"hi\n")]
    assert one.typed(Typed("你好".encode()), 0.0) == [Send("你好\n".encode())]
    assert one.received(b"a\nb\n", 0.0) == [Said("a"), Said("b")]
    assert one.typed(Typed(b""), 0.0) == [Send(b"\n")]


@pytest.mark.parametrize("word", [b"q", b"Q"])
def test_q_is_sent_and_then_the_talk_is_over(word: bytes) -> None:
    events = talk().typed(Typed(word), 0.0)
    assert events[0] == Send(word + b"\n")
    assert how(events) is How.OWN_Q


def test_a_q_from_the_partner_ends_the_talk_after_what_stuck_to_it() -> None:
    events = talk().received(b"bye\nq\n", 0.0)
    assert events[0] == Said("bye")
    assert how(events) is How.PARTNER_Q


def test_a_q_in_pasted_lines_or_at_the_end_of_a_long_one_is_no_farewell() -> None:
    one = talk()
    assert one.typed(Typed(b"a\nq\nb"), 0.0) == [Send(b"a\nq\nb\n")]
    assert one.typed(Typed(b"long", is_whole=False), 0.0) == [Send(b"long")]
    assert one.typed(Typed(b"q"), 0.0) == [Send(b"q\n")]


def test_lines_go_out_bare_to_a_partner_that_sends_bare_ones() -> None:
    one = talk()
    assert one.received(b"hello", 1.0) == []
    assert one.deadline == 1.0 + SETTLE
    assert one.tick(1.0 + SETTLE) == [Said("hello")]
    assert one.typed(Typed(b"hi"), 2.0) == [Send(b"hi")]
    assert one.typed(Typed(b""), 2.0) == []
    assert one.typed(Typed(b"q"), 2.0)[0] == Send(b"q")


def test_in_a_framing_no_newline_is_added_and_pasted_lines_are_messages() -> None:
    one = talk(is_framed=True)
    assert one.typed(Typed(b"a\nb"), 0.0) == [Send(b"a"), Send(b"b")]
    assert one.received(b"a\nq\n", 0.0) == [Said("a"), Said("q")]
    assert how(one.received(b"q", 0.0)) is How.PARTNER_Q


def test_a_persons_end_of_input_is_ctrl_d() -> None:
    assert how(talk().input_ended(0.0)) is How.CTRL_D


def test_the_end_of_a_pipe_leaves_the_partner_time_to_answer() -> None:
    one = talk(is_person=False)
    assert one.input_ended(10.0) == [EndHalf()]
    assert one.tick(10.0 + SILENCE - 0.1) == []
    assert one.received(b"still here\n", 11.0) == [Said("still here")]
    assert one.deadline == 11.0 + SILENCE
    assert how(one.tick(11.0 + SILENCE)) is How.SILENCE


def test_a_partner_that_ends_after_the_pipe_did_closes_the_talk() -> None:
    one = talk(is_person=False)
    one.input_ended(0.0)
    assert how(one.partner_ended(ENDED, 1.0)) is How.CLOSED


def test_a_person_is_told_at_once_that_the_partner_has_closed() -> None:
    one = talk()
    one.received(b"last words", 0.0)
    events = one.partner_ended(ENDED, 0.1)
    assert events[0] == Said("last words")
    assert how(events) is How.CLOSED


def test_a_pipe_may_go_on_after_the_partner_has_ended_its_half() -> None:
    one = talk(is_person=False)
    assert one.partner_ended(ENDED, 0.0) == []
    assert one.typed(Typed(b"answer"), 1.0) == [Send(b"answer\n")]
    assert one.deadline == 1.0 + SILENCE
    assert how(one.input_ended(2.0)) is How.CLOSED
    silent = talk(is_person=False)
    silent.partner_ended(ENDED, 0.0)
    assert how(silent.tick(SILENCE)) is How.CLOSED


def test_what_breaks_after_the_partner_ended_is_its_end() -> None:
    one = talk(is_person=False)
    one.partner_ended(ENDED, 0.0)
    assert how(one.partner_ended(PipeBroken("sent to a peer that had closed"), 1.0)) is How.CLOSED


def test_a_broken_connection_is_no_proper_end() -> None:
    events = talk().partner_ended(ChannelReset("the connection with pc7 was reset"), 0.0)
    assert how(events) is How.BROKEN
    assert isinstance(events[-1], Over) and events[-1].exit_code == 1


def test_a_caller_that_had_ended_and_said_no_word_was_no_partner() -> None:
    def called(*, is_person: bool = True) -> Conversation:
        return Conversation("pc7", newline="auto", is_framed=False, is_person=is_person, has_hung_up=True)

    assert how(called().partner_ended(ENDED, 0.0)) is How.HUNG_UP
    assert how(called().partner_ended(ChannelReset("reset"), 0.0)) is How.HUNG_UP
    silent = called(is_person=False)
    assert silent.partner_ended(ENDED, 1.0) == []
    assert how(silent.tick(1.0 + SETTLE)) is How.HUNG_UP
    fetching = called(is_person=False)
    fetching.partner_ended(ENDED, 1.0)
    assert fetching.typed(Typed(b"for whoever only listens"), 1.0) == [Send(b"for whoever only listens\n")]
    assert how(fetching.tick(1.0 + SETTLE)) is None
    assert how(fetching.input_ended(1.0)) is How.CLOSED


def test_a_farewell_just_before_the_end_of_the_stream_counts() -> None:
    one = talk()
    one.received(b"q", 0.0)
    assert how(one.partner_ended(ENDED, 0.01)) is How.PARTNER_Q
