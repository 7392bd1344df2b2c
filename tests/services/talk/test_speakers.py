"""Claims about a talk over datagrams: whom the answers go to, who leaves, what does not fit."""

from __future__ import annotations

from lanline.errors import DatagramRefused
from lanline.services.talk.events import SILENCE, Event, How, Noted, Over, Said, Send
from lanline.services.talk.speakers import Speakers
from lanline.services.talk.typist import Typed

ANN, BOB = "udp://127.0.0.1:40001", "udp://127.0.0.1:40002"


def listening(*, keeps_on: bool = False, is_person: bool = True) -> Speakers:
    return Speakers(newline="auto", partner=None, keeps_on=keeps_on, is_person=is_person)


def kinds(events: list[Event]) -> list[str]:
    return [
        event.kind if isinstance(event, Noted) else event.how.value if isinstance(event, Over) else ""
        for event in events
    ]


def test_answers_go_to_whoever_spoke_last_and_a_change_is_said() -> None:
    speakers = listening()
    assert kinds(speakers.received(ANN, b"hi\n", 0.0)) == ["partner", ""]
    assert speakers.received(ANN, b"again\n", 0.0) == [Said("again", ANN)]
    assert speakers.typed(Typed(b"yes"), 0.0) == [Send(b"yes\n", ANN)]
    change = speakers.received(BOB, b"me too\n", 0.0)
    assert change[0] == Noted("partner", f"answers go to {BOB} now", BOB)
    assert change[1] == Said("me too", BOB)
    assert speakers.typed(Typed(b"both"), 0.0) == [Send(b"both\n", BOB)]


def test_before_anybody_has_spoken_there_is_nobody_to_answer() -> None:
    speakers = listening()
    assert kinds(speakers.typed(Typed(b"hello?"), 0.0)) == ["unsent"]
    assert kinds(speakers.typed(Typed(b"q"), 0.0)) == [How.OWN_Q.value]


def test_line_ends_are_learned_for_each_speaker() -> None:
    speakers = listening()
    speakers.received(ANN, b"bare", 0.0)
    assert speakers.typed(Typed(b"x"), 0.0) == [Send(b"x", ANN)]
    speakers.received(BOB, b"ended\n", 0.0)
    assert speakers.typed(Typed(b"x"), 0.0) == [Send(b"x\n", BOB)]
    speakers.received(ANN, b"bare", 0.0)
    assert speakers.typed(Typed(b"x"), 0.0) == [Send(b"x", ANN)]


def test_an_empty_datagram_is_shown_and_is_not_the_end() -> None:
    events = listening().received(ANN, b"", 0.0)
    assert kinds(events) == ["partner", "empty"]


def test_q_is_sent_and_ends_this_side() -> None:
    speakers = listening(keeps_on=True)
    speakers.received(ANN, b"hi\n", 0.0)
    events = speakers.typed(Typed(b"Q"), 0.0)
    assert events[0] == Send(b"Q\n", ANN) and kinds(events)[1] == How.OWN_Q.value


def test_q_of_the_partner_ends_the_talk_unless_others_are_waited_for() -> None:
    once = listening()
    once.received(ANN, b"hi\n", 0.0)
    assert kinds(once.received(ANN, b"q", 0.0)) == [How.PARTNER_Q.value]
    keeping = listening(keeps_on=True)
    keeping.received(ANN, b"hi\n", 0.0)
    assert kinds(keeping.received(ANN, b"q\n", 0.0)) == ["left"]
    assert kinds(keeping.typed(Typed(b"still there?"), 0.0)) == ["unsent"]
    assert kinds(keeping.received(BOB, b"hi", 0.0)) == ["partner", ""]


def test_q_of_somebody_else_does_not_end_the_talk() -> None:
    speakers = listening()
    speakers.received(ANN, b"hi\n", 0.0)
    assert speakers.received(BOB, b"q", 0.0) == [Noted("left", f"{BOB} has left the talk", BOB)]
    assert speakers.typed(Typed(b"x"), 0.0) == [Send(b"x\n", ANN)]


def test_a_named_partner_needs_no_prefix_and_stays() -> None:
    speakers = Speakers(newline="auto", partner=ANN, keeps_on=False, is_person=True)
    assert speakers.typed(Typed(b"first"), 0.0) == [Send(b"first\n", ANN)]
    assert speakers.received(ANN, b"two\nlines", 0.0) == [Said("two"), Said("lines")]


def test_a_refusal_is_said_and_survived() -> None:
    speakers = Speakers(newline="auto", partner=ANN, keeps_on=False, is_person=True)
    assert kinds(speakers.refused(DatagramRefused("nobody listens"), 0.0)) == ["refused"]
    assert speakers.received(ANN, b"now I do\n", 0.0) == [Said("now I do")]


def test_the_end_of_a_pipe_waits_for_answers_and_a_refusal_counts_then() -> None:
    speakers = Speakers(newline="auto", partner=ANN, keeps_on=False, is_person=False)
    assert speakers.input_ended(1.0) == []
    speakers.received(ANN, b"answer\n", 2.0)
    assert speakers.deadline == 2.0 + SILENCE
    assert speakers.tick(2.5) == []
    assert kinds(speakers.tick(2.0 + SILENCE)) == [How.SILENCE.value]
    refused = Speakers(newline="auto", partner=ANN, keeps_on=False, is_person=False)
    refused.input_ended(1.0)
    refused.refused(DatagramRefused("nobody listens"), 1.1)
    (over,) = refused.tick(1.0 + SILENCE)
    assert isinstance(over, Over) and over.exit_code == 1


def test_a_line_too_long_for_a_datagram_is_refused_whole_with_its_size() -> None:
    speakers = listening()
    speakers.received(ANN, b"hi\n", 0.0)
    assert speakers.typed(Typed(b"x" * 65_536, is_whole=False), 0.0) == []
    (note,) = speakers.typed(Typed(b"q"), 0.0)
    assert note == Noted("unsent", "not sent: datagram of 65537 bytes, limit 65507 bytes")
    assert speakers.typed(Typed(b"short"), 0.0) == [Send(b"short\n", ANN)]


def test_a_persons_end_of_input_is_ctrl_d() -> None:
    assert kinds(listening().input_ended(0.0)) == [How.CTRL_D.value]


def test_any_number_of_speakers_takes_bounded_memory() -> None:
    speakers = listening()
    for number in range(5000):
        speakers.received(f"udp://127.0.0.1:{number}", b"x", 0.0)
    assert len(speakers._ends) <= 1024
