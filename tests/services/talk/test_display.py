"""Claims about what is shown of a talk, at a terminal, in a pipe and for programs."""

from __future__ import annotations

from tests.services.talk.hands import Hands
from tests.ui.recording import Recording

from lanline.address import Address
from lanline.errors import ChannelReset
from lanline.services.talk.display import Display
from lanline.services.talk.events import How, Noted, Over, Said, Send

PC7 = "tcp://192.168.1.7:9529"


def shown(recording: Recording) -> Display:
    return Display(recording, lambda show: show())


def test_every_start_says_what_is_going_on() -> None:
    console = Recording()
    display = shown(console)
    display.waiting([Address.parse("tcp://127.0.0.1:9529")])
    display.trying(Address.parse(PC7), "nothing listens there", 30.0)
    display.talking(PC7)
    display.open_to_all()
    assert console.err.splitlines() == [
        "waiting at tcp://127.0.0.1:9529 (this machine only; * in place of the host opens it to others)",
        "nothing listens there; trying again for 30 s",
        f"talking with {PC7}; q alone ends it",
        "answers go to whoever spoke last; q alone ends it",
    ]
    assert console.out == ""


def test_in_a_pipe_the_partners_lines_are_as_they_came() -> None:
    console = Recording()
    display = shown(console)
    display.show(Said("hello"))
    display.show(Said(""))
    display.show(Said("from one of several", "udp://127.0.0.1:5"))
    display.show(Send(b"mine"))
    assert (console.out, console.err) == ("hello\n\nudp://127.0.0.1:5: from one of several\n", "")


def test_at_a_terminal_no_partner_can_write_a_line_that_looks_like_ours() -> None:
    console = Recording(is_terminal=True)
    shown(console).show(Said("> I owe you 100"))
    assert console.out == "< > I owe you 100\n"


def test_notes_and_ends_go_to_standard_error() -> None:
    console = Recording()
    display = shown(console)
    display.show(Noted("busy", "somebody called"))
    display.show(Over(How.CTRL_D, "the talk is over: Ctrl-D"))
    assert console.err == "somebody called\nthe talk is over: Ctrl-D\n"


def test_a_broken_talk_shows_the_error_with_its_advice() -> None:
    console = Recording()
    error = ChannelReset("the connection with pc7 was reset")
    shown(console).show(Over(How.BROKEN, str(error), error))
    assert console.errors == [error]


def test_for_programs_each_event_is_a_json_line() -> None:
    hands = Hands(wants_json=True)
    display = hands.display
    display.waiting([Address.parse("tcp://127.0.0.1:9529")])
    display.trying(Address.parse(PC7), "nothing listens there", 30.0)
    display.talking(PC7)
    display.show(Said("hello", PC7))
    display.show(Send(b"a\xff\n"))
    display.show(Noted("empty", "an empty datagram", PC7))
    display.show(Over(How.OWN_Q, "you have ended the talk"))
    assert hands.console.values == [
        {"event": "waiting", "addresses": ["tcp://127.0.0.1:9529"]},
        {"event": "trying", "address": PC7, "seconds": 30.0, "text": "nothing listens there"},
        {"event": "talking", "peer": PC7},
        {"event": "received", "text": "hello", "peer": PC7},
        {"event": "sent", "text": "a\\xff\n"},
        {"event": "empty", "text": "an empty datagram", "peer": PC7},
        {"event": "ended", "how": "own-q", "text": "you have ended the talk"},
    ]
    assert hands.console.err == ""
