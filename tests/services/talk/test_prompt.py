"""The line editor: what a person at a terminal sees while typing, when lines come in at the same time."""

from __future__ import annotations

import signal

import pytest
from tests.services.talk.person import CTRL_C, CTRL_D, ENTER, Person, pasted
from tests.services.talk.talker import Talker


def test_what_comes_in_does_not_destroy_the_line_being_typed() -> None:
    with Talker("-l", "tcp://:0") as other, Person(other.address) as person:
        assert person.sees(f"talking with {other.address}; q alone ends it", ">")
        person.type("half 一半".encode())
        assert person.sees("> half 一半")
        other.type("first 你好\nsecond\n".encode())
        assert person.sees("< first 你好", "< second", "> half 一半")
        person.type(b" done" + ENTER)
        assert person.sees("< second", "> half 一半 done", ">")
        assert other.says("half 一半 done\n")
        other.type(b"third\n")
        assert person.sees("> half 一半 done", "< third", ">")
        person.type(b"q" + ENTER)
        assert person.ends()[-2:] == ["> q", "you have ended the talk"]
        other.ends()


def test_a_line_longer_than_the_screen_is_wide_stays_whole() -> None:
    long = "中文字符" * 30
    wrapped = "> " + long[:49], long[49:99], long[99:]
    with Talker("-l", "tcp://:0") as other, Person(other.address) as person:
        assert person.sees(">")
        person.type(long.encode())
        assert person.sees(*wrapped)
        other.type(b"in between\n")
        assert person.sees("< in between", *wrapped)
        person.type(ENTER)
        assert other.says(long + "\n")


def test_pasted_lines_are_sent_as_they_are_when_enter_is_pressed() -> None:
    with Talker("-l", "tcp://:0") as other, Person(other.address) as person:
        assert person.sees(">")
        person.type(pasted("one\nq\n二"))
        assert person.sees("> one", "q", "二")
        person.type(ENTER)
        assert other.says("one\nq\n二\n")
        other.type(b"still here\n")
        assert person.sees("< still here", ">")


def test_keys_edit_the_line_and_the_arrow_brings_back_the_one_before() -> None:
    with Talker("-l", "tcp://:0") as other, Person(other.address) as person:
        assert person.sees(">")
        person.type("错x".encode() + b"\x7f\x7f" + "对".encode() + ENTER)
        assert other.says("对\n")
        assert person.sees("> 对", ">")
        person.type(b"\x1b[A")
        assert person.sees("> 对", "> 对")
        person.type(ENTER)
        assert other.says("对\n对\n")


def test_a_burst_of_lines_is_shown_whole_above_the_line_being_typed() -> None:
    with Talker("-l", "tcp://:0") as other, Person(other.address) as person:
        assert person.sees(">")
        person.type(b"typing")
        assert person.sees("> typing")
        other.type(b"".join(b"line %d\n" % number for number in range(2000)))
        assert person.sees(*[f"< line {number}" for number in range(2000)], "> typing")


def test_escape_sequences_of_the_partner_do_nothing_to_the_terminal() -> None:
    with Talker("-l", "tcp://:0") as other, Person(other.address) as person:
        assert person.sees(">")
        other.type(b"\x1b[2J\x1b]0;owned\x07\r> forged\n")
        assert person.sees(r"< \x1b[2J\x1b]0;owned\x07", "< > forged", ">")


@pytest.mark.parametrize(("key", "words"), [(CTRL_D, "the talk is over: Ctrl-D"), (CTRL_C, "the talk is over: Ctrl-C")])
def test_ctrl_d_and_ctrl_c_end_it_with_a_word(key: bytes, words: str) -> None:
    with Talker("-l", "tcp://:0") as other, Person(other.address) as person:
        other.notes("talking with")
        assert person.sees(">")
        person.type(key)
        assert person.ends()[-1] == words


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_from_elsewhere_leaves_the_terminal_as_it_was(number: signal.Signals) -> None:
    with Talker("-l", "tcp://:0") as other, Person(other.address) as person:
        person.type(b"half")
        assert person.sees("> half")
        person.signal(number)
        assert person.ends()[-2:] == [
            "> half",
            "the talk is over: " + ("Ctrl-C" if number is signal.SIGINT else number.name),
        ]


def test_the_partner_going_away_is_said_below_the_line_being_typed() -> None:
    with Talker("-l", "tcp://:0") as other, Person(other.address) as person:
        person.type(b"half a line")
        assert person.sees("> half a line")
        other.signal(signal.SIGKILL)
        assert person.ends()[-2:] == ["> half a line", f"{other.address} has closed the connection: the talk is over"]


def test_two_people_at_two_terminals() -> None:
    with Person("-l", "tcp://127.0.0.1:0", "--keep") as one:
        address = one.address
        with Person(address) as two:
            assert two.sees(">")
            one.type("你好".encode() + ENTER)
            assert two.sees("< 你好", ">")
            one.type(b"being typed")
            assert one.sees("> being typed")
            two.type(b"hello" + ENTER)
            assert one.sees("< hello", "> being typed")
            two.type(b"Q" + ENTER)
            two.ends()
        one.type(CTRL_C)
        one.ends(130)
